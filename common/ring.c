/* SPDX-License-Identifier: Apache-2.0 */
/* The writer's half of the ring: claiming a slot, and putting records without a system call, a lock
 * or a look at anything that another process could have written. */
#include "common/ring.h"

#include "common/file.h"
#include "common/ring_fault.h"
#include "common/ring_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS_MAX = 256, PATH_CAP = 1024, CLAIM_TRIES = 16 };

struct ring_writer {
    struct ring_header *header;
    uint8_t *data;
    uint64_t capacity;
    uint64_t position;
    uint64_t sequence;
    uint64_t last_block;
    unsigned block_shift;
    struct ring_identity identity; /* as we wrote it: the file is never believed again */
    struct ring_map map;
    int fd;
    char path[PATH_CAP];
};

struct slot_names {
    const char *dir;
    const char *name;
    const char *suffix;
};

static bool slot_path(char out[PATH_CAP], const struct slot_names *names, int slot)
{
    int len = snprintf(out, PATH_CAP, "%s/%s-%d%s", names->dir, names->name, slot, names->suffix);
    return len > 0 && len < PATH_CAP;
}

/* What the file said before it became ours. False for what holds nothing that could still be read.
 */
static bool read_old_header(int fd, struct ring_header *out)
{
    struct stat info;
    ssize_t n = fstat(fd, &info) == 0 ? pread(fd, out, sizeof(*out), 0) : -1;
    return n == (ssize_t)sizeof(*out) && out->identity.magic == RING_MAGIC &&
           out->identity.version == RING_VERSION && out->identity.producer != 0 &&
           out->identity.check == ring_identity_check(&out->identity) &&
           (uint64_t)info.st_size == RING_HEADER_BYTES + out->identity.capacity;
}

/* -1 and errno; EWOULDBLOCK when its owner lives. */
static int open_locked(const char *path, int flags)
{
    struct stat info;
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags, 0640);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &info) == 0) {
        /* Removed between open and lock: another one may be claiming its successor. */
        if (S_ISREG(info.st_mode) && info.st_nlink > 0)
            return fd;
        errno = EWOULDBLOCK;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static uint64_t idle_since(int fd)
{
    struct ring_header header;
    return read_old_header(fd, &header) ? header.alive_ms : 0;
}

/* The free slot whose owner left first, if that is long ago or `any` one will do; the first unused
 * number. */
static int claim_left(const struct slot_names *names, bool any, int *unused, char path[PATH_CAP])
{
    uint64_t now = clock_unix_ms();
    uint64_t best_since = UINT64_MAX;
    int best = -1;
    for (*unused = 0; *unused < SLOTS_MAX; ++*unused) {
        char candidate[PATH_CAP];
        slot_path(candidate, names, *unused);
        int fd = open_locked(candidate, 0);
        if (fd < 0 && errno == ENOENT)
            break;
        if (fd < 0)
            continue;
        uint64_t since = idle_since(fd);
        bool idle = since + RING_IDLE_MS <= now || since > now + RING_IDLE_MS || any;
        if (!idle || since >= best_since) {
            close(fd);
            continue;
        }
        if (best >= 0)
            close(best);
        best = fd;
        best_since = since;
        memcpy(path, candidate, PATH_CAP);
    }
    return best;
}

static int claim(const struct slot_names *names, char path[PATH_CAP], struct guard_err *err)
{
    if (!slot_path(path, names, SLOTS_MAX)) {
        guard_fail(err, GUARD_E_IO, "%s: the path is too long", names->dir);
        return -1;
    }
    for (int i = 0; i < CLAIM_TRIES; i++) {
        int unused;
        int fd = claim_left(names, i == CLAIM_TRIES - 1, &unused, path);
        if (fd >= 0)
            return fd;
        if (unused == SLOTS_MAX) {
            i = i < CLAIM_TRIES - 2 ? CLAIM_TRIES - 2 : i; /* then any free one */
            continue;
        }
        slot_path(path, names, unused);
        fd = open_locked(path, O_CREAT | O_EXCL);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST && errno != EWOULDBLOCK) {
            guard_fail(err, GUARD_E_IO, "%s: can't be made: %s", path, strerror(errno));
            return -1;
        }
    }
    guard_fail(err, GUARD_E_IO, "%s: all %d slots are taken", names->dir, SLOTS_MAX);
    return -1;
}

static enum guard_rc make_identity(struct ring_writer *writer, uint64_t incarnation)
{
    struct ring_identity *identity = &writer->identity;
    struct ring_header old;
    bool known = read_old_header(writer->fd, &old);
    *identity = (struct ring_identity){
        .magic = RING_MAGIC,
        .version = RING_VERSION,
        .header_bytes = RING_HEADER_BYTES,
        .capacity = writer->capacity,
        .incarnation = incarnation,
    };
    if (known) {
        identity->producer = old.identity.producer;
        identity->previous_incarnation = old.identity.incarnation;
        identity->previous_sequence = old.sequence;
        if (identity->incarnation <= old.identity.incarnation)
            identity->incarnation = old.identity.incarnation + 1;
    }
    while (identity->producer == 0)
        GUARD_TRY(random_bytes(&identity->producer, sizeof(identity->producer)));
    identity->check = ring_identity_check(identity);
    return GUARD_OK;
}

