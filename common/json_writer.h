/* SPDX-License-Identifier: Apache-2.0 */
/* Writes JSON texts into a bounded buffer: correct escaping, invalid UTF-8 replaced, no allocation.
 * Used where a line is written often (verdicts, alerts); documents are jansson's work. */
#ifndef GUARD_COMMON_JSON_WRITER_H
#define GUARD_COMMON_JSON_WRITER_H

#include <guard/types.h>

struct json_writer {
    char *ptr;
    size_t len;
    size_t cap;
    bool overflow; /* what didn't fit was not written; the text is unusable */
    bool comma;
};

void json_writer_init(struct json_writer *json, char *ptr, size_t cap);
/* name NULL inside arrays and for the document. */
void json_open(struct json_writer *json, const char *name, char bracket); /* '{' or '[' */
void json_close(struct json_writer *json, char bracket);                  /* '}' or ']' */
void json_string(struct json_writer *json, const char *name, struct guard_span value);
void json_text(struct json_writer *json, const char *name, const char *value);
void json_integer(struct json_writer *json, const char *name, int64_t value);
void json_number(struct json_writer *json, const char *name, double value); /* shortest of %.6g */
void json_null(struct json_writer *json, const char *name);
void json_bool(struct json_writer *json, const char *name, bool value);

/* Length of the valid UTF-8 sequence at text, which has at least one byte; 0 when there is none. */
size_t json_utf8_len(const uint8_t *text, size_t len);

#endif
