/* SPDX-License-Identifier: Apache-2.0 */
/* Decoders against what the libraries themselves compress: whole, in single bytes, cut, garbled, as
 * bombs, and with too little memory. */
#include "common/decoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/encode.h>
#include <cmocka.h>
#include <zlib.h>
#include <zstd.h>

enum { PLAIN_MAX = 8 * 1024 * 1024, PACKED_MAX = PLAIN_MAX + 65536 };

static uint8_t plain[PLAIN_MAX], packed[PACKED_MAX], unpacked[PLAIN_MAX];
static size_t unpacked_len;

static void take(void *ctx, struct guard_span bytes)
{
    (void)ctx;
    assert_true(bytes.len > 0 && bytes.len <= sizeof(unpacked) - unpacked_len);
    memcpy(unpacked + unpacked_len, bytes.ptr, bytes.len);
    unpacked_len += bytes.len;
}

static struct decoder_pool pool_of(size_t limit_each)
{
    return (struct decoder_pool){.limit = 64 * 1024 * 1024, .limit_each = limit_each};
}

static void fill(size_t len)
{
    uint32_t random = 1;
    for (size_t i = 0; i < len; i++) {
        random = random * 1103515245 + 12345;
        plain[i] = (uint8_t)("{\"name\":\"tom\",\"n\":0123456789}"[(random >> 16) % 29]);
    }
}

static size_t pack_zlib(size_t len, int window)
{
    z_stream stream = {
        .next_in = plain, .avail_in = (uInt)len, .next_out = packed, .avail_out = sizeof(packed)};
    assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    size_t made = stream.total_out;
    deflateEnd(&stream);
    return made;
}

static size_t pack_gzip(size_t len)
{
    return pack_zlib(len, 31);
}

static size_t pack_deflate(size_t len)
{
    return pack_zlib(len, 15);
}

static size_t pack_raw(size_t len)
{
    return pack_zlib(len, -15);
}

static size_t pack_brotli(size_t len)
{
    size_t made = sizeof(packed);
    assert_true(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, len, plain, &made, packed) != 0);
    return made;
}

static size_t pack_zstd(size_t len)
{
    size_t made = ZSTD_compress(packed, sizeof(packed), plain, len, 3);
    assert_false(ZSTD_isError(made));
    return made;
}

static const struct {
    enum guard_coding coding;
    size_t (*pack)(size_t len);
} kinds[] = {
    {GUARD_CODING_GZIP, pack_gzip},   {GUARD_CODING_DEFLATE, pack_deflate},
    {GUARD_CODING_DEFLATE, pack_raw}, {GUARD_CODING_BROTLI, pack_brotli},
    {GUARD_CODING_ZSTD, pack_zstd},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* Feeds packed[0..len) in steps; the outcome of the whole. */
static enum guard_rc decode(struct decoder_pool *pool, enum guard_coding coding, size_t len,
                            size_t step, size_t output_max)
{
    struct decoder *decoder;
    enum guard_rc rc = decoder_open(&decoder, pool, coding, output_max);
    unpacked_len = 0;
    if (rc != GUARD_OK)
        return rc;
    for (size_t at = 0; at < len && rc == GUARD_OK; at += step) {
        size_t part = len - at < step ? len - at : step;
        rc = decoder_feed(decoder, (struct guard_span){packed + at, part}, take, NULL);
    }
    assert_true(rc == GUARD_OK || decoder_end(decoder) == rc);
    rc = decoder_end(decoder);
    decoder_close(decoder);
    return rc;
}

static void finish(struct decoder_pool *pool)
{
    decoder_pool_close(pool);
    assert_int_equal(pool->used, 0);
}

static void test_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 100, 16384, 16385, 300000};
    static const size_t steps[] = {1, 2, 3, 4096, SIZE_MAX / 2};
    struct decoder_pool pool = pool_of(12 * 1024 * 1024);
    (void)state;
    fill(300000);
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            size_t len = kinds[kind].pack(sizes[i]);
            for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++) {
                enum guard_rc rc = decode(&pool, kinds[kind].coding, len, steps[j], 1 << 20);
                assert_int_equal(rc, GUARD_OK);
                assert_int_equal(unpacked_len, sizes[i]);
                assert_memory_equal(unpacked, plain, sizes[i]);
            }
        }
    }
    finish(&pool);
}

static void test_only_what_is_inspected(void **state)
{
    struct decoder_pool pool = pool_of(12 * 1024 * 1024);
    (void)state;
    fill(300000);
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t len = kinds[kind].pack(300000);
        assert_int_equal(decode(&pool, kinds[kind].coding, len, 4096, 100000), GUARD_OK);
        assert_int_equal(unpacked_len, 100001);
        assert_int_equal(decode(&pool, kinds[kind].coding, len, 1 << 20, 300000), GUARD_OK);
        assert_int_equal(unpacked_len, 300000);
        assert_int_equal(decode(&pool, kinds[kind].coding, len, 1 << 20, 299999), GUARD_OK);
        assert_int_equal(unpacked_len, 300000);
    }
    finish(&pool);
}

static void test_cut(void **state)
{
    struct decoder_pool pool = pool_of(12 * 1024 * 1024);
    (void)state;
    fill(5000);
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t len = kinds[kind].pack(5000);
        for (size_t cut = 1; cut < len; cut++) {
            assert_int_equal(decode(&pool, kinds[kind].coding, cut, 1000, 1 << 20), GUARD_E_SYNTAX);
            assert_memory_equal(unpacked, plain, unpacked_len);
        }
        assert_int_equal(decode(&pool, kinds[kind].coding, 0, 1000, 1 << 20), GUARD_OK);
    }
    finish(&pool);
}

