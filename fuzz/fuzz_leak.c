/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a response's body: no crash, nothing read outside, and the same leaks however the
 * body is cut. The first two bytes choose the cuts. */
#include "base/span.h"
#include "detect/leak.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t cut(const uint8_t *data, size_t size, size_t first, size_t rest)
{
    struct gd_leaks leaks;
    gd_leaks_begin(&leaks);
    for (size_t at = 0, len = first; at < size; at += len, len = rest) {
        if (len > size - at)
            len = size - at;
        gd_leaks_feed(&leaks, gd_span(data + at, len));
    }
    return gd_leaks_found(&leaks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t first = (size_t)data[0] + 1;
    size_t rest = (size_t)data[1] * 3 + 1;
    uint32_t whole = cut(data + 2, size - 2, size, size);
    if (cut(data + 2, size - 2, first, rest) != whole || cut(data + 2, size - 2, 1, 1) != whole ||
        whole >> GUARD_LEAK_COUNT != 0)
        abort();
    return 0;
}
