/* SPDX-License-Identifier: Apache-2.0 */
/* What all parts of the import share: text that knows where each of its bytes stands, memory,
 * notes, and whether the rule at work is refused. The first failure stays, and what is asked
 * afterwards does nothing. */
#ifndef GUARD_COMMON_SECRULE_BUILDER_H
#define GUARD_COMMON_SECRULE_BUILDER_H

#include "common/secrule/secrule.h"

/* Bytes of a directive, whose lines are joined and quotes taken off: at[i] is where byte i stands
 * in the file. at has one entry more than there are bytes. */
struct secrule_text {
    const uint8_t *ptr;
    const uint32_t *at;
    size_t len;
};

struct secrule_builder {
    struct secrule_import *import;
    const struct secrule_cfg *cfg;
    const char *name;
    struct guard_span bytes;
    uint32_t *lines; /* where each line begins */
    uint32_t line_count;
    enum guard_rc rc;
    struct guard_err *err;
    /* of the rule at work */
    struct guard_span rule;
    bool refused;
    enum secrule_cause refused_for;
    uint32_t note_count;
};

static inline bool builder_good(const struct secrule_builder *builder)
{
    return builder->rc == GUARD_OK;
}
/* Fails once, with the place of the byte in front. Returns false. */
bool secrule_fail(struct secrule_builder *builder, uint32_t at, enum guard_rc rc,
                  const char *format, ...) GUARD_PRINTF(4, 5);
/* From the import's arena, 16-byte aligned; NULL after failing. */
void *secrule_get(struct secrule_builder *builder, size_t size);
struct guard_span secrule_copy(struct secrule_builder *builder, struct guard_span text);
struct guard_span secrule_format(struct secrule_builder *builder, const char *format, ...)
    GUARD_PRINTF(2, 3);

void secrule_note(struct secrule_builder *builder, uint32_t at, enum secrule_kind kind,
                  enum secrule_cause cause, const char *format, ...) GUARD_PRINTF(5, 6);
/* A note that refuses the rule at work. Returns false. */
bool secrule_refuse(struct secrule_builder *builder, uint32_t at, enum secrule_cause cause,
                    const char *format, ...) GUARD_PRINTF(4, 5);
/* Refuses the rule when nothing wider is wanted, else notes it. True in the second case. */
bool secrule_wider(struct secrule_builder *builder, uint32_t at, enum secrule_cause cause,
                   const char *format, ...) GUARD_PRINTF(4, 5);
void secrule_place(const struct secrule_builder *builder, uint32_t at, uint32_t *line,
                   uint32_t *column);

/* Bytes from..from+len, which lie in it. */
static inline struct secrule_text secrule_part(struct secrule_text text, size_t from, size_t len)
{
    return (struct secrule_text){text.ptr + from, text.at + from, len};
}
static inline struct guard_span secrule_span(struct secrule_text text)
{
    return (struct guard_span){text.ptr, text.len};
}
struct secrule_text secrule_trimmed(struct secrule_text text);
bool secrule_is(struct guard_span text, const char *word); /* ASCII case doesn't matter */
bool secrule_begins(struct guard_span text, const char *word);
static inline bool secrule_is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}
static inline bool secrule_is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}
static inline bool secrule_is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}
/* A number of decimal digits, at most max; false for anything else. */
bool secrule_number(struct guard_span text, uint64_t max, uint64_t *out);

#endif
