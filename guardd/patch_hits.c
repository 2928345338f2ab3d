/* SPDX-License-Identifier: Apache-2.0 */
/* A list: alerts of patches are few kinds, and few of all patches are ever hit. */
#include "patch_hits.h"

#include <stdlib.h>
#include <string.h>

enum { GROWTH = 64 };

static bool same(const char *name, struct guard_span text)
{
    return strlen(name) == text.len && memcmp(name, text.ptr, text.len) == 0;
}

static struct patch_hit *find(const struct patch_hits *hits, struct guard_span service,
                              struct guard_span patch)
{
    for (uint32_t i = 0; i < hits->count; i++) {
        if (same(hits->list[i].patch, patch) && same(hits->list[i].service, service))
            return &hits->list[i];
    }
    return NULL;
}

const struct patch_hit *patch_hits_find(const struct patch_hits *hits, struct guard_span service,
                                        struct guard_span patch)
{
    return find(hits, service, patch);
}

static bool is_id(struct guard_span text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "._-";
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\0' || strchr(letters, text.ptr[i]) == NULL)
            return false;
    }
    return text.len > 0 && text.len <= GUARD_PATCH_ID_MAX;
}

static struct patch_hit *append(struct patch_hits *hits, struct guard_span service,
                                struct guard_span patch)
{
    if (hits->count >= PATCH_HITS_MAX || !is_id(patch) || !state_service_valid(service))
        return NULL;
    if (hits->count % GROWTH == 0) {
        struct patch_hit *more =
            realloc(hits->list, (hits->count + GROWTH) * sizeof(hits->list[0]));
        if (more == NULL)
            return NULL;
        hits->list = more;
    }
    struct patch_hit *hit = &hits->list[hits->count++];
    memset(hit, 0, sizeof(*hit));
    memcpy(hit->service, service.ptr, service.len);
    memcpy(hit->patch, patch.ptr, patch.len);
    return hit;
}

void patch_hits_add(struct patch_hits *hits, struct guard_span service, struct guard_span patch,
                    bool shadow, uint64_t count)
{
    struct patch_hit *hit = find(hits, service, patch);
    if (hit == NULL)
        hit = append(hits, service, patch);
    if (hit == NULL)
        hits->left_out += count;
    else if (shadow)
        hit->shadow_hits += count;
    else
        hit->hits += count;
}

void patch_hits_free(struct patch_hits *hits)
{
    free(hits->list);
    *hits = (struct patch_hits){.left_out = hits->left_out};
}
