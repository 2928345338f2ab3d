/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of a pile: what the encoder and the decoder share. docs/internals/pile.md is the
 * specification. */
#ifndef GD_LEARN_PILE_FORMAT_H
#define GD_LEARN_PILE_FORMAT_H

enum {
    GD_PILE_VERSION = 5,          /* with when named cells were first seen, */
    GD_PILE_VERSION_LIKENESS = 4, /* without, with GD_KIND_LIKENESS or GD_STATUS_ATTACK_LIKE, */
    GD_PILE_VERSION_MISTYPED = 3, /* with GD_STATUS_MISTYPED, but without those, */
    GD_PILE_VERSION_PLAIN = 2,    /* with neither: as before there were such cells */
    GD_PILE_MAGIC_LEN = 4,
    GD_PILE_OVERFLOWED = 1, /* flags of the pile */
    GD_PILE_CUT = 2,
    GD_PILE_BOUNDED = 4,
    GD_PILE_KIND = 0x1f, /* first byte of a cell */
    GD_PILE_TRUSTED = 0x20,
    GD_PILE_DROPPED = 0x40,
    GD_PILE_CHILDREN = 0x80,
};

#define GD_PILE_MAGIC "GPIL"

#endif
