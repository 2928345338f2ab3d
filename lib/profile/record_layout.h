/* SPDX-License-Identifier: Apache-2.0 */
/* The bits of a record, shared by its writer and its reader. docs/internals/record.md says what
 * they mean. */
#ifndef GD_PROFILE_RECORD_LAYOUT_H
#define GD_PROFILE_RECORD_LAYOUT_H

#include "base/wire.h"
#include "profile/record.h"
#include "profile/transition.h"

enum { GD_RECORD_MAGIC = 0x47 };

/* The byte `flags` of the head. */
enum {
    GD_RECORD_CUT = 1,      /* profile.cut */
    GD_RECORD_DROPPED = 2,  /* fields were left out: GUARD_FAULT_RECORD */
    GD_RECORD_RESPONSE = 4, /* a response stands behind the request */
    GD_RECORD_OUTBOUND = 8,
    GD_RECORD_UNSEEN = 16,
    GD_RECORD_FLAGS = 31,
};

/* Beside the number in the byte `decision`; NOVEL from version 6 on. */
enum { GD_RECORD_NOVEL = 4, GD_RECORD_EXCEPTED = 8 };

/* Behind the fields of a message, from version 5 on: how many of them read like something, and of
 * each its index as far as it lies behind the one before, its classes and its construct. */
enum {
    GD_RECORD_READINGS = 32,
    GD_RECORD_READINGS_ROOM = 1 + GD_RECORD_READINGS * (2 + 2 + 1),
};

/* Room that a request's fields leave to its response. */
enum { GD_RECORD_RESPONSE_ROOM = 4096 };

/* First byte of a field: location in the low four bits. */
enum {
    GD_FIELD_LOCATION = 0x0f,
    GD_FIELD_TYPES = 0x30,       /* one of: */
    GD_FIELD_TYPE_ONE = 0x00,    /* a byte with the number of the only type */
    GD_FIELD_TYPE_STRING = 0x10, /* the same, and STRING */
    GD_FIELD_TYPE_MANY = 0x20,   /* three bytes of mask */
    GD_FIELD_LITERAL = 0x40,     /* eight bytes at the end */
    GD_FIELD_PLAIN = 0x80,       /* one value, no items: only a length */
};

/* In the byte with the number of the only type. */
enum { GD_TYPE_IDENTITY = 0x80 }; /* two bytes of the hash of an identity at the end */

/* Second byte. */
enum {
    GD_FIELD_PARENT = 0x03, /* one of: */
    GD_FIELD_PARENT_NONE = 0x00,
    GD_FIELD_PARENT_SAME = 0x01,  /* as the field before */
    GD_FIELD_PARENT_LAST = 0x02,  /* the field before */
    GD_FIELD_PARENT_FAR = 0x03,   /* varint: how many fields before this one */
    GD_FIELD_CLASSES = 0x0c,      /* one of: */
    GD_FIELD_CLASSES_NONE = 0x00, /* those of the transitions, which may be none */
    GD_FIELD_CLASSES_ONE = 0x04,  /* a byte with the number */
    GD_FIELD_CLASSES_MANY = 0x08, /* six bytes of mask */
    GD_FIELD_DIGITS = 0x10,
    GD_FIELD_SPECIALS = 0x20,
    GD_FIELD_TRANSITIONS = 0x40,
    GD_FIELD_SEGMENT = 0x80, /* the name is "seg" and the number of PATH fields before */
};

enum {
    /* Bytes: two of flags, name, parent, types, classes, count, two lengths, items, full, digits,
       specials, transitions of both kinds, literal. */
    GD_FIELD_BYTES_MAX =
        2 + 1 + GD_NAME_MAX + 5 + 3 + 6 + 4 * 5 + 1 + 10 + 9 + 2 + GD_TRANSITIONS_MAX * 3 / 2 + 8,
    GD_FIELD_BYTES_MIN = 4,
};

/* The byte before transitions: how many bytes of frequent ones follow, up to 7, and: */
enum { GD_TRANSITIONS_RARE = 8 };

/* Without the zeros at its end. */
static inline uint32_t gd_frequent_bytes(uint64_t frequent)
{
    return frequent == 0 ? 0 : (71 - (uint32_t)__builtin_clzll(frequent)) / 8;
}

/* The byte `flags` of a response. */
enum { GD_RESPONSE_FLAGS = GD_RECORD_CUT | GD_RECORD_DROPPED };

/* Reads the head; the reader then stands behind it. */
GUARD_MUST_USE enum guard_rc gd_record_head(struct gd_reader *reader, uint8_t *flags,
                                            struct guard_record_head *out);

/* The classes that a set of transitions names. */
static inline uint64_t gd_record_classes(const struct gd_summary *summary)
{
    uint64_t classes = gd_frequent_classes(summary->frequent);
    for (uint32_t i = 0; i < summary->transition_count; i++)
        classes |= UINT64_C(1) << (summary->transitions[i] >> 6) |
                   UINT64_C(1) << (summary->transitions[i] & 63);
    return classes;
}

#endif
