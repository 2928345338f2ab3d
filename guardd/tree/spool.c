/* SPDX-License-Identifier: Apache-2.0 */
/* A file is written whole and by rename. What two became is written before they go, and what is
 * found to lie in another after a kill goes, so that each delta is in exactly one file. */
#include "guardd/tree/spool.h"

#include "common/file.h"
#include "common/log.h"

#include <guard/pile.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_CAP = 48, PATH_CAP = STATE_PATH_MAX + STATE_SERVICE_MAX + 64 };
static const char aside[] = "refused";

static bool folder_of(char out[PATH_CAP], const struct spool *spool, struct guard_span service)
{
    int len = snprintf(out, PATH_CAP, "%s/s.%.*s", spool->dir, (int)service.len, service.ptr);
    return state_service_valid(service) && len > 0 && len < PATH_CAP;
}

static bool path_of(char out[PATH_CAP], const struct spool *spool, struct guard_span service,
                    const struct spool_file *file)
{
    char folder[PATH_CAP];
    if (!folder_of(folder, spool, service))
        return false;
    int len =
        snprintf(out, PATH_CAP, "%s/%016" PRIx64 "-%016" PRIx64, folder, file->first, file->last);
    return len > 0 && len < PATH_CAP;
}

static enum guard_rc make_folder(const char *path, struct guard_err *err)
{
    if (mkdir(path, 0750) == 0 || errno == EEXIST)
        return GUARD_OK;
    return guard_fail(err, GUARD_E_IO, "%s: can't be made: %s", path, strerror(errno));
}

enum guard_rc spool_open(struct spool *spool, const char *state, uint64_t max,
                         struct guard_err *err)
{
    char path[PATH_CAP];
    *spool = (struct spool){.max = max};
    int len = snprintf(spool->dir, sizeof(spool->dir), "%s/spool", state);
    if (len < 0 || (size_t)len >= sizeof(spool->dir) - NAME_CAP)
        return guard_fail(err, GUARD_E_LIMIT, "%s: the path is too long", state);
    GUARD_TRY(make_folder(spool->dir, err));
    snprintf(path, sizeof(path), "%s/%s", spool->dir, aside);
    return make_folder(path, err);
}

void spool_queue_free(struct spool_queue *queue)
{
    free(queue->list);
    *queue = (struct spool_queue){.list = NULL};
}

static bool reserve(struct spool_queue *queue)
{
    if (queue->count < queue->cap)
        return true;
    uint32_t cap = queue->cap == 0 ? 16 : queue->cap * 2;
    struct spool_file *grown = realloc(queue->list, cap * sizeof(*grown));
    if (grown == NULL)
        return false;
    queue->list = grown;
    queue->cap = cap;
    return true;
}

/* --- what lies there --- */

/* "FIRST-LAST", 16 hexadecimal digits each. */
static bool read_name(const char *name, struct spool_file *out)
{
    char *end = NULL;
    if (strlen(name) != 33 || strspn(name, "0123456789abcdef-") != 33 || name[16] != '-')
        return false;
    out->first = strtoull(name, &end, 16);
    if (end != name + 16)
        return false;
    out->last = strtoull(name + 17, &end, 16);
    return *end == '\0' && out->first > 0 && out->last >= out->first;
}

static int by_first(const void *a, const void *b)
{
    const struct spool_file *left = a;
    const struct spool_file *right = b;
    if (left->first != right->first)
        return left->first < right->first ? -1 : 1;
    return (left->last < right->last) - (left->last > right->last); /* the wider one first */
}

static void remove_file(const struct spool *spool, struct guard_span service,
                        const struct spool_file *file)
{
    char path[PATH_CAP];
    if (path_of(path, spool, service, file) && unlink(path) != 0 && errno != ENOENT)
        log_event("alarm", "spool-not-removed", service, "%s: %s", path, strerror(errno));
}

/* What a merge had written already when it was killed is in the wider file. */
static void drop_contained(const struct spool *spool, struct guard_span service,
                           struct spool_queue *queue)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        if (kept > 0 && queue->list[i].last <= queue->list[kept - 1].last)
            remove_file(spool, service, &queue->list[i]);
        else
            queue->list[kept++] = queue->list[i];
    }
    queue->count = kept;
}

