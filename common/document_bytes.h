/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that may be any bytes, as quoted scalars of YAML: there "\xNN" is a character, and a
 * document of patches means the byte. The parser has decoded both into one; the source tells them
 * apart. */
#ifndef GUARD_COMMON_DOCUMENT_BYTES_H
#define GUARD_COMMON_DOCUMENT_BYTES_H

#include <guard/types.h>

/* How far the source was walked; scalars come in its order. */
struct document_cursor {
    struct guard_span source; /* valid UTF-8 */
    size_t byte;
    size_t character;
};

/* The double-quoted scalar that stands from character begin to end, with its quotes, and was
 * decoded to text: *out is the same with each "\xNN" as one byte, in the arena, or text itself
 * where that makes no difference. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc document_bytes(struct document_cursor *cursor, size_t begin,
                                            size_t end, struct guard_span text,
                                            struct guard_arena *arena, struct guard_span *out);

#endif
