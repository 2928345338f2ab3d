/* SPDX-License-Identifier: Apache-2.0 */
/* Growing arrays for a compiler that must end well in any memory. */
#include "policy/vector.h"

void gd_vector_init(struct gd_vector *vector, const struct guard_alloc *alloc, size_t size,
                    uint32_t max)
{
    *vector = (struct gd_vector){.alloc = alloc, .size = (uint32_t)size, .max = max};
}

void gd_vector_fini(struct gd_vector *vector)
{
    if (vector->ptr != NULL)
        vector->alloc->free(vector->alloc->ctx, vector->ptr);
    vector->ptr = NULL;
    vector->count = vector->cap = 0;
}

static bool grow(struct gd_vector *vector, uint32_t count)
{
    if (count > vector->max - vector->count) {
        vector->rc = GUARD_E_LIMIT;
        return false;
    }
    uint64_t cap = vector->cap == 0 ? 16 : (uint64_t)vector->cap * 2;
    if (cap < (uint64_t)vector->count + count)
        cap = (uint64_t)vector->count + count;
    uint8_t *ptr = vector->alloc->alloc(vector->alloc->ctx, (size_t)cap * vector->size);
    if (ptr == NULL) {
        vector->rc = GUARD_E_NOMEM;
        return false;
    }
    if (vector->ptr != NULL) {
        memcpy(ptr, vector->ptr, (size_t)vector->count * vector->size);
        vector->alloc->free(vector->alloc->ctx, vector->ptr);
    }
    vector->ptr = ptr;
    vector->cap = (uint32_t)cap;
    return true;
}

void *gd_vector_add(struct gd_vector *vector, uint32_t count)
{
    if (vector->rc != GUARD_OK)
        return NULL;
    if (count > vector->cap - vector->count && !grow(vector, count))
        return NULL;
    if (count == 0)
        return vector->ptr;
    uint8_t *added = vector->ptr + (size_t)vector->count * vector->size;
    memset(added, 0, (size_t)count * vector->size);
    vector->count += count;
    return added;
}
