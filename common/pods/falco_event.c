/* SPDX-License-Identifier: Apache-2.0 */
/* Which feature an event is says its system call, not its rule: rules are the user's own. */
#include "common/pods/falco_event.h"

#include "common/traffic/json_cursor.h"
#include "common/traffic/timestamp.h"

#include <arpa/inet.h>
#include <string.h>

struct fields {
    struct guard_span type, time, path, program, parent, parent_path, file, server, port, protocol;
    struct guard_span flags, memfd;
    double user;
    bool writes, upper_layer, has_fields;
};

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static bool contains(struct guard_span text, const char *word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* Fields are texts, numbers or booleans, by their kind and by Falco's version. */
static bool read_flag(struct json_cursor *cursor)
{
    bool yes = json_cursor_peek(cursor) == 't';
    struct guard_span text;
    if (json_cursor_peek(cursor) == '"')
        return json_cursor_string(cursor, &text) && is(text, "true");
    json_cursor_skip(cursor);
    return yes;
}

static void read_text(struct json_cursor *cursor, struct guard_span *out)
{
    struct guard_span text;
    if (json_cursor_string(cursor, &text) && !is(text, "<NA>") && !is(text, "<nil>"))
        *out = text;
}

static double number_of(struct guard_span digits)
{
    double number = 0;
    for (size_t i = 0; i < digits.len && i < 10; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return -1;
        number = number * 10 + (digits.ptr[i] - '0');
    }
    return digits.len > 0 ? number : -1;
}

static double read_number(struct json_cursor *cursor)
{
    double number = -1;
    struct guard_span text;
    if (json_cursor_peek(cursor) == '"')
        return json_cursor_string(cursor, &text) ? number_of(text) : -1;
    (void)json_cursor_number(cursor, &number);
    return number;
}

static void read_port(struct json_cursor *cursor, uint16_t *port)
{
    double number = read_number(cursor);
    if (number > 0 && number <= 65535)
        *port = (uint16_t)number;
}

static void read_field(struct json_cursor *cursor, struct guard_span key, struct fields *fields,
                       struct falco_event *out)
{
    const struct {
        const char *name;
        struct guard_span *text;
    } texts[] = {
        {"evt.type", &fields->type},
        {"proc.exepath", &fields->path},
        {"proc.name", &fields->program},
        {"proc.pname", &fields->parent},
        {"proc.pexepath", &fields->parent_path},
        {"fd.name", &fields->file},
        {"fd.sip", &fields->server},
        {"fd.rip", &fields->server},
        {"fd.l4proto", &fields->protocol},
        {"evt.arg.flags", &fields->flags},
        {"container.id", &out->container},
        {"container.name", &out->container_name},
        {"k8s.ns.name", &out->name_space},
        {"k8s.pod.name", &out->pod},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (is(key, texts[i].name)) {
            read_text(cursor, texts[i].text);
            return;
        }
    if (is(key, "fd.sport") || is(key, "fd.rport"))
        read_port(cursor, &out->feature.port);
    else if (is(key, "user.uid"))
        fields->user = read_number(cursor);
    else if (is(key, "evt.is_open_write"))
        fields->writes = read_flag(cursor);
    else if (is(key, "proc.is_exe_upper_layer"))
        fields->upper_layer = read_flag(cursor);
    else if (is(key, "proc.is_exe_from_memfd"))
        fields->memfd = read_flag(cursor) ? GUARD_SPAN_LITERAL("yes") : fields->memfd;
    else
        json_cursor_skip(cursor);
}

static void read_all(struct json_cursor *cursor, struct fields *fields, struct falco_event *out)
{
    struct guard_span key;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "time")) {
            read_text(cursor, &fields->time);
        } else if (is(key, "output_fields") && json_cursor_enter(cursor, '{')) {
            fields->has_fields = true;
            while (json_cursor_member(cursor, &key))
                read_field(cursor, key, fields, out);
        } else if (!is(key, "output_fields")) {
            json_cursor_skip(cursor);
        }
    }
}

