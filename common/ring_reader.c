/* SPDX-License-Identifier: Apache-2.0 */
/* The reader's half of the ring. All that it reads may have been written by an enemy or be
 * overwritten this moment: it copies first, then looks whether the copy is good, and believes a bad
 * head only when it sees it again. */
#include "common/ring.h"

#include "common/ring_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BATCH = 128 * 1024, HEADER_TRIES = 4, REFILL_TRIES = 8 };

struct ring_reader {
    int fd;
    bool placed;                   /* position and expected fit the incarnation */
    bool bad;                      /* the head was, when last seen */
    struct ring_identity identity; /* of the incarnation that is read */
    uint64_t position;             /* of the next frame */
    uint64_t expected;             /* its sequence number, 0 when unknown */
    uint64_t sequence;             /* of the last record that was handed out */
    uint8_t *buf;                  /* a copy of what lies from buf_position on */
    size_t buf_cap;
    size_t buf_len;
    uint64_t buf_position;
    struct ring_reader_stats stats;
};

static uint64_t add_capped(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Exactly len bytes, or GUARD_E_SYNTAX when the file ends before, GUARD_E_IO. */
static enum guard_rc read_at(const struct ring_reader *reader, void *out, size_t len,
                             uint64_t offset, struct guard_err *err)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(reader->fd, (uint8_t *)out + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return guard_fail(err, GUARD_E_IO, "the ring can't be read: %s", strerror(errno));
        if (n == 0)
            return guard_fail(err, GUARD_E_SYNTAX, "the ring's file is truncated");
        done += (size_t)n;
    }
    return GUARD_OK;
}

static enum guard_rc judge_identity(const struct ring_identity *identity, struct guard_err *err)
{
    if (identity->magic == 0)
        return GUARD_E_STATE; /* an owner is just taking it over */
    if (identity->magic != RING_MAGIC)
        return guard_fail(err, GUARD_E_SYNTAX, "not a ring");
    if (identity->version != RING_VERSION || identity->header_bytes != RING_HEADER_BYTES)
        return guard_fail(err, GUARD_E_VERSION, "a ring of version %u", identity->version);
    if (identity->check != ring_identity_check(identity) ||
        !ring_capacity_valid(identity->capacity) || identity->producer == 0 ||
        identity->incarnation == 0)
        return guard_fail(err, GUARD_E_SYNTAX, "the ring's head is corrupt");
    return GUARD_OK;
}

static enum guard_rc judge_positions(const struct ring_header *header, struct guard_err *err)
{
    uint64_t longest = ring_frame_bytes(header->identity.capacity / 4);
    if (header->reserved < header->committed || header->reserved - header->committed > longest ||
        header->committed % RING_FRAME_ALIGN != 0)
        return guard_fail(err, GUARD_E_SYNTAX, "the ring's positions are impossible");
    return GUARD_OK;
}

/* A copy of the head that is consistent in itself. */
static enum guard_rc read_header(const struct ring_reader *reader, struct ring_header *out,
                                 struct guard_err *err)
{
    enum guard_rc rc = GUARD_E_STATE;
    for (int i = 0; i < HEADER_TRIES; i++) {
        rc = read_at(reader, out, sizeof(*out), 0, err);
        if (rc == GUARD_OK)
            rc = judge_identity(&out->identity, err);
        if (rc == GUARD_OK)
            rc = judge_positions(out, err);
        if (rc == GUARD_OK || rc == GUARD_E_IO)
            return rc;
    }
    return rc;
}

static void place_at_end(struct ring_reader *reader, const struct ring_header *header)
{
    reader->position = header->committed;
    reader->expected = 0;
    reader->buf_len = 0;
    reader->placed = true;
}

/* Finds the frame to go on with when the next one is unknown or overwritten. An eighth of the ring
 * is left as a head start, else a busy writer would lap us again at once. */
static void place(struct ring_reader *reader, const struct ring_header *header)
{
    uint64_t capacity = header->identity.capacity;
    place_at_end(reader, header);
    if (header->reserved <= capacity && !(reader->sequence > 0 && header->reserved > 0)) {
        reader->position = 0;
        reader->expected = 1;
        return;
    }
    uint64_t floor = header->reserved <= capacity ? 0 : header->reserved - capacity + capacity / 8;
    const struct ring_mark *oldest = NULL, *nearest = NULL;
    for (int i = 0; i < RING_MARKS; i++) {
        const struct ring_mark *mark = &header->marks[i];
        if (mark->position < floor || mark->position >= header->committed || mark->sequence == 0 ||
            mark->position % RING_FRAME_ALIGN != 0)
            continue;
        if (oldest == NULL || mark->position < oldest->position)
            oldest = mark;
        if (mark->sequence <= reader->sequence &&
            (nearest == NULL || mark->position > nearest->position))
            nearest = mark;
    }
    const struct ring_mark *chosen = nearest != NULL ? nearest : oldest;
    if (chosen != NULL) {
        reader->position = chosen->position;
        reader->expected = chosen->sequence;
    }
}

