/* SPDX-License-Identifier: Apache-2.0 */
/* See wire.h. */
#include "base/wire.h"

void gd_writer_init(struct gd_writer *writer, void *ptr, size_t cap)
{
    *writer = (struct gd_writer){.ptr = ptr, .cap = cap};
}

static uint8_t *reserve(struct gd_writer *writer, size_t len)
{
    if (writer->overflow || len > writer->cap - writer->len) {
        writer->overflow = true;
        return NULL;
    }
    uint8_t *at = writer->ptr + writer->len;
    writer->len += len;
    return at;
}

static void put_little(struct gd_writer *writer, uint64_t value, size_t len)
{
    uint8_t *at = reserve(writer, len);
    for (size_t i = 0; at != NULL && i < len; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

void gd_put_u8(struct gd_writer *writer, uint8_t value)
{
    put_little(writer, value, 1);
}

void gd_put_u16(struct gd_writer *writer, uint16_t value)
{
    put_little(writer, value, 2);
}

void gd_put_u32(struct gd_writer *writer, uint32_t value)
{
    put_little(writer, value, 4);
}

void gd_put_u64(struct gd_writer *writer, uint64_t value)
{
    put_little(writer, value, 8);
}

void gd_put_varint(struct gd_writer *writer, uint64_t value)
{
    uint8_t bytes[10];
    size_t len = 0;
    while (value >= 0x80) {
        bytes[len++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (uint8_t)value;
    gd_put_bytes(writer, gd_span(bytes, len));
}

void gd_put_bytes(struct gd_writer *writer, struct guard_span bytes)
{
    uint8_t *at = reserve(writer, bytes.len);
    if (at != NULL && bytes.len > 0)
        memcpy(at, bytes.ptr, bytes.len);
}

void gd_put_string(struct gd_writer *writer, struct guard_span bytes)
{
    gd_put_varint(writer, bytes.len);
    gd_put_bytes(writer, bytes);
}

void gd_reader_init(struct gd_reader *reader, struct guard_span bytes)
{
    *reader = (struct gd_reader){.ptr = bytes.ptr};
    reader->end = bytes.len == 0 ? bytes.ptr : bytes.ptr + bytes.len;
}

uint32_t gd_get_u32(struct gd_reader *reader)
{
    uint32_t low = gd_get_u16(reader);
    return low | (uint32_t)gd_get_u16(reader) << 16;
}

uint64_t gd_get_varint_long(struct gd_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        const uint8_t *at = gd_take(reader, 1);
        if (at == NULL)
            return 0;
        /* The tenth byte holds one bit; a last byte of zero means that a shorter form exists. */
        if ((shift == 63 && *at > 1) || (shift > 0 && *at == 0))
            break;
        value |= (uint64_t)(*at & 0x7f) << shift;
        if (*at < 0x80)
            return value;
    }
    reader->failed = true;
    return 0;
}

struct guard_span gd_get_string(struct gd_reader *reader, size_t max)
{
    uint64_t len = gd_get_varint(reader);
    if (len > max) {
        reader->failed = true;
        return gd_span(NULL, 0);
    }
    return gd_get_bytes(reader, (size_t)len);
}

bool gd_reader_done(const struct gd_reader *reader)
{
    return !reader->failed && reader->ptr == reader->end;
}
