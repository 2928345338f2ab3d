/* SPDX-License-Identifier: Apache-2.0 */
/* A regular expression's atoms, one after the other: enough of its syntax to tell whether a rule's
 * expression can be one of a patch, and to rewrite it. */
#ifndef GUARD_COMMON_SECRULE_ATOMS_H
#define GUARD_COMMON_SECRULE_ATOMS_H

#include "common/secrule/builder.h"

enum secrule_atom_kind {
    SECRULE_ATOM_SET,   /* any of some bytes: a literal, a class, a set, the dot */
    SECRULE_ATOM_BEGIN, /* ^ */
    SECRULE_ATOM_END,   /* $ */
    SECRULE_ATOM_BOUNDARY,
    SECRULE_ATOM_OPEN,
    SECRULE_ATOM_CLOSE,
    SECRULE_ATOM_BAR,
};

struct secrule_bytes {
    uint64_t bits[4];
};

struct secrule_atom {
    enum secrule_atom_kind kind;
    size_t begin;
    size_t end;                 /* without quantifier */
    size_t next;                /* behind it */
    struct secrule_bytes bytes; /* of SET: those that it matches (case as written) */
    struct secrule_bytes inner; /* those named: of [^ab] a and b */
    bool looks_ahead;           /* of OPEN */
    uint32_t min;               /* of the quantifier; 1 without */
    uint32_t max;               /* UINT32_MAX: no end */
};

struct secrule_walk {
    struct guard_span text;
    size_t at;
    uint32_t depth;
    const char *wrong; /* a static text, at `at` */
};

/* False at the end, or when something is wrong. */
bool secrule_atom_next(struct secrule_walk *walk, struct secrule_atom *atom);

static inline bool secrule_bytes_has(const struct secrule_bytes *set, uint8_t byte)
{
    return (set->bits[byte >> 6] >> (byte & 63) & 1) != 0;
}
static inline void secrule_bytes_add(struct secrule_bytes *set, unsigned from, unsigned to)
{
    for (unsigned byte = from; byte <= to && byte < 256; byte++)
        set->bits[byte >> 6] |= (uint64_t)1 << (byte & 63);
}
/* Whether it matches a blank, a tab, or a line's end. */
bool secrule_bytes_space(const struct secrule_bytes *set);

#endif
