/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded writing and reading of the binary formats (records, piles, policies). Integers are little
 * endian or LEB128; a reader never reads past its end and remembers its first failure, so that a
 * decoder can read a group of fields and check once. */
#ifndef GD_BASE_WIRE_H
#define GD_BASE_WIRE_H

#include "base/span.h"

/* Writes into a fixed buffer; what doesn't fit sets `overflow` and writes nothing more. */
struct gd_writer {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    bool overflow;
};

struct gd_reader {
    const uint8_t *ptr;
    const uint8_t *end;
    bool failed;
};

void gd_writer_init(struct gd_writer *writer, void *ptr, size_t cap);
void gd_put_u8(struct gd_writer *writer, uint8_t value);
void gd_put_u16(struct gd_writer *writer, uint16_t value);
void gd_put_u32(struct gd_writer *writer, uint32_t value);
void gd_put_u64(struct gd_writer *writer, uint64_t value);
void gd_put_varint(struct gd_writer *writer,
                   uint64_t value); /* LEB128, 1 to 10 bytes, shortest form */
void gd_put_bytes(struct gd_writer *writer, struct guard_span bytes);
void gd_put_string(struct gd_writer *writer,
                   struct guard_span bytes); /* varint length, then the bytes */

void gd_reader_init(struct gd_reader *reader, struct guard_span bytes);
/* The next len bytes, or NULL: then the reader has failed. */
static inline const uint8_t *gd_take(struct gd_reader *reader, size_t len);
static inline uint8_t gd_get_u8(struct gd_reader *reader);
static inline uint16_t gd_get_u16(struct gd_reader *reader);
static inline uint32_t gd_get_u24(struct gd_reader *reader);
uint32_t gd_get_u32(struct gd_reader *reader);
static inline uint64_t gd_get_u64(struct gd_reader *reader);
/* A longer than shortest form fails the reader. */
static inline uint64_t gd_get_varint(struct gd_reader *reader);
static inline struct guard_span gd_get_bytes(struct gd_reader *reader, size_t len);
/* A string longer than max fails the reader. */
struct guard_span gd_get_string(struct gd_reader *reader, size_t max);
bool gd_reader_done(const struct gd_reader *reader); /* all was read and nothing failed */

/* Varints of more than one byte. */
uint64_t gd_get_varint_long(struct gd_reader *reader);

/* Records are read byte by byte for every exchange: these are worth being inlined. */
static inline const uint8_t *gd_take(struct gd_reader *reader, size_t len)
{
    const uint8_t *at = reader->ptr;
    if (__builtin_expect(reader->failed || len > (size_t)(reader->end - at), 0)) {
        reader->failed = true;
        return NULL;
    }
    reader->ptr = at + len;
    return at;
}

static inline uint8_t gd_get_u8(struct gd_reader *reader)
{
    const uint8_t *at = gd_take(reader, 1);
    return at == NULL ? 0 : *at;
}

static inline uint16_t gd_get_u16(struct gd_reader *reader)
{
    const uint8_t *at = gd_take(reader, 2);
    return (uint16_t)(at == NULL ? 0 : at[0] | at[1] << 8);
}

static inline uint32_t gd_get_u24(struct gd_reader *reader)
{
    const uint8_t *at = gd_take(reader, 3);
    return at == NULL ? 0 : (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
}

static inline uint64_t gd_get_u64(struct gd_reader *reader)
{
    const uint8_t *at = gd_take(reader, 8);
    if (at == NULL)
        return 0;
    return (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16 | (uint64_t)at[3] << 24 |
           (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40 | (uint64_t)at[6] << 48 |
           (uint64_t)at[7] << 56;
}

static inline uint64_t gd_get_varint(struct gd_reader *reader)
{
    const uint8_t *at = reader->ptr;
    if (__builtin_expect(reader->failed || at == reader->end || *at >= 0x80, 0))
        return gd_get_varint_long(reader);
    reader->ptr = at + 1;
    return *at;
}

static inline struct guard_span gd_get_bytes(struct gd_reader *reader, size_t len)
{
    const uint8_t *at = len == 0 ? NULL : gd_take(reader, len);
    return gd_span(at, at == NULL ? 0 : len);
}

#endif
