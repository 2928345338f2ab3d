/* SPDX-License-Identifier: Apache-2.0 */
/* The binary formats' ground: what is written is read, and nothing is read or written beyond an
 * end. */
#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint64_t numbers[] = {
    0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX >> 1, UINT64_MAX};
enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };

static void write_all(struct gd_writer *writer)
{
    for (size_t i = 0; i < NUMBERS; i++) {
        gd_put_varint(writer, numbers[i]);
        gd_put_u8(writer, (uint8_t)numbers[i]);
        gd_put_u16(writer, (uint16_t)numbers[i]);
        gd_put_u32(writer, (uint32_t)numbers[i]);
        gd_put_u64(writer, numbers[i]);
    }
    gd_put_string(writer, GUARD_SPAN_LITERAL("text"));
    gd_put_string(writer, gd_span(NULL, 0));
    gd_put_bytes(writer, GUARD_SPAN_LITERAL("raw"));
}

static bool read_all(struct gd_reader *reader)
{
    bool same = true;
    for (size_t i = 0; i < NUMBERS; i++) {
        same &= gd_get_varint(reader) == numbers[i];
        same &= gd_get_u8(reader) == (uint8_t)numbers[i];
        same &= gd_get_u16(reader) == (uint16_t)numbers[i];
        same &= gd_get_u32(reader) == (uint32_t)numbers[i];
        same &= gd_get_u64(reader) == numbers[i];
    }
    same &= gd_span_equal(gd_get_string(reader, 4), GUARD_SPAN_LITERAL("text"));
    same &= gd_get_string(reader, 0).len == 0;
    same &= gd_span_equal(gd_get_bytes(reader, 3), GUARD_SPAN_LITERAL("raw"));
    return same && gd_reader_done(reader);
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct gd_writer writer;
    struct gd_reader reader;
    gd_writer_init(&writer, bytes, sizeof(bytes));
    write_all(&writer);
    assert_false(writer.overflow);
    gd_reader_init(&reader, gd_span(bytes, writer.len));
    assert_true(read_all(&reader));
    /* Little endian, whatever the machine. */
    gd_writer_init(&writer, bytes, sizeof(bytes));
    gd_put_u32(&writer, 0x01020304);
    assert_memory_equal(bytes, "\x04\x03\x02\x01", 4);
}

/* At every size that is too small: flagged, and not a byte too far (blocks of exactly that size).
 */
static void test_ends(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct gd_writer writer;
    gd_writer_init(&writer, bytes, sizeof(bytes));
    write_all(&writer);
    size_t full = writer.len;
    for (size_t size = 0; size < full; size++) {
        uint8_t *block = malloc(size + (size == 0));
        gd_writer_init(&writer, block, size);
        write_all(&writer);
        assert_true(writer.overflow);
        assert_true(writer.len <= size);
        memcpy(block, bytes, size);
        struct gd_reader reader;
        gd_reader_init(&reader, gd_span(block, size));
        assert_false(read_all(&reader));
        assert_true(reader.failed);
        free(block);
    }
}

static bool reads_varint(struct guard_span bytes)
{
    struct gd_reader reader;
    gd_reader_init(&reader, bytes);
    (void)gd_get_varint(&reader);
    return gd_reader_done(&reader);
}

static void test_odd_varints(void **state)
{
    (void)state;
    assert_true(reads_varint(GUARD_SPAN_LITERAL("\0")));
    assert_false(reads_varint(GUARD_SPAN_LITERAL("\x80\0")));
    assert_false(reads_varint(GUARD_SPAN_LITERAL("\xff\x80\0")));
    assert_false(reads_varint(GUARD_SPAN_LITERAL("\x80")));
    assert_true(reads_varint(GUARD_SPAN_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")));
    assert_false(reads_varint(GUARD_SPAN_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")));
    assert_false(reads_varint(GUARD_SPAN_LITERAL("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01")));
}

static void test_hostile_lengths(void **state)
{
    (void)state;
    struct gd_reader reader;
    gd_reader_init(&reader, GUARD_SPAN_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01text"));
    assert_int_equal(gd_get_string(&reader, SIZE_MAX).len, 0);
    assert_true(reader.failed);
    gd_reader_init(&reader, GUARD_SPAN_LITERAL("\x04text"));
    assert_int_equal(gd_get_string(&reader, 3).len, 0);
    assert_true(reader.failed);
    /* Once failed, nothing is read any more. */
    assert_int_equal(gd_get_u8(&reader), 0);
    assert_false(gd_reader_done(&reader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_odd_varints),
        cmocka_unit_test(test_hostile_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
