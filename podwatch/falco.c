/* SPDX-License-Identifier: Apache-2.0 */
/* Lines from Falco, bounded each, and what they told of each container in the interval. */
#include "falco.h"

#include "common/file.h"
#include "common/log.h"
#include "common/pods/falco_event.h"
#include "common/pods/pod_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TOLD_MAX = 256, READ_MAX = 1 << 20, ARENA_MAX = 256 * 1024 };

static const struct guard_span no_service = {NULL, 0};

struct told {
    struct pod_cgroup names;
    char pod[GUARD_POD_NAME_MAX + 1], name_space[GUARD_POD_NAME_MAX + 1];
    struct pod_gather gather;
    uint64_t received, dropped, from_ms, sequence, incarnation;
};

struct falco {
    struct pod_room *room;
    const char *path; /* NULL: standard input */
    int fd;
    ino_t inode;
    off_t at;
    uint8_t *line;
    size_t len;
    bool too_long; /* the rest of the line is passed over */
    bool ended;
    struct told *told[TOLD_MAX];
    uint32_t count;
    struct falco_counts counts;
};

static bool reopen(struct falco *falco)
{
    struct stat stat;
    int fd = open(falco->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &stat) != 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    if (falco->fd >= 0)
        close(falco->fd);
    falco->fd = fd;
    falco->inode = stat.st_ino;
    falco->at = 0;
    return true;
}

enum guard_rc falco_open(struct falco **out, const char *path, struct pod_room *room,
                         struct guard_err *err)
{
    struct falco *falco = calloc(1, sizeof(*falco));
    if (falco == NULL || (falco->line = malloc(FALCO_LINE_MAX)) == NULL) {
        free(falco);
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    }
    falco->room = room;
    falco->fd = -1;
    *out = falco;
    if (strcmp(path, "-") == 0) {
        falco->fd = STDIN_FILENO;
        int flags = fcntl(falco->fd, F_GETFL);
        if (flags >= 0)
            (void)fcntl(falco->fd, F_SETFL, flags | O_NONBLOCK);
        return GUARD_OK;
    }
    falco->path = path;
    if (!reopen(falco)) {
        falco_close(falco);
        return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    }
    falco->at = lseek(falco->fd, 0, SEEK_END);
    return GUARD_OK;
}

static void forget(struct falco *falco, uint32_t index)
{
    pod_gather_clear(&falco->told[index]->gather, falco->room);
    free(falco->told[index]);
    falco->told[index] = falco->told[--falco->count];
}

void falco_close(struct falco *falco)
{
    if (falco == NULL)
        return;
    while (falco->count > 0)
        forget(falco, falco->count - 1);
    if (falco->path != NULL && falco->fd >= 0)
        close(falco->fd);
    free(falco->line);
    free(falco);
}

int falco_fd(const struct falco *falco)
{
    return falco == NULL || falco->path != NULL || falco->ended ? -1 : falco->fd;
}

static struct guard_span text(const char *chars)
{
    return (struct guard_span){(const uint8_t *)chars, strlen(chars)};
}

static struct told *told_of(struct falco *falco, const struct falco_event *event,
                            struct containers *containers)
{
    char id[POD_CGROUP_CAP];
    pod_name_clean(id, sizeof(id), event->container);
    const struct container *container = containers_by_id(containers, event->container);
    const char *name = container != NULL ? container->names.container : id;
    for (uint32_t i = 0; i < falco->count; i++)
        if (strcmp(falco->told[i]->names.container, name) == 0)
            return falco->told[i];
    struct told *told = falco->count < TOLD_MAX ? calloc(1, sizeof(*told)) : NULL;
    if (told == NULL)
        return NULL;
    if (container != NULL)
        told->names = container->names;
    else
        memcpy(told->names.container, id, sizeof(id));
    struct guard_span pod = event->pod.len > 0  ? event->pod
                            : container != NULL ? text(container->names.pod)
                                                : event->container;
    pod_name_clean(told->pod, sizeof(told->pod), pod);
    pod_name_clean(told->name_space, sizeof(told->name_space), event->name_space);
    told->from_ms = told->incarnation = clock_unix_ms();
    falco->told[falco->count++] = told;
    return told;
}

static bool keep(struct falco *falco, struct told *told, const struct guard_pod_feature *feature)
{
    const struct pod_gather_tag none = {0};
    return pod_gather_add(&told->gather, falco->room, feature, none) == GUARD_OK;
}

