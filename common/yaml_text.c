/* SPDX-License-Identifier: Apache-2.0 */
/* See yaml_text.h. */
#include "common/yaml_text.h"

#include "common/json_writer.h"

#include <stdio.h>
#include <string.h>

static void put(struct yaml_text *text, const char *bytes, size_t len)
{
    if (text->len < text->cap) {
        size_t room = text->cap - text->len - 1;
        memcpy(text->ptr + text->len, bytes, len < room ? len : room);
        text->ptr[text->len + (len < room ? len : room)] = '\0';
    }
    text->len += len;
}

void yaml_word(struct yaml_text *text, const char *word)
{
    put(text, word, strlen(word));
}

/* "    name: ", the first line of an element as "  - name: ". */
void yaml_name(struct yaml_text *text, unsigned indent, const char *name)
{
    for (unsigned i = text->item ? YAML_STEP : 0; i < indent; i++)
        yaml_word(text, " ");
    if (text->item)
        yaml_word(text, "- ");
    text->item = false;
    yaml_word(text, name);
    yaml_word(text, ":");
}

void yaml_plain(struct yaml_text *text, unsigned indent, const char *name, const char *word)
{
    yaml_name(text, indent, name);
    yaml_word(text, " ");
    yaml_word(text, word);
    yaml_word(text, "\n");
}

/* Of a valid sequence: what YAML allows in a text, and editors show. */
static bool is_printable(const uint8_t *at, size_t len)
{
    unsigned code = len == 3 ? (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu) : 0;
    if (len == 1)
        return at[0] >= 0x20 && at[0] != 0x7f;
    if (len == 2)
        return at[0] != 0xc2 || at[1] >= 0xa0;
    return len == 4 || (code != 0x2028 && code != 0x2029 && code != 0xfeff && code < 0xfffe);
}

static void put_escape(struct yaml_text *text, uint8_t byte)
{
    char escape[8];
    snprintf(escape, sizeof(escape), "\\x%02x", byte);
    yaml_word(text, escape);
}

void yaml_quoted(struct yaml_text *text, struct guard_span value)
{
    yaml_word(text, "\"");
    for (size_t i = 0; i < value.len;) {
        const uint8_t *at = value.ptr + i;
        size_t len = json_utf8_len(at, value.len - i);
        if (len == 1 && (at[0] == '"' || at[0] == '\\'))
            yaml_word(text, "\\");
        if (len > 0 && is_printable(at, len)) {
            put(text, (const char *)at, len);
            i += len;
        } else {
            put_escape(text, at[0]);
            i++;
        }
    }
    yaml_word(text, "\"");
}

void yaml_line(struct yaml_text *text, unsigned indent, const char *name, struct guard_span value)
{
    if (value.len == 0)
        return;
    yaml_name(text, indent, name);
    yaml_word(text, " ");
    yaml_quoted(text, value);
    yaml_word(text, "\n");
}

void yaml_texts(struct yaml_text *text, unsigned indent, const char *name,
                const struct guard_span *values, uint32_t count)
{
    if (count == 0)
        return;
    yaml_name(text, indent, name);
    yaml_word(text, count == 1 ? " " : " [");
    for (uint32_t i = 0; i < count; i++) {
        yaml_word(text, i == 0 ? "" : ", ");
        yaml_quoted(text, values[i]);
    }
    yaml_word(text, count == 1 ? "\n" : "]\n");
}
