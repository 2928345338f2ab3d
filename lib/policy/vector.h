/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays that the compiler of policies fills, zeroed and bounded. A failure is sticky: it is asked
 * for once, at the end. */
#ifndef GD_POLICY_VECTOR_H
#define GD_POLICY_VECTOR_H

#include "base/span.h"

struct gd_vector {
    const struct guard_alloc *alloc;
    uint8_t *ptr;
    uint32_t size; /* of an element */
    uint32_t count;
    uint32_t cap;
    uint32_t max;
    enum guard_rc rc; /* GUARD_OK, GUARD_E_NOMEM, GUARD_E_LIMIT */
};

void gd_vector_init(struct gd_vector *vector, const struct guard_alloc *alloc, size_t size,
                    uint32_t max);
void gd_vector_fini(struct gd_vector *vector);
/* count new zeroed elements, or NULL (for 0 of them too); moves what was handed out before. */
void *gd_vector_add(struct gd_vector *vector, uint32_t count);

#endif