static void take_line(struct falco *falco, struct containers *containers)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct falco_event event;
    struct guard_err err;
    falco->counts.lines++;
    guard_arena_init(&arena, &heap, ARENA_MAX);
    if (falco_event_read(&event, (struct guard_span){falco->line, falco->len}, &arena, &err) !=
        GUARD_OK) {
        if (falco->counts.refused++ == 0)
            log_event("warn", "falco-line-refused", no_service, "%s; more are only counted",
                      err.text);
    } else if (!event.about_pod) {
        falco->counts.elsewhere++;
    } else {
        struct told *told = told_of(falco, &event, containers);
        if (told == NULL)
            falco->counts.elsewhere++;
        else if (keep(falco, told, &event.feature))
            told->received++;
        else
            told->dropped++;
    }
    guard_arena_reset(&arena);
}

static void take_bytes(struct falco *falco, const uint8_t *bytes, size_t len,
                       struct containers *containers)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != '\n') {
            falco->too_long |= falco->len == FALCO_LINE_MAX;
            if (!falco->too_long)
                falco->line[falco->len++] = bytes[i];
            continue;
        }
        if (falco->too_long) {
            falco->counts.lines++;
            falco->counts.refused++;
        } else if (falco->len > 0) {
            take_line(falco, containers);
        }
        falco->len = 0;
        falco->too_long = false;
    }
}

/* A file that was moved away is read to its end first. */
static void follow(struct falco *falco)
{
    struct stat stat_of_path, stat_of_file;
    if (stat(falco->path, &stat_of_path) != 0)
        return;
    if (stat_of_path.st_ino != falco->inode)
        (void)reopen(falco);
    else if (fstat(falco->fd, &stat_of_file) == 0 && stat_of_file.st_size < falco->at)
        falco->at = 0;
}

void falco_read(struct falco *falco, struct containers *containers)
{
    uint8_t bytes[16 * 1024];
    size_t all = 0;
    while (falco != NULL && !falco->ended && all < READ_MAX) {
        ssize_t got = falco->path != NULL ? pread(falco->fd, bytes, sizeof(bytes), falco->at)
                                          : read(falco->fd, bytes, sizeof(bytes));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            falco->ended = falco->path == NULL && got == 0;
            break;
        }
        falco->at += got;
        all += (size_t)got;
        take_bytes(falco, bytes, (size_t)got, containers);
    }
    if (falco != NULL && falco->path != NULL && all == 0)
        follow(falco);
}

static void write_record(struct told *told, struct pod_files *files, const struct pod_list *pods,
                         const char *node)
{
    static struct guard_pod_feature features[GUARD_POD_FEATURES_MAX];
    struct guard_err err;
    uint64_t now = clock_unix_ms();
    struct guard_pod_record record = {
        .id = {.name_space = text(told->name_space),
               .workload = GUARD_SPAN_LITERAL("-"),
               .pod = text(told->pod),
               .container = text(told->names.container),
               .node = text(node)},
        .source = GUARD_POD_FALCO,
        .origin = {pod_producer("falco", node, told->names.container), told->incarnation,
                   ++told->sequence},
        .blind = (1U << GUARD_POD_KINDS) - 1,
        .from_ms = told->from_ms < now ? told->from_ms : now,
        .until_ms = now,
        .counted = told->received + told->dropped,
        .received = told->received,
        .dropped = told->dropped,
        .features = features,
    };
    if (now - record.from_ms > GUARD_POD_INTERVAL_MAX_MS)
        record.from_ms = now - GUARD_POD_INTERVAL_MAX_MS;
    record.feature_count = pod_gather_features(&told->gather, features, NULL);
    for (uint32_t i = 0; i < record.feature_count; i++) {
        record.blind &= ~(1U << features[i].kind);
        if (features[i].first_ms == 0 || features[i].first_ms > now)
            features[i].first_ms = now;
    }
    (void)pod_list_name(pods, &told->names, &record.id);
    if (pod_files_add(files, &record, &err) != GUARD_OK)
        log_event("alarm", "record-refused", no_service, "%s", err.text);
}

void falco_interval(struct falco *falco, struct pod_files *files, const struct pod_list *pods,
                    const char *node)
{
    enum { FORGET_MS = 3600 * 1000 };
    uint64_t now = clock_unix_ms();
    for (uint32_t i = falco != NULL ? falco->count : 0; i-- > 0;) {
        struct told *told = falco->told[i];
        if (told->received + told->dropped > 0)
            write_record(told, files, pods, node);
        else if (now > told->from_ms + FORGET_MS) {
            forget(falco, i);
            continue;
        }
        if (told->received + told->dropped > 0)
            told->from_ms = now;
        told->received = told->dropped = 0;
        pod_gather_clear(&told->gather, falco->room);
    }
}

void falco_counts(const struct falco *falco, struct falco_counts *out)
{
    *out = falco != NULL ? falco->counts : (struct falco_counts){0};
}