/* Another owner, or the one that ring_reader_seek named: what we hadn't read of the last one is
 * gone. */
static void adopt(struct ring_reader *reader, const struct ring_header *header)
{
    const struct ring_identity *identity = &header->identity;
    if (identity->incarnation == reader->identity.incarnation) {
        reader->identity = *identity;
        place(reader, header);
        return;
    }
    if (identity->previous_incarnation == reader->identity.incarnation &&
        identity->previous_sequence > reader->sequence)
        reader->stats.lost =
            add_capped(reader->stats.lost, identity->previous_sequence - reader->sequence);
    reader->identity = *identity;
    reader->sequence = 0;
    place(reader, header);
}

static enum guard_rc hostile(struct ring_reader *reader, struct guard_err *err, const char *what)
{
    reader->stats.hostile++;
    reader->buf_len = 0;
    struct ring_header header;
    if (read_header(reader, &header, NULL) == GUARD_OK &&
        header.identity.check == reader->identity.check)
        place_at_end(reader, &header);
    else
        reader->placed = false;
    return guard_fail(err, GUARD_E_SYNTAX, "ring %016llx: %s",
                      (unsigned long long)reader->identity.producer, what);
}

static bool reserve_buf(struct ring_reader *reader, size_t need)
{
    if (need <= reader->buf_cap)
        return true;
    uint8_t *larger = realloc(reader->buf, need);
    if (larger == NULL)
        return false;
    reader->buf = larger;
    reader->buf_cap = need;
    return true;
}

static enum guard_rc copy_out(struct ring_reader *reader, size_t len, struct guard_err *err)
{
    size_t capacity = (size_t)reader->identity.capacity;
    size_t offset = (size_t)(reader->position & (capacity - 1));
    size_t first = len < capacity - offset ? len : capacity - offset;
    reader->buf_len = 0;
    if (!reserve_buf(reader, len))
        return guard_fail(err, GUARD_E_NOMEM, "no memory for a ring's records");
    GUARD_TRY(read_at(reader, reader->buf, first, RING_HEADER_BYTES + offset, err));
    if (len > first)
        GUARD_TRY(read_at(reader, reader->buf + first, len - first, RING_HEADER_BYTES, err));
    reader->buf_position = reader->position;
    reader->buf_len = len;
    return GUARD_OK;
}

/* A head that stays bad is told once; a caller that reads until nothing is new must come to an end.
 */
static enum guard_rc bad_header(struct ring_reader *reader, enum guard_rc rc)
{
    reader->buf_len = 0;
    if (rc != GUARD_E_SYNTAX && rc != GUARD_E_VERSION)
        return rc;
    if (reader->bad)
        return GUARD_E_STATE;
    reader->bad = true;
    reader->placed = false;
    reader->stats.hostile++;
    return GUARD_E_SYNTAX;
}

/* Copies at least `need` bytes from position on. GUARD_OK with an empty buffer: look again. */
static enum guard_rc refill(struct ring_reader *reader, size_t need, struct guard_err *err)
{
    struct ring_header header;
    reader->buf_len = 0;
    enum guard_rc rc = read_header(reader, &header, err);
    if (rc != GUARD_OK)
        return bad_header(reader, rc);
    uint64_t position = reader->position;
    if (header.identity.check != reader->identity.check)
        adopt(reader, &header);
    else if (!reader->placed)
        place(reader, &header);
    if (header.committed < reader->position)
        return hostile(reader, err, "the writer went back");
    if (header.reserved - reader->position > reader->identity.capacity)
        place(reader, &header);
    if (reader->position != position)
        need = RING_FRAME_HEADER;
    uint64_t there = header.committed - reader->position;
    if (there == 0)
        return GUARD_E_STATE;
    if (there < need)
        return hostile(reader, err, "a frame goes beyond what is written");
    rc = copy_out(reader,
                  there < BATCH || there < need ? (size_t)there
                  : need < BATCH                ? BATCH
                                                : need,
                  err);
    if (rc != GUARD_OK)
        return bad_header(reader, rc);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    rc = read_header(reader, &header, err);
    if (rc != GUARD_OK)
        return bad_header(reader, rc);
    /* What the writer reserved while we copied may be in the copy. */
    reader->bad = false;
    if (header.identity.check != reader->identity.check || header.reserved < reader->position ||
        header.reserved - reader->position > reader->identity.capacity)
        reader->buf_len = 0;
    return GUARD_OK;
}