/* A reader sees either the old incarnation, no ring at all, or the new one from its first byte. */
static void begin_incarnation(struct ring_writer *writer)
{
    struct ring_header *header = writer->header;
    __atomic_store_n(&header->identity.magic, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    header->reserved = 0;
    header->committed = 0;
    header->sequence = 0;
    header->alive_ms = clock_unix_ms();
    memset(header->marks, 0, sizeof(header->marks));
    struct ring_identity identity = writer->identity;
    identity.magic = 0;
    header->identity = identity;
    __atomic_store_n(&header->identity.magic, RING_MAGIC, __ATOMIC_RELEASE);
}

static enum guard_rc map_file(struct ring_writer *writer, struct guard_err *err)
{
    size_t size = RING_HEADER_BYTES + (size_t)writer->capacity;
    /* All blocks now, so that a full disk refuses here and doesn't fault later. */
    int failure = ftruncate(writer->fd, (off_t)size) == 0 ? 0 : errno;
    for (int i = 0; failure == 0 || (failure == EINTR && i < CLAIM_TRIES); i++) {
        failure = posix_fallocate(writer->fd, 0, (off_t)size);
        if (failure == 0)
            break;
    }
    if (failure != 0)
        return guard_fail(err, GUARD_E_IO, "%s: can't get %zu bytes: %s", writer->path, size,
                          strerror(failure));
    void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, writer->fd, 0);
    if (address == MAP_FAILED)
        return guard_fail(err, GUARD_E_IO, "%s: can't be mapped: %s", writer->path,
                          strerror(errno));
    writer->map.address = address;
    writer->map.len = size;
    writer->header = address;
    writer->data = (uint8_t *)address + RING_HEADER_BYTES;
    if (!ring_fault_watch(&writer->map))
        return guard_fail(err, GUARD_E_IO, "%s: too many rings in one process", writer->path);
    return GUARD_OK;
}

enum guard_rc ring_writer_open(struct ring_writer **out, const char *dir, const char *name,
                               const char *suffix, size_t capacity, uint64_t incarnation,
                               struct guard_err *err)
{
    if (!ring_capacity_valid(capacity) || incarnation == 0 || incarnation == UINT64_MAX)
        return guard_fail(err, GUARD_E_RANGE,
                          "a ring of %zu bytes: not a power of two from 64k to 64m", capacity);
    struct ring_writer *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a ring");
    writer->capacity = capacity;
    while ((capacity / RING_MARKS) >> writer->block_shift > 1)
        writer->block_shift++;
    writer->last_block = UINT64_MAX;
    const struct slot_names names = {dir, name, suffix};
    writer->fd = claim(&names, writer->path, err);
    enum guard_rc rc = writer->fd < 0 ? GUARD_E_IO : make_identity(writer, incarnation);
    if (rc == GUARD_OK)
        rc = map_file(writer, err);
    if (rc != GUARD_OK) {
        ring_writer_close(writer);
        return rc;
    }
    begin_incarnation(writer);
    *out = writer;
    return GUARD_OK;
}

void ring_writer_close(struct ring_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->header != NULL) {
        ring_fault_unwatch(&writer->map);
        munmap(writer->map.address, writer->map.len);
    }
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer);
}

static void copy_in(struct ring_writer *writer, uint64_t position, struct guard_span bytes)
{
    size_t offset = (size_t)(position & (writer->capacity - 1));
    size_t room = (size_t)writer->capacity - offset;
    if (bytes.len <= room) {
        memcpy(writer->data + offset, bytes.ptr, bytes.len);
        return;
    }
    memcpy(writer->data + offset, bytes.ptr, room);
    memcpy(writer->data, bytes.ptr + room, bytes.len - room);
}

uint64_t ring_writer_put(struct ring_writer *writer, struct guard_span record)
{
    if (record.len == 0 || record.len > writer->capacity / 4 || writer->map.broken)
        return 0;
    struct ring_header *header = writer->header;
    uint64_t position = writer->position;
    uint64_t end = position + ring_frame_bytes(record.len);
    uint64_t sequence = writer->sequence + 1;
    const struct ring_frame frame = {
        .length = (uint32_t)record.len,
        .check = ring_frame_check(writer->identity.incarnation, sequence, position, record),
        .sequence = sequence,
    };

    /* Said before a byte is overwritten: who copies while we write sees afterwards that it was
     * lapped. */
    __atomic_store_n(&header->reserved, end, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(writer->data + (position & (writer->capacity - 1)), &frame, sizeof(frame));
    copy_in(writer, position + RING_FRAME_HEADER, record);
    uint64_t block = position >> writer->block_shift;
    if (block != writer->last_block) {
        writer->last_block = block;
        header->marks[block % RING_MARKS] = (struct ring_mark){position, sequence};
    }
    header->sequence = sequence;
    __atomic_store_n(&header->committed, end, __ATOMIC_RELEASE);

    writer->position = end;
    writer->sequence = sequence;
    return writer->map.broken ? 0 : sequence;
}

bool ring_writer_broken(const struct ring_writer *writer)
{
    return writer->map.broken != 0;
}

void ring_writer_touch(struct ring_writer *writer, uint64_t unix_ms)
{
    struct stat ours, found;
    if (writer->map.broken)
        return;
    bool good =
        fstat(writer->fd, &ours) == 0 && stat(writer->path, &found) == 0 &&
        ours.st_ino == found.st_ino && ours.st_dev == found.st_dev &&
        (uint64_t)ours.st_size == writer->map.len &&
        memcmp(&writer->header->identity, &writer->identity, sizeof(writer->identity)) == 0 &&
        writer->header->committed == writer->position;
    if (!good) {
        writer->map.broken = 1;
        return;
    }
    writer->header->alive_ms = unix_ms;
}

uint64_t ring_writer_producer(const struct ring_writer *writer)
{
    return writer->identity.producer;
}

uint64_t ring_writer_incarnation(const struct ring_writer *writer)
{
    return writer->identity.incarnation;
}

uint64_t ring_writer_sequence(const struct ring_writer *writer)
{
    return writer->sequence;
}
