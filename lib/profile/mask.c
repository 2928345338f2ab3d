/* SPDX-License-Identifier: Apache-2.0 */
/* What of a value may be shown to people: its shape, and nothing but length and classes of what
 * looks secret. */
#include "profile/scan.h"

static char mask_of(uint8_t byte)
{
    if (byte >= 'a' && byte <= 'z')
        return 'a';
    if (byte >= 'A' && byte <= 'Z')
        return 'A';
    if (byte >= '0' && byte <= '9')
        return '0';
    return byte < 0x20 || byte >= 0x7f ? '.' : (char)byte;
}

size_t gd_mask(struct guard_span value, char *out, size_t cap)
{
    size_t len = 0;
    const uint8_t *at = value.ptr;
    const uint8_t *end = value.len == 0 ? at : at + value.len;
    while (at < end && len < cap) {
        if (*at < 0x80) {
            out[len++] = mask_of(*at++);
            continue;
        }
        uint32_t code = 0;
        int used = gd_sequence(at, end, &code);
        enum guard_class cls = used > 0 ? gd_class_of_code(code) : GUARD_CLASS_CONTROL;
        if (cls == GUARD_CLASS_SYMBOL || cls == GUARD_CLASS_EMOJI) {
            /* Whole or not at all: half of a character is invalid. */
            if (cap - len < (size_t)used)
                return len;
            memcpy(out + len, at, (size_t)used);
            len += (size_t)used;
        } else {
            out[len++] = cls == GUARD_CLASS_CONTROL ? '.' : 'a';
        }
        at += used > 0 ? used : 1;
    }
    return len;
}

/* Anywhere in a name, without case. Longest names first doesn't matter: one hit is enough. */
static const char *const secret_parts[] = {
    "password",  "passwd",    "passwort", "passphrase", "passcode", "secret",
    "token",     "authoriz",  "authent",  "cookie",     "session",  "sessid",
    "apikey",    "api-key",   "api_key",  "credential", "privatek", "private_",
    "private-k", "signature", "csrfmid",  "esskey",     "ess_key",  "ess-key",
};

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static bool same(const uint8_t *at, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(at[i]) != (uint8_t)text[i])
            return false;
    }
    return true;
}

static bool holds_part(struct guard_span name, const char *part)
{
    size_t len = strlen(part);
    for (size_t i = 0; i + len <= name.len; i++) {
        if (same(name.ptr + i, part, len))
            return true;
    }
    return false;
}

/* Most names hold nothing secret and must pass quickly: every second group of four letters is
 * looked up in a filter of those that begin the parts above, at their first and at their second
 * letter. */
enum { GRAM = 4, FILTER_BITS = 11, FILTER_WORDS = (1 << FILTER_BITS) / 64 };

#define GRAM_OF(a, b, c, d)                                                                        \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define FILTER_SLOT(gram) ((((gram) | 0x20202020u) * 0x9e3779b1u) >> (32 - FILTER_BITS))
#define IN_WORD(word, a, b, c, d)                                                                  \
    (FILTER_SLOT(GRAM_OF(a, b, c, d)) / 64 == (word)                                               \
         ? UINT64_C(1) << (FILTER_SLOT(GRAM_OF(a, b, c, d)) % 64)                                  \
         : 0)
