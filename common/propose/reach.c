/* SPDX-License-Identifier: Apache-2.0 */
/* How much of what a service gets a patch can touch at all: of its scope's endpoints the exchanges
 * that were learned from. An upper bound, for whatever may fit is counted. */
#include "common/propose/parts.h"

#include <string.h>

/* The next segment behind a '/'; false at the end. */
static bool next(struct guard_span *path, struct guard_span *segment)
{
    if (path->len == 0 || path->ptr[0] != '/')
        return false;
    const uint8_t *begin = path->ptr + 1;
    const uint8_t *slash = path->len > 1 ? memchr(begin, '/', path->len - 1) : NULL;
    size_t len = slash != NULL ? (size_t)(slash - begin) : path->len - 1;
    *segment = (struct guard_span){begin, len};
    *path = (struct guard_span){begin + len, path->len - 1 - len};
    return true;
}

static bool is_wildcard(struct guard_span segment)
{
    return segment.len >= 2 && segment.ptr[0] == '{' && segment.ptr[segment.len - 1] == '}';
}

static bool is_rest(struct guard_span segment)
{
    return segment.len == 3 && memcmp(segment.ptr, "{*}", 3) == 0;
}

/* Whether a path may be of both templates. */
static bool may_meet(struct guard_span a, struct guard_span b)
{
    struct guard_span one = {NULL, 0};
    struct guard_span other = {NULL, 0};
    for (;;) {
        bool more_a = next(&a, &one);
        bool more_b = next(&b, &other);
        if ((more_a && is_rest(one)) || (more_b && is_rest(other)))
            return true;
        if (!more_a || !more_b)
            return more_a == more_b;
        if (!is_wildcard(one) && !is_wildcard(other) &&
            (one.len != other.len || memcmp(one.ptr, other.ptr, one.len) != 0))
            return false;
    }
}

static bool of_method(const struct guard_patch *patch, struct guard_span method)
{
    for (uint32_t i = 0; i < patch->method_count; i++) {
        if (patch->methods[i].len == method.len &&
            memcmp(patch->methods[i].ptr, method.ptr, method.len) == 0)
            return true;
    }
    return patch->method_count == 0;
}

static bool in_scope(const struct guard_patch *patch, const struct guard_model_endpoint *endpoint)
{
    bool found = patch->endpoint_count == 0;
    for (uint32_t i = 0; i < patch->endpoint_count && !found; i++)
        found = may_meet(patch->endpoints[i], endpoint->template_text);
    return found && of_method(patch, endpoint->method);
}

void proposal_reach_of(const struct guard_patch *patch, const struct guard_model *model,
                       struct proposal_reach *out)
{
    *out = (struct proposal_reach){.known = model != NULL && model->exchanges > 0};
    if (!out->known)
        return;
    uint64_t elsewhere = model->exchanges;
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &model->endpoints[i];
        if (in_scope(patch, endpoint))
            continue;
        elsewhere -= endpoint->exchanges < elsewhere ? endpoint->exchanges : elsewhere;
    }
    /* What isn't of any endpoint may be anywhere. */
    out->exchanges = elsewhere;
    out->of = model->exchanges;
}
