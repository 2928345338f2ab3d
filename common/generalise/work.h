/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the generaliser share: memory, explanation, conditions being made. */
#ifndef GUARD_COMMON_GENERALISE_WORK_H
#define GUARD_COMMON_GENERALISE_WORK_H

#include "common/generalise/generalise.h"

struct work {
    struct generalised *out;
    const struct exploit *exploit;
    const struct generalise_known *known; /* never NULL */
    struct guard_arena *arena;
    bool failed; /* the arena was full: sticky */
};

/* NULL after failing. */
void *work_get(struct work *work, size_t size);
struct guard_span work_text(struct work *work, const char *format, ...) GUARD_PRINTF(2, 3);
/* A line of the explanation. */
void work_tell(struct work *work, uint32_t request, bool kept, const char *format, ...)
    GUARD_PRINTF(4, 5);

/* A text that grows to a maximum in the arena. */
struct growing {
    uint8_t *ptr;
    size_t len;
    size_t cap;
    bool over;
};
bool growing_begin(struct work *work, struct growing *text, size_t cap);
void growing_add(struct growing *text, struct guard_span bytes);
void growing_literal(struct growing *text, const char *bytes);
/* Byte for byte, as a regular expression that matches it. */
void growing_quoted(struct growing *text, uint8_t byte);
static inline struct guard_span growing_span(const struct growing *text)
{
    return (struct guard_span){text->ptr, text->len};
}

/* Conditions; NULL after failing. texts and children aren't copied. */
struct guard_patch_condition *condition_new(struct work *work, enum guard_patch_operator op,
                                            uint32_t place, struct guard_span name);
struct guard_patch_condition *condition_text(struct work *work, enum guard_patch_operator op,
                                             uint32_t place, struct guard_span name,
                                             struct guard_span text);
/* op ALL or ANY; of one: that itself; of none: NULL. */
struct guard_patch_condition *condition_group(struct work *work, enum guard_patch_operator op,
                                              const struct guard_patch_condition *const *of,
                                              uint32_t count);
/* With all in it. */
uint32_t condition_size(const struct guard_patch_condition *condition);
bool condition_equal(const struct guard_patch_condition *a, const struct guard_patch_condition *b);

static inline struct guard_span span_cut(struct guard_span span, size_t from, size_t to)
{
    return (struct guard_span){span.ptr != NULL ? span.ptr + from : NULL, to - from};
}
bool span_equal(struct guard_span a, struct guard_span b);
bool span_equal_nocase(struct guard_span a, struct guard_span b);
/* Where it is, or SIZE_MAX. Letters compare without case. */
size_t span_search(struct guard_span in, struct guard_span what);
static inline bool span_holds(struct guard_span in, const char *what)
{
    size_t len = 0;
    while (what[len] != '\0')
        len++;
    return span_search(in, (struct guard_span){(const uint8_t *)what, len}) != SIZE_MAX;
}
static inline bool byte_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}
static inline bool byte_is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}
static inline bool byte_is_blank(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

#endif
