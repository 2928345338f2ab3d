/* SPDX-License-Identifier: Apache-2.0 */
/* One batch at a time: while it is on its way records wait in their files, so a slow parent makes
 * larger batches. A batch that comes twice changes nothing, since records have sequences. */
#include "forward.h"

#include "common/file.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_CAP = 128, LISTED_MAX = 8192, HEX = 2 * POD_BATCH_SECRET, FILE_MAX = 8 << 20 };

static const struct guard_span no_service = {NULL, 0};

/* --- its life --- */

static bool read_hex(const char *text, uint8_t out[POD_BATCH_SECRET])
{
    if (strspn(text, "0123456789abcdef") < HEX)
        return false;
    for (int i = 0; i < POD_BATCH_SECRET; i++) {
        const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

static enum guard_rc make_secret(const char *path, uint8_t out[POD_BATCH_SECRET],
                                 struct guard_err *err)
{
    char text[HEX + 1];
    if (random_bytes(out, POD_BATCH_SECRET) != GUARD_OK)
        return guard_fail(err, GUARD_E_IO, "no randomness for %s", path);
    for (int i = 0; i < POD_BATCH_SECRET; i++)
        snprintf(text + (ptrdiff_t)2 * i, 3, "%02x", out[i]);
    return file_replace(path, (struct guard_span){(const uint8_t *)text, HEX}, 0600, true, err);
}

/* Kept for the life of the directory: by it the parent knows the pods that we spoke of before. */
static enum guard_rc open_secret(const char *state, uint8_t out[POD_BATCH_SECRET],
                                 struct guard_err *err)
{
    char path[STATE_PATH_MAX];
    uint8_t *text = NULL;
    size_t len = 0;
    GUARD_TRY(state_path(path, state, "keys", no_service, "pods.secret"));
    if (file_read(path, HEX + 1, &text, &len, NULL) != GUARD_OK)
        return make_secret(path, out, err);
    bool good = read_hex((const char *)text, out);
    free(text);
    return good ? GUARD_OK : make_secret(path, out, err);
}

enum guard_rc pod_forward_open(struct pod_forward **out, const char *state, struct guard_err *err)
{
    struct pod_forward *forward = calloc(1, sizeof(*forward));
    if (forward == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory to send pod records");
    forward->number = 1;
    enum guard_rc rc = open_secret(state, forward->secret, err);
    if (rc != GUARD_OK) {
        free(forward);
        return rc;
    }
    *out = forward;
    return GUARD_OK;
}

void pod_forward_close(struct pod_forward *forward)
{
    if (forward == NULL)
        return;
    free(forward->bytes);
    memset(forward->secret, 0, sizeof(forward->secret));
    free(forward);
}

/* --- the batch --- */

bool pod_forward_add(struct pod_forward *forward, struct guard_span record)
{
    if (forward->bytes == NULL) {
        forward->bytes = malloc(POD_BATCH_BYTES_MAX);
        forward->len = POD_BATCH_HEAD;
    }
    if (forward->bytes == NULL || forward->sending || forward->records == POD_BATCH_RECORDS_MAX ||
        record.len > POD_BATCH_BYTES_MAX - forward->len)
        return false;
    memcpy(forward->bytes + forward->len, record.ptr, record.len);
    forward->len += record.len;
    forward->records++;
    forward->counted++;
    return true;
}

uint64_t pod_forward_mark(const struct pod_forward *forward)
{
    return forward->records > 0 ? forward->number : forward->number - 1;
}

bool pod_forward_due(const struct pod_forward *forward, uint64_t now_ms)
{
    enum { FAR_MS = 10 * 60000 }; /* the clock was set back */
    return forward != NULL && forward->records > 0 && !forward->sending &&
           (now_ms >= forward->retry_ms || forward->retry_ms - now_ms > FAR_MS);
}

struct guard_span pod_forward_begin(struct pod_forward *forward)
{
    struct pod_batch head = {
        .counted = forward->counted, .dropped = forward->dropped, .count = forward->records};
    memcpy(head.secret, forward->secret, sizeof(head.secret));
    pod_batch_write_head(&head, forward->bytes);
    forward->sending = true;
    return (struct guard_span){forward->bytes, forward->len};
}

static void empty(struct pod_forward *forward)
{
    forward->sending = false;
    forward->records = 0;
    forward->retry_ms = 0;
    free(forward->bytes); /* between batches an agent needs none */
    forward->bytes = NULL;
}

void pod_forward_taken(struct pod_forward *forward, uint64_t taken)
{
    if (taken > forward->records)
        taken = forward->records;
    forward->sent += taken;
    forward->refused += forward->records - taken;
    forward->settled = forward->number++;
    empty(forward);
}

void pod_forward_failed(struct pod_forward *forward, uint64_t retry_ms)
{
    forward->sending = false;
    forward->retry_ms = retry_ms;
}

void pod_forward_undo(struct pod_forward *forward)
{
    forward->counted -= forward->records;
    forward->left = false;
    empty(forward);
}

/* --- what is given up --- */

struct waiting {
    char name[NAME_CAP];
    int64_t written_ns;
    size_t bytes;
};

static int64_t written_ns(const struct stat *info)
{
    return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

static int by_age(const void *a, const void *b)
{
    const struct waiting *left = a, *right = b;
    int age = (left->written_ns > right->written_ns) - (left->written_ns < right->written_ns);
    return age != 0 ? age : strcmp(left->name, right->name);
}

static uint32_t list(const char *path, struct waiting out[LISTED_MAX], size_t *bytes)
{
    static const char suffix[] = ".pods";
    struct stat info;
    uint32_t count = 0;
    *bytes = 0;
    DIR *dir = opendir(path);
    for (struct dirent *entry = NULL;
         dir != NULL && count < LISTED_MAX && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        if (len < sizeof(suffix) || len >= NAME_CAP ||
            strcmp(entry->d_name + len - sizeof(suffix) + 1, suffix) != 0 ||
            fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(info.st_mode))
            continue;
        struct waiting *one = &out[count++];
        memcpy(one->name, entry->d_name, len + 1);
        one->written_ns = written_ns(&info);
        one->bytes = (size_t)info.st_size;
        *bytes += one->bytes;
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

/* Of those of a damaged file those before the damage. */
static uint32_t count_records(const char *path)
{
    uint8_t *bytes = NULL;
    size_t len = 0, one = 0, at = 0;
    uint32_t count = 0;
    if (file_read(path, FILE_MAX, &bytes, &len, NULL) != GUARD_OK)
        return 0;
    while (len - at >= GUARD_POD_HEAD_BYTES &&
           guard_pod_record_size((struct guard_span){bytes + at, len - at}, &one, NULL) ==
               GUARD_OK &&
           one <= len - at) {
        at += one;
        count++;
    }
    free(bytes);
    return count;
}

static bool give_up(struct pod_forward *forward, const char *dir, const struct waiting *one)
{
    char path[STATE_PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/%s", dir, one->name);
    if (len < 0 || (size_t)len >= sizeof(path))
        return false;
    uint32_t records = count_records(path);
    if (unlink(path) != 0)
        return false;
    forward->counted += records;
    forward->dropped += records;
    return true;
}

void pod_forward_bound(struct pod_forward *forward, const char *dir,
                       bool (*held)(const void *ctx, const char *name), const void *ctx)
{
    struct waiting *files = malloc(LISTED_MAX * sizeof(*files));
    size_t bytes = 0;
    uint64_t before = forward->dropped;
    if (files == NULL)
        return;
    uint32_t count = list(dir, files, &bytes), left = count;
    bool over = count > POD_FORWARD_FILES_MAX || bytes > POD_FORWARD_BYTES_MAX;
    if (over)
        qsort(files, count, sizeof(*files), by_age);
    for (uint32_t i = 0;
         i < count && (left > POD_FORWARD_FILES_MAX || bytes > POD_FORWARD_BYTES_MAX); i++) {
        if (held(ctx, files[i].name) || !give_up(forward, dir, &files[i]))
            continue;
        left--;
        bytes -= files[i].bytes;
    }
    if (forward->dropped > before && !forward->dropping)
        log_event("alarm", "pod-records-dropped", no_service,
                  "the parent takes none: of those that wait the oldest are given up (status, "
                  "parent.pods.dropped)");
    forward->dropping = forward->dropped > before || (forward->dropping && forward->records > 0);
    free(files);
}

void pod_forward_status(const struct pod_forward *forward, struct json_writer *json)
{
    if (forward == NULL)
        return;
    json_open(json, "pods", '{');
    json_integer(json, "counted", (int64_t)forward->counted);
    json_integer(json, "sent", (int64_t)forward->sent);
    json_integer(json, "refused", (int64_t)forward->refused);
    json_integer(json, "dropped", (int64_t)forward->dropped);
    json_integer(json, "waiting", forward->records);
    json_close(json, '}');
}
