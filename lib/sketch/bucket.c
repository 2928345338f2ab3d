/* SPDX-License-Identifier: Apache-2.0 */
/* See bucket.h. */
#include "sketch/bucket.h"

enum { EXACT = 16, EXACT_BITS = 4 };

uint32_t gd_bucket_lower(uint32_t bucket)
{
    if (bucket < EXACT)
        return bucket;
    if (bucket >= GD_BUCKETS)
        bucket = GD_BUCKETS - 1;
    uint32_t octave = (bucket - EXACT) / 4 + EXACT_BITS;
    return (4 + (bucket - EXACT) % 4) << (octave - 2);
}

uint32_t gd_bucket_upper(uint32_t bucket)
{
    if (bucket < EXACT)
        return bucket;
    return bucket >= GD_BUCKETS - 1 ? UINT32_MAX : gd_bucket_lower(bucket + 1) - 1;
}