static void test_what_follows(void **state)
{
    struct decoder_pool pool = pool_of(12 * 1024 * 1024);
    (void)state;
    fill(500);
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t len = kinds[kind].pack(500);
        packed[len] = 'x';
        assert_int_equal(decode(&pool, kinds[kind].coding, len + 1, 1 << 20, 1 << 20),
                         GUARD_E_SYNTAX);
        assert_int_equal(decode(&pool, kinds[kind].coding, len + 1, 1, 1 << 20), GUARD_E_SYNTAX);
    }
    /* Members and frames may be joined; endlessly many may not. */
    size_t len = pack_gzip(500);
    memcpy(packed + len, packed, len);
    assert_int_equal(decode(&pool, GUARD_CODING_GZIP, 2 * len, 7, 1 << 20), GUARD_OK);
    assert_int_equal(unpacked_len, 1000);
    for (size_t i = 2; i < 20; i++)
        memcpy(packed + i * len, packed, len);
    assert_int_equal(decode(&pool, GUARD_CODING_GZIP, 20 * len, 7, 1 << 20), GUARD_E_SYNTAX);
    finish(&pool);
}

static void test_bombs(void **state)
{
    struct decoder_pool pool = pool_of(12 * 1024 * 1024);
    (void)state;
    memset(plain, ' ', sizeof(plain));
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t len = kinds[kind].pack(sizeof(plain));
        assert_int_equal(decode(&pool, kinds[kind].coding, len, 1 << 20, 4 << 20), GUARD_E_LIMIT);
        assert_true(unpacked_len <= 256 * 1024);
        assert_int_equal(decode(&pool, kinds[kind].coding, len, 1, 4 << 20), GUARD_E_LIMIT);
    }
    finish(&pool);
}

/* Stored blocks of no length, for ever. */
static void test_input_without_output(void **state)
{
    struct decoder_pool pool = pool_of(12 * 1024 * 1024);
    (void)state;
    for (size_t i = 0; i < 400000; i += 5)
        memcpy(packed + i, "\0\0\0\xff\xff", 5);
    assert_int_equal(decode(&pool, GUARD_CODING_DEFLATE, 400000, 4096, 1 << 20), GUARD_E_LIMIT);
    assert_int_equal(unpacked_len, 0);
    finish(&pool);
}

static void test_garbled(void **state)
{
    struct decoder_pool pool = pool_of(12 * 1024 * 1024);
    uint32_t random = 7;
    (void)state;
    fill(3000);
    for (size_t kind = 0; kind < KINDS; kind++) {
        for (int round = 0; round < 300; round++) {
            size_t len = kinds[kind].pack(3000);
            random = random * 1103515245 + 12345;
            packed[(random >> 8) % len] ^= (uint8_t)(1u << (random >> 29));
            enum guard_rc rc = decode(&pool, kinds[kind].coding, len, 512, 1 << 20);
            assert_true(rc == GUARD_OK || rc == GUARD_E_SYNTAX || rc == GUARD_E_LIMIT ||
                        rc == GUARD_E_NOMEM);
        }
    }
    finish(&pool);
}

static void test_too_little_memory(void **state)
{
    (void)state;
    fill(300000);
    for (size_t kind = 0; kind < KINDS; kind++) {
        size_t len = kinds[kind].pack(300000);
        for (size_t limit = 100; limit < 2 * 1024 * 1024; limit = limit * 5 / 4) {
            struct decoder_pool pool = pool_of(limit);
            enum guard_rc rc = decode(&pool, kinds[kind].coding, len, 4096, 1 << 20);
            assert_true(rc == GUARD_OK || rc == GUARD_E_NOMEM);
            assert_true(pool.used <= limit);
            finish(&pool);
        }
    }
}

static void test_pool_of_many(void **state)
{
    struct decoder_pool pool = {.limit = 100000, .limit_each = 100000};
    struct decoder *decoders[20];
    size_t open = 0;
    (void)state;
    fill(40000);
    size_t len = pack_gzip(40000);
    while (open < 20 &&
           decoder_open(&decoders[open], &pool, GUARD_CODING_GZIP, 1 << 20) == GUARD_OK)
        open++;
    assert_true(open > 2 && open < 20);
    size_t fine = 0;
    for (size_t i = 0; i < open; i++) {
        unpacked_len = 0;
        enum guard_rc rc = decoder_feed(decoders[i], (struct guard_span){packed, len}, take, NULL);
        assert_true(rc == GUARD_OK || rc == GUARD_E_NOMEM);
        fine += rc == GUARD_OK;
    }
    assert_true(fine < open);
    for (size_t i = 0; i < open; i++)
        decoder_close(decoders[i]);
    decoder_close(NULL);
    assert_int_equal(decode(&pool, GUARD_CODING_GZIP, len, 100, 1 << 20), GUARD_OK);
    finish(&pool);
}

static void test_unknown(void **state)
{
    struct decoder_pool pool = pool_of(1 << 20);
    struct decoder *decoder;
    (void)state;
    assert_int_equal(decoder_open(&decoder, &pool, GUARD_CODING_OTHER, 1), GUARD_E_RANGE);
    assert_int_equal(decoder_open(&decoder, &pool, GUARD_CODING_IDENTITY, 1), GUARD_E_RANGE);
    assert_null(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_only_what_is_inspected),
        cmocka_unit_test(test_cut),          cmocka_unit_test(test_what_follows),
        cmocka_unit_test(test_bombs),        cmocka_unit_test(test_input_without_output),
        cmocka_unit_test(test_garbled),      cmocka_unit_test(test_too_little_memory),
        cmocka_unit_test(test_pool_of_many), cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