static enum guard_rc take_entry(struct spool_queue *queue, const char *folder, const char *name,
                                struct guard_err *err)
{
    char path[PATH_CAP + 64];
    struct spool_file file;
    struct stat info;
    snprintf(path, sizeof(path), "%s/%.60s", folder, name);
    if (name[0] == '.')
        return GUARD_OK;
    if (!read_name(name, &file)) {
        if (strstr(name, ".tmp") != NULL)
            unlink(path); /* of one that was killed while writing it */
        return GUARD_OK;
    }
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return GUARD_OK;
    if (queue->count == SPOOL_QUEUE_MAX || !reserve(queue))
        return guard_fail(err, GUARD_E_LIMIT, "%s: too many files", folder);
    file.bytes = (uint64_t)info.st_size;
    file.since_ms = (uint64_t)info.st_mtim.tv_sec * 1000;
    queue->list[queue->count++] = file;
    return GUARD_OK;
}

enum guard_rc spool_scan(struct spool *spool, struct guard_span service, struct spool_queue *queue,
                         struct guard_err *err)
{
    char folder[PATH_CAP];
    enum guard_rc rc = GUARD_OK;
    if (!folder_of(folder, spool, service))
        return guard_fail(err, GUARD_E_RANGE, "a bad name of a service");
    GUARD_TRY(make_folder(folder, err));
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return guard_fail(err, GUARD_E_IO, "%s: %s", folder, strerror(errno));
    for (struct dirent *entry; rc == GUARD_OK && (entry = readdir(dir)) != NULL;)
        rc = take_entry(queue, folder, entry->d_name, err);
    closedir(dir);
    if (queue->count > 1)
        qsort(queue->list, queue->count, sizeof(queue->list[0]), by_first);
    drop_contained(spool, service, queue);
    for (uint32_t i = 0; i < queue->count; i++)
        spool->bytes += queue->list[i].bytes;
    spool->files += queue->count;
    return rc;
}

/* --- writing, reading, dropping --- */

enum guard_rc spool_put(struct spool *spool, struct guard_span service, struct spool_queue *queue,
                        uint64_t number, struct guard_span pile, struct guard_err *err)
{
    char path[PATH_CAP];
    struct spool_file file = {number, number, pile.len, clock_unix_ms()};
    if (pile.len > SPOOL_FILE_MAX || spool->bytes + pile.len > spool->max ||
        queue->count >= SPOOL_QUEUE_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "the spool is full: %" PRIu64 " of %" PRIu64 " bytes",
                          spool->bytes, spool->max);
    if (!reserve(queue))
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the spool");
    if (!path_of(path, spool, service, &file))
        return guard_fail(err, GUARD_E_RANGE, "a bad name of a service");
    GUARD_TRY(file_replace(path, pile, 0640, true, err));
    queue->list[queue->count++] = file;
    spool->bytes += pile.len;
    spool->files++;
    return GUARD_OK;
}

static enum guard_rc read_file(const struct spool *spool, struct guard_span service,
                               const struct spool_file *file, uint8_t **out, size_t *len,
                               struct guard_err *err)
{
    char path[PATH_CAP];
    if (!path_of(path, spool, service, file))
        return guard_fail(err, GUARD_E_RANGE, "a bad name of a service");
    return file_read(path, SPOOL_FILE_MAX, out, len, err);
}

enum guard_rc spool_read(const struct spool *spool, struct guard_span service,
                         const struct spool_queue *queue, uint8_t **out, size_t *len,
                         struct guard_err *err)
{
    if (queue->count == 0)
        return guard_fail(err, GUARD_E_RANGE, "nothing is in the spool");
    return read_file(spool, service, &queue->list[0], out, len, err);
}

static void forget(struct spool *spool, struct spool_queue *queue, uint32_t index)
{
    spool->bytes -= queue->list[index].bytes;
    spool->files--;
    queue->count--;
    memmove(&queue->list[index], &queue->list[index + 1],
            (queue->count - index) * sizeof(queue->list[0]));
}

void spool_drop(struct spool *spool, struct guard_span service, struct spool_queue *queue)
{
    if (queue->count == 0)
        return;
    remove_file(spool, service, &queue->list[0]);
    forget(spool, queue, 0);
}

