/* SPDX-License-Identifier: Apache-2.0 */
/* The features of a value, and of all values that one name had in an exchange: classes of
 * characters, their neighbourhoods, type, length, counts, a keyed hash of short values. No text of
 * the value is kept. */
#ifndef GD_PROFILE_SUMMARY_H
#define GD_PROFILE_SUMMARY_H

#include "base/span.h"

#include <guard/traffic.h>

enum {
    GD_TRANSITIONS_INLINE = 6,
    GD_TRANSITIONS_MAX = 256, /* distinct per name and exchange; more set transitions_full */
    GD_LITERAL_MAX = 32,      /* longer values have no literal hash */
};

/* Types of values that have no text: lengths, counts and classes say nothing of them. */
#define GD_TYPES_WITHOUT_TEXT                                                                      \
    (1u << GUARD_TYPE_NULL | 1u << GUARD_TYPE_OBJECT | 1u << GUARD_TYPE_ARRAY)

struct gd_summary {
    uint64_t classes;    /* bit per enum guard_class */
    uint32_t types;      /* bit per enum guard_type */
    uint32_t length_min; /* bytes, after decoding; of values with text, 0 when there was none */
    uint32_t length_max;
    uint32_t digits_max;
    uint32_t specials_max; /* ASCII punctuation */
    uint32_t items_max;    /* members or elements of a JSON object or array */
    uint32_t count;        /* values summed up here */
    uint16_t transition_count;
    uint16_t transition_cap;
    bool transitions_full;
    bool literal_known; /* exactly one distinct value, short enough: literal is its hash */
    /* Exactly one, and it names somebody or something: of its hash only the low 16 bits leave the
     * process, enough to count how many different ones a client asks for. */
    bool identity_known;
    uint8_t construct;   /* enum guard_construct: the strongest that a value reads like */
    uint16_t likeness;   /* bit per enum guard_likeness: what values read like, as far as asked */
    uint16_t memo_place; /* where the memo keeps this header, plus one; 0: nowhere */
    uint64_t literal; /* gd_hash_fast(0, value); stays in ring and process: piles and policies hash
                         it again, keyed */
    /* Transitions between frequent classes: bits of transition.h. */
    uint64_t frequent;
    /* The other ones (from << 6 | to), distinct, in order of first sight; points to
     * inline_transitions first. Runs of one class of blanks, controls or punctuation are a
     * transition to itself ("--" and ".." are neighbourhoods, "aa" is none). */
    uint16_t *transitions;
    uint16_t inline_transitions[GD_TRANSITIONS_INLINE];
    uint32_t memo_stamp; /* of memo_place then */
};
/* Fields are many: of each byte here 4,096 may be held in one exchange's arena. */
_Static_assert(sizeof(struct gd_summary) == 88, "layout");

static inline void gd_summary_init(struct gd_summary *summary)
{
    summary->classes = 0;
    summary->types = 0;
    summary->length_min = 0;
    summary->length_max = 0;
    summary->digits_max = 0;
    summary->specials_max = 0;
    summary->items_max = 0;
    summary->count = 0;
    summary->transition_count = 0;
    summary->transition_cap = GD_TRANSITIONS_INLINE;
    summary->transitions_full = false;
    summary->literal_known = false;
    summary->identity_known = false;
    summary->construct = 0;
    summary->likeness = 0;
    summary->memo_place = 0;
    summary->memo_stamp = 0;
    summary->literal = 0;
    summary->transitions = summary->inline_transitions;
    summary->frequent = 0;
}
/* Adds one decoded value. json: 0 for plain text, else the bit of GUARD_TYPE_STRING, _NULL, _BOOL,
 * _INT... already known (a JSON number is INT or DECIMAL by its text). Uses the arena only when
 * transitions outgrow the inline room; when the arena is full transitions_full is set. Values that
 * aren't valid UTF-8 have all their high bytes in class INVALID. */
void gd_summary_add(struct gd_summary *summary, struct guard_span value, uint32_t json,
                    struct guard_arena *arena);
/* To be called when a summary has been copied elsewhere: its pointer may point into the old place.
 */
static inline void gd_summary_moved(struct gd_summary *summary, const struct gd_summary *from)
{
    if (summary->transitions == from->inline_transitions)
        summary->transitions = summary->inline_transitions;
}

/* A long value that comes in pieces (text bodies, files): only its head decides the type, and each
 * broken UTF-8 sequence alone is INVALID. The result doesn't depend on where the pieces end. */
struct gd_stream; /* lives in the arena */
/* NULL when the arena is full. A stream can be begun again after its end. */
struct gd_stream *gd_stream_new(struct guard_arena *arena);
void gd_stream_begin(struct gd_stream *stream, struct gd_summary *summary,
                     struct guard_arena *arena);
void gd_stream_add(struct gd_stream *stream, struct guard_span piece);
/* Adds the value to the summary. The head (some 48 bytes or more) lives in the stream until it is
 * begun again. */
struct guard_span gd_stream_end(struct gd_stream *stream);
/* As much of the value's beginning as was kept, some 4 KiB. */
struct guard_span gd_stream_head(const struct gd_stream *stream);

/* The type by grammar alone. classes is that of the value. */
enum guard_type gd_type_of(struct guard_span value, uint64_t classes);

/* Text for people: letters to 'a'/'A', digits to '0', others kept, runs kept, at most cap bytes;
 * control bytes to '.'. Letters of other scripts become 'a', bytes that aren't UTF-8 '.'. Returns
 * the length; no NUL is written. */
size_t gd_mask(struct guard_span value, char *out, size_t cap);
/* Passwords, tokens, keys: by name (password, passwd, pwd, secret, token, authorization, cookie,
 * session, api-key, ...) or by value (JWT, long mixed base64 or hex). Their masks show classes and
 * length only. */
bool gd_is_secret(struct guard_span name, struct guard_span value);
bool gd_is_secret_name(struct guard_span name);

#endif