#define FILTER_WORD(w)                                                                             \
    (IN_WORD(w, 'p', 'a', 's', 's') | IN_WORD(w, 'a', 's', 's', 'w') |                             \
     IN_WORD(w, 'a', 's', 's', 'p') | IN_WORD(w, 'a', 's', 's', 'c') |                             \
     IN_WORD(w, 's', 'e', 'c', 'r') | IN_WORD(w, 'e', 'c', 'r', 'e') |                             \
     IN_WORD(w, 't', 'o', 'k', 'e') | IN_WORD(w, 'o', 'k', 'e', 'n') |                             \
     IN_WORD(w, 'a', 'u', 't', 'h') | IN_WORD(w, 'u', 't', 'h', 'o') |                             \
     IN_WORD(w, 'u', 't', 'h', 'e') | IN_WORD(w, 'c', 'o', 'o', 'k') |                             \
     IN_WORD(w, 'o', 'o', 'k', 'i') | IN_WORD(w, 's', 'e', 's', 's') |                             \
     IN_WORD(w, 'e', 's', 's', 'i') | IN_WORD(w, 'a', 'p', 'i', 'k') |                             \
     IN_WORD(w, 'p', 'i', 'k', 'e') | IN_WORD(w, 'a', 'p', 'i', '-') |                             \
     IN_WORD(w, 'p', 'i', '-', 'k') | IN_WORD(w, 'a', 'p', 'i', '_') |                             \
     IN_WORD(w, 'p', 'i', '_', 'k') | IN_WORD(w, 'c', 'r', 'e', 'd') |                             \
     IN_WORD(w, 'r', 'e', 'd', 'e') | IN_WORD(w, 'p', 'r', 'i', 'v') |                             \
     IN_WORD(w, 'r', 'i', 'v', 'a') | IN_WORD(w, 's', 'i', 'g', 'n') |                             \
     IN_WORD(w, 'i', 'g', 'n', 'a') | IN_WORD(w, 'c', 's', 'r', 'f') |                             \
     IN_WORD(w, 's', 'r', 'f', 'm') | IN_WORD(w, 'e', 's', 's', 'k') |                             \
     IN_WORD(w, 's', 's', 'k', 'e') | IN_WORD(w, 'e', 's', 's', '_') |                             \
     IN_WORD(w, 's', 's', '_', 'k') | IN_WORD(w, 'e', 's', 's', '-') |                             \
     IN_WORD(w, 's', 's', '-', 'k'))
#define FILTER_WORDS4(w)                                                                           \
    FILTER_WORD(w), FILTER_WORD((w) + 1), FILTER_WORD((w) + 2), FILTER_WORD((w) + 3)
static const uint64_t filter[FILTER_WORDS] = {
    FILTER_WORDS4(0),  FILTER_WORDS4(4),  FILTER_WORDS4(8),  FILTER_WORDS4(12),
    FILTER_WORDS4(16), FILTER_WORDS4(20), FILTER_WORDS4(24), FILTER_WORDS4(28),
};

/* Apart, so that those that the filter sorts out save no registers for it. */
static __attribute__((noinline)) bool holds_any_part(struct guard_span name)
{
    for (size_t i = 0; i < sizeof(secret_parts) / sizeof(secret_parts[0]); i++) {
        if (holds_part(name, secret_parts[i]))
            return true;
    }
    return false;
}

/* Names too short to be looked for inside of others. */
static bool is_short_secret(struct guard_span name)
{
    if (name.len < 3)
        return false;
    switch (GRAM_OF(name.ptr[0], name.ptr[1], name.ptr[2], name.len == 4 ? name.ptr[3] : 0) |
            0x20202020u) {
    case GRAM_OF('p', 'w', 'd', ' '):
    case GRAM_OF('p', 'i', 'n', ' '):
    case GRAM_OF('o', 't', 'p', ' '):
    case GRAM_OF('c', 'v', 'v', ' '):
    case GRAM_OF('c', 'v', 'c', ' '):
    case GRAM_OF('s', 's', 'n', ' '):
    case GRAM_OF('s', 'i', 'd', ' '):
    case GRAM_OF('k', 'e', 'y', ' '):
    case GRAM_OF('p', 'a', 's', 's'):
    case GRAM_OF('a', 'u', 't', 'h'):
    case GRAM_OF('c', 's', 'r', 'f'):
    case GRAM_OF('x', 's', 'r', 'f'):
        return true;
    default:
        return false;
    }
}

bool gd_is_secret_name(struct guard_span name)
{
    if (name.len <= GRAM)
        return is_short_secret(name);
    for (size_t i = 0; i + GRAM <= name.len; i += 2) {
        const uint8_t *at = name.ptr + i;
        uint32_t slot = FILTER_SLOT(GRAM_OF(at[0], at[1], at[2], at[3]));
        if (filter[slot / 64] >> (slot % 64) & 1)
            return holds_any_part(name);
    }
    return false;
}

bool gd_is_secret(struct guard_span name, struct guard_span value)
{
    enum { HEX_SECRET = 32, BASE64_SECRET = 20 };
    if (gd_is_secret_name(name))
        return true;
    if (value.len < BASE64_SECRET)
        return false;
    struct gd_summary summary;
    struct gd_scan scan;
    gd_summary_init(&summary);
    struct guard_arena none = {.limit = 0};
    gd_scan_begin(&scan, &summary, &none);
    (void)gd_scan_bytes(&scan, value);
    enum guard_type type = gd_type_of(value, scan.classes);
    return type == GUARD_TYPE_JWT || type == GUARD_TYPE_BASE64 ||
           (type == GUARD_TYPE_HEX && value.len >= HEX_SECRET);
}
