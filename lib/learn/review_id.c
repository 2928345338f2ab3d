/* SPDX-License-Identifier: Apache-2.0 */
/* Names of things that people decide about: the same for the same thing everywhere and always. */
#include "base/span.h"

#include <guard/crypto.h>
#include <guard/review.h>

const char *guard_review_kind_name(enum guard_review_kind kind)
{
    static const char *const names[GUARD_REVIEW_KINDS] = {
        [GUARD_REVIEW_PATH] = "path",           [GUARD_REVIEW_METHOD] = "method",
        [GUARD_REVIEW_NAME] = "name",           [GUARD_REVIEW_CONTENT_TYPE] = "content-type",
        [GUARD_REVIEW_CHARACTER] = "character", [GUARD_REVIEW_PAIR] = "pair",
        [GUARD_REVIEW_TYPE] = "type",           [GUARD_REVIEW_LIKENESS] = "likeness",
        [GUARD_REVIEW_FAULT] = "fault",         [GUARD_REVIEW_LEAK] = "leak",
    };
    return (unsigned)kind < GUARD_REVIEW_KINDS ? names[kind] : "unknown";
}

const char *guard_review_decision_name(enum guard_review_decision decision)
{
    static const char *const names[] = {"waiting", "accept", "refuse"};
    return (unsigned)decision <= GUARD_REVIEW_REFUSED ? names[decision] : "unknown";
}

static void add_number(struct guard_digest_state *state, uint32_t number)
{
    uint8_t bytes[4] = {(uint8_t)number, (uint8_t)(number >> 8), (uint8_t)(number >> 16),
                        (uint8_t)(number >> 24)};
    guard_digest_update(state, gd_span(bytes, sizeof(bytes)));
}

/* With its length before it: no two lists of texts are the same bytes. */
static void add_text(struct guard_digest_state *state, struct guard_span text)
{
    add_number(state, (uint32_t)text.len);
    guard_digest_update(state, text);
}

void guard_review_id(char out[GUARD_REVIEW_ID_CHARS + 1], struct guard_span service,
                     const struct guard_review_element *element)
{
    static const char digits[] = "0123456789abcdef";
    struct guard_digest_state state;
    uint8_t digest[GUARD_DIGEST_BYTES];
    guard_digest_begin(&state);
    add_text(&state, service);
    add_number(&state, (uint32_t)element->kind);
    add_number(&state, element->status);
    add_text(&state, element->method);
    add_text(&state, element->template_text);
    add_number(&state, (uint32_t)element->location);
    add_text(&state, element->name);
    add_text(&state, element->text);
    add_number(&state, element->code);
    guard_digest_end(&state, digest);
    for (uint32_t i = 0; i < GUARD_REVIEW_ID_CHARS; i++)
        out[i] = digits[digest[i / 2] >> (i % 2 == 0 ? 4 : 0) & 15];
    out[GUARD_REVIEW_ID_CHARS] = '\0';
}
