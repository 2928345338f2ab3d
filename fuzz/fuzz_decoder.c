/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bodies that an enemy made. The first byte says how it is compressed and how it is cut;
 * output, memory and work must stay within their limits, and a second decoder must say the same. */
#include "common/decoder.h"

#include <stdlib.h>

enum { OUTPUT_MAX = 256 * 1024, MEMORY_MAX = 12 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *ctx, struct guard_span bytes)
{
    size_t *total = ctx;
    *total += bytes.len;
    if (bytes.len == 0 || *total > OUTPUT_MAX + 1)
        abort();
}

static enum guard_rc run(struct decoder_pool *pool, enum guard_coding coding, size_t step,
                         struct guard_span body, size_t *total)
{
    struct decoder *decoder;
    *total = 0;
    enum guard_rc rc = decoder_open(&decoder, pool, coding, OUTPUT_MAX);
    if (rc != GUARD_OK)
        return rc;
    for (size_t at = 0; at < body.len && rc == GUARD_OK; at += step) {
        size_t part = body.len - at < step ? body.len - at : step;
        rc = decoder_feed(decoder, (struct guard_span){body.ptr + at, part}, count, total);
    }
    rc = decoder_end(decoder);
    if (pool->used > MEMORY_MAX)
        abort();
    decoder_close(decoder);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 2, 7, 100, 4096, 65536};
    struct decoder_pool pool = {.limit = MEMORY_MAX, .limit_each = MEMORY_MAX};
    if (size == 0)
        return 0;
    enum guard_coding coding = (enum guard_coding)(GUARD_CODING_GZIP + data[0] % 4);
    size_t step = steps[data[0] / 4 % 6];
    struct guard_span body = {data + 1, size - 1};
    size_t first, second;
    enum guard_rc rc = run(&pool, coding, step, body, &first);
    /* A kept decoder knows nothing of the body before. */
    if (run(&pool, coding, step, body, &second) != rc || first != second)
        abort();
    decoder_pool_close(&pool);
    if (pool.used != 0)
        abort();
    return 0;
}
