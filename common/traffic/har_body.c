/* SPDX-License-Identifier: Apache-2.0 */
/* The text wins over params, which say the same less exactly. */
#include "common/traffic/har_body.h"

#include "common/traffic/base64.h"

#include <string.h>
#include <strings.h>

enum { PARAMS_MAX = 4096 };

struct param {
    struct guard_span name;
    struct guard_span value;
    struct guard_span file_name;
    struct guard_span content_type;
    struct param *next;
};

struct reading {
    struct json_cursor *cursor;
    struct guard_span mime_type;
    struct guard_span text;
    bool text_known;
    bool base64;
    struct param *params;
};

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static void read_param(struct json_cursor *cursor, struct param *param)
{
    struct guard_span key;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "name"))
            (void)json_cursor_string(cursor, &param->name);
        else if (is(key, "value"))
            (void)json_cursor_string(cursor, &param->value);
        else if (is(key, "fileName"))
            (void)json_cursor_string(cursor, &param->file_name);
        else if (is(key, "contentType"))
            (void)json_cursor_string(cursor, &param->content_type);
        else
            json_cursor_skip(cursor);
    }
}

static void read_params(struct reading *reading)
{
    struct json_cursor *cursor = reading->cursor;
    struct param **last = &reading->params;
    uint32_t count = 0;
    if (!json_cursor_enter(cursor, '['))
        return;
    while (json_cursor_element(cursor)) {
        struct param *param = guard_arena_get(cursor->arena, sizeof(*param));
        if (param == NULL || ++count > PARAMS_MAX) {
            json_cursor_refuse(cursor, param == NULL ? GUARD_E_NOMEM : GUARD_E_LIMIT,
                               "too many posted parameters");
            return;
        }
        *param = (struct param){.next = NULL};
        read_param(cursor, param);
        *last = param;
        last = &param->next;
    }
}

/* Writes, or, with a NULL place, only counts. */
struct writer {
    uint8_t *out;
    size_t len;
};

static void put(struct writer *writer, struct guard_span bytes)
{
    if (writer->out != NULL && bytes.len > 0)
        memcpy(writer->out + writer->len, bytes.ptr, bytes.len);
    writer->len += bytes.len;
}

static void put_text(struct writer *writer, const char *text)
{
    put(writer, (struct guard_span){(const uint8_t *)text, strlen(text)});
}

static void put_form_encoded(struct writer *writer, struct guard_span text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != '\0' && strchr("*-._", c) != NULL);
        const uint8_t escape[] = {'%', (uint8_t)hex[c >> 4], (uint8_t)hex[c & 15]};
        if (plain)
            put(writer, (struct guard_span){&c, 1});
        else if (c == ' ')
            put_text(writer, "+");
        else
            put(writer, (struct guard_span){escape, 3});
    }
}

static void put_form(struct writer *writer, const struct param *params)
{
    for (const struct param *param = params; param != NULL; param = param->next) {
        put_form_encoded(writer, param->name);
        put_text(writer, "=");
        put_form_encoded(writer, param->value);
        put_text(writer, param->next != NULL ? "&" : "");
    }
}

static void put_multipart(struct writer *writer, const struct param *params,
                          struct guard_span boundary)
{
    for (const struct param *param = params; param != NULL; param = param->next) {
        put_text(writer, "--");
        put(writer, boundary);
        put_text(writer, "\r\nContent-Disposition: form-data; name=\"");
        put(writer, param->name);
        if (param->file_name.len > 0) {
            put_text(writer, "\"; filename=\"");
            put(writer, param->file_name);
        }
        put_text(writer, "\"");
        if (param->content_type.len > 0) {
            put_text(writer, "\r\nContent-Type: ");
            put(writer, param->content_type);
        }
        put_text(writer, "\r\n\r\n");
        put(writer, param->value);
        put_text(writer, "\r\n");
    }
    put_text(writer, "--");
    put(writer, boundary);
    put_text(writer, "--\r\n");
}

static bool begins(struct guard_span text, const char *word)
{
    size_t len = strlen(word);
    return text.len >= len && strncasecmp((const char *)text.ptr, word, len) == 0;
}

static struct guard_span boundary_of(struct guard_span mime_type)
{
    static const char name[] = "boundary=";
    size_t len = sizeof(name) - 1;
    for (size_t i = 0; i + len < mime_type.len; i++) {
        if (strncasecmp((const char *)mime_type.ptr + i, name, len) != 0)
            continue;
        struct guard_span value = {mime_type.ptr + i + len, mime_type.len - i - len};
        const uint8_t *end = memchr(value.ptr, ';', value.len);
        if (end != NULL)
            value.len = (size_t)(end - value.ptr);
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = (struct guard_span){value.ptr + 1, value.len - 2};
        return value;
    }
    return (struct guard_span){NULL, 0};
}

/* The body that was posted, as a browser writes one. Of another type it stays unknown. */
static void make_again(struct reading *reading, struct har_body *out)
{
    struct guard_span boundary = boundary_of(reading->mime_type);
    bool multipart = begins(reading->mime_type, "multipart/form-data") && boundary.len > 0;
    if (!multipart && !begins(reading->mime_type, "application/x-www-form-urlencoded"))
        return;
    struct writer writer = {NULL, 0};
    for (int pass = 0; pass < 2; pass++) {
        size_t room = writer.len;
        writer.len = 0;
        if (pass == 1 && (writer.out = guard_arena_get(reading->cursor->arena, room + 1)) == NULL) {
            json_cursor_refuse(reading->cursor, GUARD_E_NOMEM, "the body is too large");
            return;
        }
        if (multipart)
            put_multipart(&writer, reading->params, boundary);
        else
            put_form(&writer, reading->params);
    }
    *out = (struct har_body){true, {writer.out, writer.len}};
}

static void decode(struct reading *reading, struct har_body *out)
{
    struct guard_span text = reading->text;
    *out = (struct har_body){true, text};
    if (!reading->base64 || text.len == 0)
        return;
    size_t len = 0;
    uint8_t *bytes = guard_arena_get(reading->cursor->arena, text.len);
    if (bytes == NULL)
        json_cursor_refuse(reading->cursor, GUARD_E_NOMEM, "the body is too large");
    else if (!base64_decode(bytes, &len, text))
        json_cursor_refuse(reading->cursor, GUARD_E_SYNTAX, "a body is not base64");
    else
        out->bytes = (struct guard_span){bytes, len};
}

void har_body_read(struct json_cursor *cursor, struct har_body *out)
{
    struct reading reading = {.cursor = cursor};
    struct guard_span key;
    struct guard_span encoding = {NULL, 0};
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "mimeType"))
            (void)json_cursor_string(cursor, &reading.mime_type);
        else if (is(key, "text"))
            reading.text_known = json_cursor_string(cursor, &reading.text);
        else if (is(key, "encoding") && json_cursor_string(cursor, &encoding))
            reading.base64 = encoding.len == 6 && begins(encoding, "base64");
        else if (is(key, "params"))
            read_params(&reading);
        else if (!is(key, "encoding"))
            json_cursor_skip(cursor);
    }
    if (cursor->wrong != NULL)
        return;
    if (reading.params != NULL && reading.text.len == 0)
        make_again(&reading, out);
    else if (reading.text_known)
        decode(&reading, out);
}
