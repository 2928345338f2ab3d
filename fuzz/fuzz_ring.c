/* SPDX-License-Identifier: Apache-2.0 */
/* The ring's reader over files that an enemy wrote. The first byte says what of the head is made
 * valid, so that the fuzzer also gets behind it; the reader must come to an end and hand out only
 * memory of its own. */
#include "common/ring.h"
#include "common/ring_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FIX_IDENTITY = 1,
    FIX_POSITIONS = 2,
    FIX_FRAMES = 4, /* and their check sums, as far as they form a chain */
    SEEK = 8,
    GROW = 16, /* the content changes between two reads */
    CALLS_MAX = 100000,
    FILE_BYTES = RING_HEADER_BYTES + RING_CAPACITY_MIN,
};

static uint8_t content[FILE_BYTES];
static char path[] = "/tmp/guard-fuzz-ring-XXXXXX";
static int file = -1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static void remove_file(void)
{
    unlink(path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    file = mkstemp(path);
    if (file < 0)
        abort();
    return atexit(remove_file);
}

static void fix_frames(struct ring_header *header)
{
    uint8_t *bytes = content + RING_HEADER_BYTES;
    uint64_t sequence = 1, position = 0;
    while (position + RING_FRAME_HEADER < RING_CAPACITY_MIN) {
        struct ring_frame frame;
        memcpy(&frame, bytes + position, sizeof(frame));
        frame.length = 1 + frame.length % 2048;
        if (position + ring_frame_bytes(frame.length) > RING_CAPACITY_MIN)
            break;
        frame.sequence = sequence++;
        frame.check =
            ring_frame_check(header->identity.incarnation, frame.sequence, position,
                             (struct guard_span){bytes + position + sizeof(frame), frame.length});
        memcpy(bytes + position, &frame, sizeof(frame));
        position += ring_frame_bytes(frame.length);
    }
    header->committed = header->reserved = position;
}

static void make_content(uint8_t fixes, const uint8_t *data, size_t size)
{
    struct ring_header *header = (struct ring_header *)(void *)content;
    memset(content, 0, sizeof(content));
    memcpy(content, data, size < sizeof(content) ? size : sizeof(content));
    if ((fixes & FIX_IDENTITY) != 0) {
        header->identity.magic = RING_MAGIC;
        header->identity.version = RING_VERSION;
        header->identity.header_bytes = RING_HEADER_BYTES;
        header->identity.capacity = RING_CAPACITY_MIN;
        header->identity.producer |= 1;
        header->identity.incarnation |= 1;
        header->identity.check = ring_identity_check(&header->identity);
    }
    if ((fixes & FIX_POSITIONS) != 0) {
        header->committed &= ~UINT64_C(15);
        header->reserved = header->committed + header->reserved % RING_CAPACITY_MIN / 4;
    }
    if ((fixes & FIX_FRAMES) != 0)
        fix_frames(header);
}

static void read_all(struct ring_reader *reader)
{
    struct guard_span record;
    struct guard_err err;
    uint64_t sequence;
    uint64_t sum = 0;
    for (int i = 0; i < CALLS_MAX; i++) {
        enum guard_rc rc = ring_reader_next(reader, &record, &sequence, &err);
        if (rc == GUARD_E_STATE)
            return;
        if (rc == GUARD_OK) {
            for (size_t at = 0; at < record.len; at++)
                sum += record.ptr[at];
        }
    }
    fprintf(stderr, "no end (%llu)\n", (unsigned long long)sum);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ring_reader *reader;
    if (size == 0)
        return 0;
    uint8_t fixes = data[0];
    make_content(fixes, data + 1, size - 1);
    size_t len = fixes == 0 && size - 1 < sizeof(content) ? size - 1 : sizeof(content);
    if (ftruncate(file, (off_t)len) != 0 || pwrite(file, content, len, 0) != (ssize_t)len)
        abort();
    if (ring_reader_open(&reader, path, NULL) != GUARD_OK)
        return 0;
    if ((fixes & SEEK) != 0)
        ring_reader_seek(reader, ring_reader_incarnation(reader), size % 64);
    read_all(reader);
    if ((fixes & GROW) != 0) {
        make_content((uint8_t)(fixes & (FIX_IDENTITY | FIX_POSITIONS)), data + size / 2,
                     size - size / 2);
        if (pwrite(file, content, sizeof(content), 0) != (ssize_t)sizeof(content))
            abort();
        read_all(reader);
    }
    ring_reader_close(reader);
    return 0;
}
