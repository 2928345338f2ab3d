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
uint8_t gd_get_u8(struct gd_reader *reader);
uint16_t gd_get_u16(struct gd_reader *reader);
uint32_t gd_get_u32(struct gd_reader *reader);
uint64_t gd_get_u64(struct gd_reader *reader);
uint64_t gd_get_varint(struct gd_reader *reader); /* a longer than shortest form fails the reader */
struct guard_span gd_get_bytes(struct gd_reader *reader, size_t len);
/* A string longer than max fails the reader. */
struct guard_span gd_get_string(struct gd_reader *reader, size_t max);
bool gd_reader_done(const struct gd_reader *reader); /* all was read and nothing failed */

#endif
