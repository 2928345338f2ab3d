/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded JSON output. Bytes that aren't UTF-8 become U+FFFD, so that every line is a valid text
 * whatever a client sent. */
#include "common/json_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void json_writer_init(struct json_writer *json, char *ptr, size_t cap)
{
    *json = (struct json_writer){.ptr = ptr, .cap = cap};
}

static void put(struct json_writer *json, const char *text, size_t len)
{
    if (json->overflow || len > json->cap - json->len) {
        json->overflow = true;
        return;
    }
    memcpy(json->ptr + json->len, text, len);
    json->len += len;
}

size_t json_utf8_len(const uint8_t *text, size_t len)
{
    uint8_t lead = text[0];
    size_t need = lead < 0x80                   ? 1
                  : lead >= 0xc2 && lead < 0xe0 ? 2
                  : lead >= 0xe0 && lead < 0xf0 ? 3
                                                : 4;
    if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4 || need > len)
        return 0;
    for (size_t i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (lead == 0xe0 && text[1] < 0xa0) || (lead == 0xf0 && text[1] < 0x90);
    bool outside = (lead == 0xed && text[1] >= 0xa0) || (lead == 0xf4 && text[1] >= 0x90);
    return overlong || outside ? 0 : need;
}

/* Marks that change the order in which a line is shown, so that it seems to tell something else. */
static bool turns_text(unsigned code)
{
    return code == 0x061c || code == 0x200e || code == 0x200f ||
           (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* JSON allows these as they are, but terminals obey some of them and YAML, by which documents are
 * read, refuses them or takes them for ends of lines. */
static unsigned unprintable(const uint8_t *text, size_t len)
{
    unsigned code = 0;
    if (len == 2)
        code = (text[0] & 0x1fu) << 6 | (text[1] & 0x3fu);
    else if (len == 3)
        code = (text[0] & 0x0fu) << 12 | (text[1] & 0x3fu) << 6 | (text[2] & 0x3fu);
    bool refused = (code >= 0x80 && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
                   code == 0xfeff || code >= 0xfffe;
    return refused || turns_text(code) ? code : 0;
}

static size_t put_special(struct json_writer *json, const uint8_t *text, size_t len)
{
    char escape[8];
    uint8_t c = text[0];
    if (c == '"' || c == '\\') {
        escape[0] = '\\';
        escape[1] = (char)c;
        put(json, escape, 2);
        return 1;
    }
    if (c < 0x20 || c == 0x7f) {
        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)c);
        put(json, escape, 6);
        return 1;
    }
    size_t n = json_utf8_len(text, len);
    if (n == 0) {
        put(json, "\xef\xbf\xbd", 3);
        return 1;
    }
    unsigned code = unprintable(text, n);
    if (code != 0) {
        snprintf(escape, sizeof(escape), "\\u%04x", code);
        put(json, escape, 6);
        return n;
    }
    put(json, (const char *)text, n);
    return n;
}

static void put_quoted(struct json_writer *json, struct guard_span value)
{
    put(json, "\"", 1);
    size_t i = 0;
    while (i < value.len) {
        size_t start = i;
        while (i < value.len && value.ptr[i] >= 0x20 && value.ptr[i] < 0x7f &&
               value.ptr[i] != '"' && value.ptr[i] != '\\')
            i++;
        if (i > start)
            put(json, (const char *)value.ptr + start, i - start);
        if (i < value.len)
            i += put_special(json, value.ptr + i, value.len - i);
    }
    put(json, "\"", 1);
}

static void put_name(struct json_writer *json, const char *name)
{
    if (json->comma)
        put(json, ",", 1);
    json->comma = true;
    if (name == NULL)
        return;
    put_quoted(json, (struct guard_span){(const uint8_t *)name, strlen(name)});
    put(json, ":", 1);
}

void json_open(struct json_writer *json, const char *name, char bracket)
{
    put_name(json, name);
    put(json, &bracket, 1);
    json->comma = false;
}

void json_close(struct json_writer *json, char bracket)
{
    put(json, &bracket, 1);
    json->comma = true;
}

void json_string(struct json_writer *json, const char *name, struct guard_span value)
{
    put_name(json, name);
    put_quoted(json, value);
}

void json_text(struct json_writer *json, const char *name, const char *value)
{
    json_string(json, name, (struct guard_span){(const uint8_t *)value, strlen(value)});
}

void json_integer(struct json_writer *json, const char *name, int64_t value)
{
    char text[24];
    put_name(json, name);
    put(json, text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)value));
}

void json_number(struct json_writer *json, const char *name, double value)
{
    char text[32];
    put_name(json, name);
    put(json, text, (size_t)snprintf(text, sizeof(text), "%.6g", isfinite(value) ? value : 0.0));
}

void json_null(struct json_writer *json, const char *name)
{
    put_name(json, name);
    put(json, "null", 4);
}

void json_bool(struct json_writer *json, const char *name, bool value)
{
    put_name(json, name);
    put(json, value ? "true" : "false", value ? 4 : 5);
}
