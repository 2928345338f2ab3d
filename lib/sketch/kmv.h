/* SPDX-License-Identifier: Apache-2.0 */
/* Bottom-k sets of 32 bit hashes: the k lowest distinct ones of a stream, whatever its order.
 * Adding and uniting are commutative, associative and idempotent; below k the set is complete,
 * above it estimates how many there were. Source: Bar-Yossef et al. 2002 (KMV). */
#ifndef GD_SKETCH_KMV_H
#define GD_SKETCH_KMV_H

#include <stdint.h>

enum { GD_BOTTOM_MAX = 64 };

/* set: sorted, distinct, count of at most max (<= GD_BOTTOM_MAX) values, room for max. Returns the
 * new count. */
uint32_t gd_bottom_add(uint32_t *set, uint32_t count, uint32_t max, uint32_t value);
/* Adds all of `from`. */
uint32_t gd_bottom_unite(uint32_t *set, uint32_t count, uint32_t max, const uint32_t *from,
                         uint32_t from_count);
/* Distinct values seen; exact below max. */
uint32_t gd_bottom_estimate(const uint32_t *set, uint32_t count, uint32_t max);

#endif
