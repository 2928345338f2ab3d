/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical YAML of what people write of patches and exceptions: members in lines, texts quoted,
 * and of what is no printable UTF-8 each byte as "\xNN". */
#ifndef GUARD_COMMON_YAML_TEXT_H
#define GUARD_COMMON_YAML_TEXT_H

#include <guard/types.h>

enum { YAML_STEP = 2 };

/* ptr is kept NUL-terminated, and cut at cap. */
struct yaml_text {
    char *ptr;
    size_t cap;
    size_t len; /* what there would be, with room */
    bool item;  /* the next line begins an element of a list */
};

void yaml_word(struct yaml_text *text, const char *word);
/* "    name:", the first line of an element as "  - name:". */
void yaml_name(struct yaml_text *text, unsigned indent, const char *name);
/* "name: word" */
void yaml_plain(struct yaml_text *text, unsigned indent, const char *name, const char *word);
void yaml_quoted(struct yaml_text *text, struct guard_span value);
/* name: "value"; nothing of an empty one. */
void yaml_line(struct yaml_text *text, unsigned indent, const char *name, struct guard_span value);
/* name: ["a", "b"], of one without brackets; nothing of none. */
void yaml_texts(struct yaml_text *text, unsigned indent, const char *name,
                const struct guard_span *values, uint32_t count);

#endif
