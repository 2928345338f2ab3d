/* SPDX-License-Identifier: Apache-2.0 */
/* What one value brings into the summary of its name: inlined into the paths of JSON and pairs. */
#ifndef GD_PROFILE_FEATURES_H
#define GD_PROFILE_FEATURES_H

#include "base/hash.h"
#include "profile/summary.h"

struct gd_features {
    uint64_t classes;
    uint64_t frequent; /* transitions; the rare ones are in the summary already */
    uint32_t digits;
    uint32_t specials;
    uint32_t len;
    enum guard_type type;
};

/* Compilers that fill automatic variables with zeros would do so before each value. */
#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define GD_UNINITIALIZED __attribute__((uninitialized))
#endif
#endif
#ifndef GD_UNINITIALIZED
#define GD_UNINITIALIZED
#endif

/* Can a value of this type be one of a closed set? Numbers of more than a few digits are measures
 * and identities, no enumerations; other identities and secrets can't either. */
static inline bool gd_is_literal(enum guard_type type, size_t len)
{
    enum { NUMBER_MAX = 4, HEX_MAX = 15 };
    const uint32_t never = 1u << GUARD_TYPE_UUID | 1u << GUARD_TYPE_DATE | 1u << GUARD_TYPE_EMAIL |
                           1u << GUARD_TYPE_JWT | 1u << GUARD_TYPE_BASE64 | 1u << GUARD_TYPE_BYTES;
    if (len > GD_LITERAL_MAX || (never & 1u << type))
        return false;
    if (type == GUARD_TYPE_INT || type == GUARD_TYPE_DECIMAL)
        return len <= NUMBER_MAX;
    return type != GUARD_TYPE_HEX || len <= HEX_MAX;
}

/* Does a value of this type, which is no literal, name one of many? */
static inline bool gd_is_identity(enum guard_type type, size_t len)
{
    enum { IDENTITY_MAX = 48 }; /* bytes: what is known of longer values may be their head */
    const uint32_t kinds = 1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_UUID | 1u << GUARD_TYPE_EMAIL |
                           1u << GUARD_TYPE_HEX;
    return len <= IDENTITY_MAX && (kinds & 1u << type) != 0;
}

/* To be called when the summary has one literal or identity. */
static inline void gd_summary_literal(struct gd_summary *summary, struct guard_span value,
                                      const struct gd_features *features)
{
    bool literal = gd_is_literal(features->type, features->len);
    bool identity = !literal && gd_is_identity(features->type, features->len);
    bool before = summary->literal_known;
    summary->literal_known = false;
    summary->identity_known = false;
    if (!literal && !identity)
        return;
    uint64_t hash = gd_hash_fast(0, value);
    bool same = summary->literal == hash && before == literal;
    summary->literal_known = same && literal;
    summary->identity_known = same && identity;
    summary->literal = hash;
}

/* value: the text, or the head of one that is longer than any literal. string: it came as a JSON
 * string. */
static inline void gd_summary_merge(struct gd_summary *summary, const struct gd_features *features,
                                    struct guard_span value, bool string)
{
    uint32_t types = 1u << features->type | (uint32_t)string << GUARD_TYPE_STRING;
    summary->frequent |= features->frequent;
    summary->classes |= features->classes;
    if (summary->count == 0) {
        /* Of most names there is one value: nothing is to be compared. */
        summary->types = types;
        summary->length_min = summary->length_max = features->len;
        summary->digits_max = features->digits;
        summary->specials_max = features->specials;
        summary->count = 1;
        summary->literal_known = gd_is_literal(features->type, features->len);
        summary->identity_known =
            !summary->literal_known && gd_is_identity(features->type, features->len);
        if (summary->literal_known || summary->identity_known)
            summary->literal = gd_hash_fast(0, value);
        return;
    }
    if (summary->literal_known || summary->identity_known)
        gd_summary_literal(summary, value, features);
    if (features->len < summary->length_min || (summary->types & ~GD_TYPES_WITHOUT_TEXT) == 0)
        summary->length_min = features->len;
    if (features->len > summary->length_max)
        summary->length_max = features->len;
    if (features->digits > summary->digits_max)
        summary->digits_max = features->digits;
    if (features->specials > summary->specials_max)
        summary->specials_max = features->specials;
    summary->types |= types;
    summary->count++;
}

/* Adds a value that has no text. type: the bit of NULL, OBJECT or ARRAY. */
static inline void gd_summary_add_bare(struct gd_summary *summary, uint32_t type)
{
    summary->types |= type;
    summary->count++;
    summary->literal_known = false;
    summary->identity_known = false;
}

/* Will the summary have more classes or transitions with this value? (The rare transitions aside.)
 */
static inline bool gd_features_are_new(const struct gd_features *features,
                                       const struct gd_summary *summary)
{
    return ((features->classes & ~summary->classes) | (features->frequent & ~summary->frequent)) !=
           0;
}

#endif