static bool of_program(const struct fields *fields, struct guard_pod_feature *out)
{
    out->text = fields->path.len > 0 ? fields->path : fields->program;
    out->detail = fields->parent_path.len > 0 ? fields->parent_path : fields->parent;
    out->kind = GUARD_POD_EXEC;
    if (fields->memfd.len > 0 || contains(fields->flags, "EXE_FROM_MEMFD"))
        out->kind = GUARD_POD_MEMFD;
    else if (fields->upper_layer || contains(fields->flags, "EXE_UPPER_LAYER"))
        out->kind = GUARD_POD_DROPPED;
    return out->text.len > 0;
}

/* "10.0.0.1:4000->10.0.0.2:80", where the fields for its parts weren't asked for. */
static void take_pair(struct fields *fields, struct guard_pod_feature *out)
{
    const uint8_t *arrow =
        fields->file.len > 0 ? memmem(fields->file.ptr, fields->file.len, "->", 2) : NULL;
    if (arrow == NULL || fields->server.len > 0)
        return;
    const uint8_t *begin = arrow + 2, *end = fields->file.ptr + fields->file.len, *colon = end;
    while (colon > begin && colon[-1] != ':')
        colon--;
    if (colon == begin)
        return;
    double port = number_of((struct guard_span){colon, (size_t)(end - colon)});
    fields->server = (struct guard_span){begin, (size_t)(colon - begin) - 1};
    if (out->port == 0 && port > 0 && port <= 65535)
        out->port = (uint16_t)port;
}

static bool of_destination(struct fields *fields, struct guard_pod_feature *out)
{
    char text[INET6_ADDRSTRLEN] = "";
    take_pair(fields, out);
    if (fields->server.len == 0 || fields->server.len >= sizeof(text))
        return false;
    memcpy(text, fields->server.ptr, fields->server.len);
    if (inet_pton(AF_INET, text, out->address) == 1)
        out->address_len = 4;
    else if (inet_pton(AF_INET6, text, out->address) == 1)
        out->address_len = 16;
    out->kind = GUARD_POD_DESTINATION;
    out->transport = is(fields->protocol, "udp") ? 17 : 6;
    return out->address_len > 0;
}

static bool starts(struct guard_span text, const char *word)
{
    return text.len >= strlen(word) && memcmp(text.ptr, word, strlen(word)) == 0;
}

static bool feature_of(struct fields *fields, struct guard_pod_feature *out)
{
    if (starts(fields->type, "exec"))
        return of_program(fields, out);
    if (is(fields->type, "connect") || starts(fields->type, "send"))
        return of_destination(fields, out);
    if (starts(fields->type, "open") || is(fields->type, "creat")) {
        out->kind =
            fields->writes || is(fields->type, "creat") ? GUARD_POD_WRITE : GUARD_POD_SECRET;
        out->text = fields->file;
        return out->text.len > 0;
    }
    return false;
}

static void cut(struct guard_span *text)
{
    if (text->len > GUARD_POD_TEXT_MAX)
        text->len = GUARD_POD_TEXT_MAX;
}

enum guard_rc falco_event_read(struct falco_event *out, struct guard_span line,
                               struct guard_arena *arena, struct guard_err *err)
{
    struct json_cursor cursor;
    struct fields fields = {.user = -1};
    *out = (struct falco_event){.feature = {.count = 1}};
    if (line.len > FALCO_LINE_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "an event of more than %d bytes", FALCO_LINE_MAX);
    json_cursor_init(&cursor, line, arena);
    read_all(&cursor, &fields, out);
    if (cursor.wrong != NULL || !json_cursor_done(&cursor) || !fields.has_fields)
        return guard_fail(err, cursor.wrong != NULL ? cursor.rc : GUARD_E_SYNTAX, "%s at byte %zu",
                          cursor.wrong != NULL ? cursor.wrong : "no event of Falco",
                          (size_t)(cursor.at - cursor.begin));
    if (fields.user >= 0 && fields.user < 4294967296.0)
        out->feature.user = (uint32_t)fields.user;
    (void)timestamp_iso8601(fields.time, &out->feature.first_ms);
    out->about_pod = feature_of(&fields, &out->feature) && out->container.len >= 12 &&
                     !is(out->container, "host");
    cut(&out->feature.text);
    cut(&out->feature.detail);
    return GUARD_OK;
}