/* The oldest of those that were put aside goes when there are too many. */
static void bound_aside(struct spool *spool)
{
    char folder[PATH_CAP];
    char oldest[256] = "";
    char path[PATH_CAP + 260];
    uint32_t count = 0;
    snprintf(folder, sizeof(folder), "%s/%s", spool->dir, aside);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(oldest))
            continue;
        count++;
        if (oldest[0] == '\0' || strcmp(entry->d_name, oldest) < 0)
            snprintf(oldest, sizeof(oldest), "%s", entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    if (count < SPOOL_ASIDE_MAX)
        return;
    snprintf(path, sizeof(path), "%s/%s", folder, oldest);
    if (unlink(path) == 0)
        spool->lost++;
}

void spool_put_aside(struct spool *spool, struct guard_span service, struct spool_queue *queue)
{
    char from[PATH_CAP];
    char to[PATH_CAP + 64];
    if (queue->count == 0)
        return;
    bound_aside(spool);
    snprintf(to, sizeof(to), "%s/%s/%013" PRIu64 "-%.*s-%016" PRIx64 ".pile", spool->dir, aside,
             clock_unix_ms(), (int)service.len, service.ptr, queue->list[0].first);
    if (!path_of(from, spool, service, &queue->list[0]) || rename(from, to) != 0) {
        remove_file(spool, service, &queue->list[0]);
        spool->lost++;
    }
    spool->refused++;
    forget(spool, queue, 0);
}

/* --- short of room --- */

static struct guard_pile *decode(struct guard_span bytes)
{
    struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    struct guard_pile *pile = NULL;
    return guard_pile_decode(&pile, &cfg, bytes, NULL) == GUARD_OK ? pile : NULL;
}

/* Whether the parent would take the pile as a share: so large a one is better sent in two. */
static bool acceptable(struct guard_span bytes)
{
    struct guard_pile *pile = decode(bytes);
    struct guard_share share = {.producers = NULL};
    struct guard_pile_stats stats;
    if (pile == NULL)
        return false;
    guard_pile_stats(pile, &stats);
    bool good = stats.cells <= SPOOL_MERGED_CELLS && bytes.len <= SPOOL_MERGED_MAX &&
                guard_pile_admit(pile, &share, NULL) == GUARD_OK;
    guard_pile_free(pile);
    return good;
}

static bool merge_bytes(struct guard_span first, struct guard_span second, uint8_t **out,
                        size_t *len)
{
    struct guard_pile *into = decode(first);
    struct guard_pile *other = decode(second);
    *out = NULL;
    bool good = into != NULL && other != NULL &&
                guard_pile_merge(into, other, NULL, NULL) == GUARD_OK &&
                guard_pile_encode(into, out, len, NULL) == GUARD_OK;
    guard_pile_free(into);
    guard_pile_free(other);
    return good && acceptable((struct guard_span){*out, *len});
}

static bool merge_at(struct spool *spool, struct guard_span service, struct spool_queue *queue,
                     uint32_t index)
{
    char path[PATH_CAP];
    struct spool_file *files = &queue->list[index];
    struct spool_file whole = {files[0].first, files[1].last, 0, files[0].since_ms};
    uint8_t *bytes[3] = {NULL, NULL, NULL};
    size_t lens[3] = {0, 0, 0};
    bool good =
        read_file(spool, service, &files[0], &bytes[0], &lens[0], NULL) == GUARD_OK &&
        read_file(spool, service, &files[1], &bytes[1], &lens[1], NULL) == GUARD_OK &&
        merge_bytes((struct guard_span){bytes[0], lens[0]}, (struct guard_span){bytes[1], lens[1]},
                    &bytes[2], &lens[2]) &&
        path_of(path, spool, service, &whole) &&
        file_replace(path, (struct guard_span){bytes[2], lens[2]}, 0640, true, NULL) == GUARD_OK;
    for (int i = 0; i < 3; i++)
        free(bytes[i]);
    if (!good)
        return false;
    remove_file(spool, service, &files[0]);
    remove_file(spool, service, &files[1]);
    forget(spool, queue, index + 1);
    spool->bytes += lens[2] - queue->list[index].bytes;
    whole.bytes = lens[2];
    queue->list[index] = whole;
    spool->merged++;
    return true;
}

bool spool_merge(struct spool *spool, struct guard_span service, struct spool_queue *queue)
{
    for (uint32_t i = 1; i + 1 < queue->count; i++) {
        if (queue->list[i].bytes + queue->list[i + 1].bytes <= SPOOL_MERGED_MAX &&
            merge_at(spool, service, queue, i))
            return true;
    }
    return false;
}
