/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through a JSON text in memory and takes what the caller asks for, without a tree. For large
 * entries of foreign documents of which little is wanted: what is skipped costs no memory. */
#ifndef GUARD_COMMON_TRAFFIC_JSON_CURSOR_H
#define GUARD_COMMON_TRAFFIC_JSON_CURSOR_H

#include <guard/types.h>

enum { JSON_CURSOR_DEPTH_MAX = 64 };

struct json_cursor {
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    struct guard_arena *arena;
    const char *wrong; /* the first fault, NULL while all is well; from then on nothing is found */
    enum guard_rc rc;
    uint32_t depth;
    bool first; /* a container was entered and nothing of it was taken yet */
};

/* text is borrowed as long as the strings that are taken of it. */
void json_cursor_init(struct json_cursor *cursor, struct guard_span text,
                      struct guard_arena *arena);
/* The first byte of the next value: '{', '[', '"', 't', 'f', 'n', a digit or '-'; 0 at a fault. */
uint8_t json_cursor_peek(struct json_cursor *cursor);
/* Steps into an object or array when bracket ('{' or '[') is what comes. Another value is skipped
 * and false returned: what isn't of the expected type counts as absent. */
bool json_cursor_enter(struct json_cursor *cursor, char bracket);
/* The next member of the object; false at its end, which is taken, or at a fault. Its value must be
 * taken or skipped before the next call. */
bool json_cursor_member(struct json_cursor *cursor, struct guard_span *key);
/* The same for an array. */
bool json_cursor_element(struct json_cursor *cursor);
/* False after skipping what is of another type. A string lives in the text or the arena. */
bool json_cursor_string(struct json_cursor *cursor, struct guard_span *out);
bool json_cursor_number(struct json_cursor *cursor, double *out);
void json_cursor_skip(struct json_cursor *cursor);
/* True when only blanks are left and nothing was wrong. */
bool json_cursor_done(struct json_cursor *cursor);
void json_cursor_refuse(struct json_cursor *cursor, enum guard_rc rc, const char *wrong);

/* What is between the quotes of a JSON string, decoded; out has at least text.len bytes. Surrogates
 * without partner become U+FFFD, escapes that are none stay as they are. Returns the length. */
size_t json_unescape(uint8_t *out, struct guard_span text);

#endif
