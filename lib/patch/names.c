/* SPDX-License-Identifier: Apache-2.0 */
/* How operators and places are spelled in documents, and how patterns are told apart. */
#include <guard/crypto.h>
#include <guard/patch.h>

#include <string.h>

static const char *const operator_names[GUARD_OPERATORS] = {
    [GUARD_OPERATOR_ALL] = "all",
    [GUARD_OPERATOR_ANY] = "any",
    [GUARD_OPERATOR_NOT] = "not",
    [GUARD_OPERATOR_PRESENT] = "present",
    [GUARD_OPERATOR_CONTAINS] = "contains",
    [GUARD_OPERATOR_EQUALS] = "equals",
    [GUARD_OPERATOR_BEGINS] = "begins",
    [GUARD_OPERATOR_ENDS] = "ends",
    [GUARD_OPERATOR_REGEX] = "regex",
    [GUARD_OPERATOR_TYPE] = "type",
    [GUARD_OPERATOR_LENGTH] = "length",
    [GUARD_OPERATOR_COUNT] = "count",
    [GUARD_OPERATOR_RANGE] = "range",
    [GUARD_OPERATOR_CHARSET] = "charset",
    [GUARD_OPERATOR_TRAVERSAL] = "traversal",
    [GUARD_OPERATOR_LIKENESS] = "likeness",
};

static const char *const place_names[] = {
    "method", "path",      "target", "query", "header",  "cookie", "form",
    "json",   "multipart", "file",   "body",  "graphql", "status",
};

const char *guard_operator_name(enum guard_patch_operator op)
{
    return (unsigned)op < GUARD_OPERATORS ? operator_names[op] : NULL;
}

const char *guard_place_name(uint32_t place)
{
    for (uint32_t i = 0; i < sizeof(place_names) / sizeof(place_names[0]); i++) {
        if (place == 1u << i)
            return place_names[i];
    }
    return NULL;
}

uint64_t guard_pattern_id(struct guard_span text, bool regex, bool ignore_case)
{
    struct guard_digest_state state;
    uint8_t digest[GUARD_DIGEST_BYTES];
    const uint8_t kind = (uint8_t)(regex | ignore_case << 1);
    guard_digest_begin(&state);
    guard_digest_update(&state, (struct guard_span){&kind, 1});
    guard_digest_update(&state, text);
    guard_digest_end(&state, digest);
    uint64_t id = 0;
    for (int i = 7; i >= 0; i--)
        id = id << 8 | digest[i];
    return id == 0 ? 1 : id;
}
