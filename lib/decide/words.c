/* SPDX-License-Identifier: Apache-2.0 */
/* Names of decisions, modes and rules, and which characters syntax is made of. */
#include "decide/decide.h"

#define CLASS(byte_class) (UINT64_C(1) << (byte_class))
/* The 32 ASCII punctuation characters without + - . / : ? @ _ , in the order of their codes. */
#define PUNCTUATION UINT64_C(0xfbcf0bff)

const uint64_t gd_syntax_classes =
    CLASS(GUARD_CLASS_BREAK) | CLASS(GUARD_CLASS_CONTROL) | PUNCTUATION << GUARD_CLASS_PUNCTUATION;

static const char *const rule_names[GUARD_RULE_COUNT] = {
    [GUARD_RULE_PATH] = "path",
    [GUARD_RULE_METHOD] = "method",
    [GUARD_RULE_CONTENT_TYPE] = "content-type",
    [GUARD_RULE_NAME] = "name",
    [GUARD_RULE_MISSING] = "missing",
    [GUARD_RULE_CHARACTER] = "character",
    [GUARD_RULE_ALPHABET] = "alphabet",
    [GUARD_RULE_TRANSITION] = "transition",
    [GUARD_RULE_TRANSITIONS] = "transitions",
    [GUARD_RULE_TYPE] = "type",
    [GUARD_RULE_LENGTH] = "length",
    [GUARD_RULE_LENGTH_FAR] = "length-far",
    [GUARD_RULE_SHORT] = "short",
    [GUARD_RULE_DIGITS] = "digits",
    [GUARD_RULE_SPECIALS] = "specials",
    [GUARD_RULE_LITERAL] = "literal",
    [GUARD_RULE_ITEMS] = "items",
    [GUARD_RULE_DEPTH] = "depth",
    [GUARD_RULE_FAULT] = "fault",
    [GUARD_RULE_SIZE] = "size",
    [GUARD_RULE_CLIENT] = "client",
    [GUARD_RULE_STATUS] = "status",
    [GUARD_RULE_LATENCY] = "latency",
    [GUARD_RULE_LEAK] = "leak",
    [GUARD_RULE_DESTINATION] = "destination",
    [GUARD_RULE_ITEMS_FAR] = "items-far",
    [GUARD_RULE_SIZE_FAR] = "size-far",
    [GUARD_RULE_LIKENESS] = "likeness",
};

static const char *const client_names[] = {
    "client-rate", "client-errors",   "client-bytes",    "client-paths",   "client-sequence",
    "client-ids",  "client-failures", "client-subjects", "client-verdict", "client-manual"};

const char *guard_rule_name(enum guard_rule rule)
{
    if (rule >= GUARD_RULE_CLIENT_RATE && rule <= GUARD_RULE_CLIENT_MANUAL)
        return client_names[rule - GUARD_RULE_CLIENT_RATE];
    if (rule == GUARD_RULE_PATCH)
        return "patch";
    if (rule == GUARD_RULE_PATCH_UNSEEN)
        return "patch-unseen";
    return (unsigned)rule < GUARD_RULE_COUNT ? rule_names[rule] : "unknown";
}

bool guard_rule_from_name(struct guard_span name, enum guard_rule *rule)
{
    for (int i = 0; i <= GUARD_RULE_PATCH_UNSEEN; i++) {
        const char *known = guard_rule_name((enum guard_rule)i);
        if (name.len == strlen(known) && memcmp(name.ptr, known, name.len) == 0 &&
            strcmp(known, "unknown") != 0) {
            *rule = (enum guard_rule)i;
            return true;
        }
    }
    return false;
}

const char *guard_part_name(enum guard_part part)
{
    static const char *const names[] = {"request", "response", "client", "outbound"};
    return (unsigned)part <= GUARD_PART_OUTBOUND ? names[part] : "unknown";
}

const char *guard_decision_name(enum guard_decision decision)
{
    static const char *const names[] = {"pass", "alert", "block"};
    return (unsigned)decision <= GUARD_BLOCK ? names[decision] : "unknown";
}

const char *guard_mode_name(enum guard_mode mode)
{
    static const char *const names[] = {"observe", "alert", "block"};
    return (unsigned)mode <= GUARD_MODE_BLOCK ? names[mode] : "unknown";
}

bool guard_mode_from_name(struct guard_span name, enum guard_mode *mode)
{
    for (int i = GUARD_MODE_OBSERVE; i <= GUARD_MODE_BLOCK; i++) {
        const char *known = guard_mode_name((enum guard_mode)i);
        if (name.len == strlen(known) && memcmp(name.ptr, known, name.len) == 0) {
            *mode = (enum guard_mode)i;
            return true;
        }
    }
    return false;
}

bool guard_class_is_syntax(enum guard_class cls)
{
    return (unsigned)cls < GUARD_CLASS_COUNT && (gd_syntax_classes >> (unsigned)cls & 1) != 0;
}