/* GUARD_E_LIMIT: *need bytes must be in the buffer first. */
static enum guard_rc take_frame(struct ring_reader *reader, struct guard_span *record,
                                uint64_t *sequence, size_t *need, struct guard_err *err)
{
    struct ring_frame frame;
    *need = RING_FRAME_HEADER;
    size_t offset = (size_t)(reader->position - reader->buf_position);
    if (reader->buf_len < RING_FRAME_HEADER || offset > reader->buf_len - RING_FRAME_HEADER)
        return GUARD_E_LIMIT;
    memcpy(&frame, reader->buf + offset, sizeof(frame));
    if (frame.length == 0 || frame.length > reader->identity.capacity / 4)
        return hostile(reader, err, "a frame of impossible length");
    size_t total = (size_t)ring_frame_bytes(frame.length);
    if (reader->buf_len - offset < total) {
        *need = total;
        return GUARD_E_LIMIT;
    }
    const struct guard_span bytes = {reader->buf + offset + RING_FRAME_HEADER, frame.length};
    if (frame.check !=
        ring_frame_check(reader->identity.incarnation, frame.sequence, reader->position, bytes))
        return hostile(reader, err, "a frame that doesn't fit its check sum");
    if (frame.sequence == 0 || frame.sequence == UINT64_MAX ||
        (reader->expected != 0 ? frame.sequence != reader->expected
                               : frame.sequence <= reader->sequence))
        return hostile(reader, err, "a frame out of sequence");
    reader->position += total;
    reader->expected = frame.sequence + 1;
    *record = bytes;
    *sequence = frame.sequence;
    return GUARD_OK;
}

enum guard_rc ring_reader_next(struct ring_reader *reader, struct guard_span *record,
                               uint64_t *sequence, struct guard_err *err)
{
    size_t need = RING_FRAME_HEADER;
    int refills = 0;
    for (;;) {
        enum guard_rc rc = GUARD_E_LIMIT;
        if (reader->placed && reader->buf_len > 0)
            rc = take_frame(reader, record, sequence, &need, err);
        if (rc == GUARD_E_LIMIT) {
            if (refills++ == REFILL_TRIES)
                return GUARD_E_STATE; /* lapped again and again: later */
            rc = refill(reader, need, err);
            if (rc != GUARD_OK)
                return rc;
            continue;
        }
        if (rc != GUARD_OK)
            return rc;
        if (*sequence <= reader->sequence) /* read before a restart */
            continue;
        reader->stats.lost = add_capped(reader->stats.lost, *sequence - reader->sequence - 1);
        reader->stats.records++;
        reader->sequence = *sequence;
        return GUARD_OK;
    }
}

enum guard_rc ring_reader_open(struct ring_reader **out, const char *path, struct guard_err *err)
{
    struct ring_reader *reader = calloc(1, sizeof(*reader));
    struct ring_header header;
    struct stat info;
    if (reader == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "%s: no memory", path);
    /* Without waiting: the name may have become a pipe. */
    reader->fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    enum guard_rc rc = GUARD_OK;
    if (reader->fd < 0 || fstat(reader->fd, &info) != 0)
        rc = guard_fail(err, GUARD_E_IO, "%s: can't be opened: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        rc = guard_fail(err, GUARD_E_IO, "%s: not a regular file", path);
    else
        rc = read_header(reader, &header, err);
    if (rc != GUARD_OK) {
        ring_reader_close(reader);
        return rc;
    }
    reader->identity = header.identity;
    *out = reader;
    return GUARD_OK;
}

void ring_reader_close(struct ring_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->fd >= 0)
        close(reader->fd);
    free(reader->buf);
    free(reader);
}

uint64_t ring_reader_producer(const struct ring_reader *reader)
{
    return reader->identity.producer;
}

uint64_t ring_reader_incarnation(const struct ring_reader *reader)
{
    return reader->identity.incarnation;
}

void ring_reader_seek(struct ring_reader *reader, uint64_t incarnation, uint64_t sequence)
{
    /* Adopting a later incarnation then counts what was lost of this one. */
    reader->identity.incarnation = incarnation;
    reader->identity.check = 0;
    reader->sequence = sequence;
    reader->placed = false;
    reader->buf_len = 0;
}

bool ring_reader_gone(const struct ring_reader *reader)
{
    struct stat info;
    return fstat(reader->fd, &info) != 0 || info.st_nlink == 0;
}

void ring_reader_stats(const struct ring_reader *reader, struct ring_reader_stats *out)
{
    *out = reader->stats;
}

uint64_t ring_reader_lag(const struct ring_reader *reader)
{
    struct ring_header header;
    if (read_header(reader, &header, NULL) != GUARD_OK)
        return 0;
    if (!reader->placed || header.identity.incarnation != reader->identity.incarnation)
        return header.committed;
    return header.committed > reader->position ? header.committed - reader->position : 0;
}
