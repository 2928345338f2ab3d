/* SPDX-License-Identifier: Apache-2.0 */
/* Two walks: the first reads what document it is and that it is JSON to its end, the second takes
 * the components, so that nothing is taken of a document that is then refused for its head. */
#include "common/sbom/cyclonedx.h"

#include "common/traffic/json_cursor.h"

#include <stdio.h>
#include <string.h>

struct reading {
    struct json_cursor cursor;
    cyclonedx_take *take;
    void *ctx;
    uint32_t count;
    uint32_t depth;
    char place[CYCLONEDX_PLACE_MAX];
};

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static enum guard_rc fail(const struct reading *reading, const char *name, struct guard_err *err)
{
    uint32_t line = 1;
    const uint8_t *start = reading->cursor.begin;
    for (const uint8_t *at = start; at != NULL && at < reading->cursor.at; at++) {
        if (*at == '\n') {
            line++;
            start = at + 1;
        }
    }
    return guard_fail(err, reading->cursor.rc, "%s:%u:%zu: %s%s%s", name, line,
                      (size_t)(reading->cursor.at - start) + 1, reading->cursor.wrong,
                      reading->place[0] != '\0' ? " in " : "", reading->place);
}

/* Enters, or refuses another kind of value: what was meant as a list of components and isn't one
 * mustn't look like none. */
static bool enter(struct reading *reading, char bracket, const char *wrong)
{
    uint8_t first = json_cursor_peek(&reading->cursor);
    if (first != 0 && first != (uint8_t)bracket)
        json_cursor_refuse(&reading->cursor, GUARD_E_SYNTAX, wrong);
    return json_cursor_enter(&reading->cursor, bracket);
}

static void take_text(struct reading *reading, struct guard_span *out)
{
    uint8_t first = json_cursor_peek(&reading->cursor);
    if (first != 0 && first != '"' && first != 'n')
        json_cursor_refuse(&reading->cursor, GUARD_E_SYNTAX, "a text is missing");
    struct guard_span text;
    if (json_cursor_string(&reading->cursor, &text))
        *out = text;
}

static void read_components(struct reading *reading);

static struct guard_span *member_text(struct cyclonedx_component *component, struct guard_span key)
{
    return is(key, "group")     ? &component->group
           : is(key, "name")    ? &component->name
           : is(key, "version") ? &component->version
           : is(key, "purl")    ? &component->purl
           : is(key, "cpe")     ? &component->cpe
                                : NULL;
}

static void read_component(struct reading *reading)
{
    struct cyclonedx_component component = {.place = ""};
    struct guard_span key;
    if (++reading->count > CYCLONEDX_COMPONENTS_MAX)
        json_cursor_refuse(&reading->cursor, GUARD_E_LIMIT, "too many components");
    if (!enter(reading, '{', "a component is an object"))
        return;
    while (json_cursor_member(&reading->cursor, &key)) {
        struct guard_span *text = member_text(&component, key);
        if (text != NULL)
            take_text(reading, text);
        else if (is(key, "components"))
            read_components(reading);
        else
            json_cursor_skip(&reading->cursor);
    }
    memcpy(component.place, reading->place, sizeof(component.place));
    if (reading->cursor.wrong == NULL && !reading->take(reading->ctx, &component))
        json_cursor_refuse(&reading->cursor, GUARD_E_NOMEM, "no memory");
}

/* Nested as deeply as CYCLONEDX_DEPTH_MAX allows. */
static void read_components(struct reading *reading)
{
    size_t before = strlen(reading->place);
    if (++reading->depth > CYCLONEDX_DEPTH_MAX)
        json_cursor_refuse(&reading->cursor, GUARD_E_LIMIT, "components are nested too deeply");
    if (enter(reading, '[', "components are a list")) {
        for (uint32_t i = 0; json_cursor_element(&reading->cursor); i++) {
            snprintf(reading->place + before, sizeof(reading->place) - before, "%scomponents[%u]",
                     before > 0 ? "." : "", i);
            read_component(reading);
        }
    }
    reading->depth--;
    if (reading->cursor.wrong == NULL) /* else it tells where */
        reading->place[before] = '\0';
}

static void read_metadata(struct reading *reading)
{
    struct guard_span key;
    if (!json_cursor_enter(&reading->cursor, '{'))
        return;
    while (json_cursor_member(&reading->cursor, &key)) {
        if (!is(key, "component")) {
            json_cursor_skip(&reading->cursor);
            continue;
        }
        snprintf(reading->place, sizeof(reading->place), "metadata.component");
        read_component(reading);
        if (reading->cursor.wrong == NULL)
            reading->place[0] = '\0';
    }
}

static void read_root(struct reading *reading)
{
    struct guard_span key;
    if (!enter(reading, '{', "a CycloneDX document is an object"))
        return;
    while (json_cursor_member(&reading->cursor, &key)) {
        if (is(key, "metadata"))
            read_metadata(reading);
        else if (is(key, "components"))
            read_components(reading);
        else
            json_cursor_skip(&reading->cursor);
    }
}

static bool known_version(struct guard_span version)
{
    return version.len == 3 && memcmp(version.ptr, "1.", 2) == 0 && version.ptr[2] >= '2' &&
           version.ptr[2] <= '7';
}

static void read_head(struct reading *reading)
{
    struct guard_span key;
    struct guard_span format = {0};
    struct guard_span version = {0};
    if (!enter(reading, '{', "a CycloneDX document is an object"))
        return;
    while (json_cursor_member(&reading->cursor, &key)) {
        if (is(key, "bomFormat"))
            take_text(reading, &format);
        else if (is(key, "specVersion"))
            take_text(reading, &version);
        else
            json_cursor_skip(&reading->cursor);
    }
    if (!json_cursor_done(&reading->cursor))
        json_cursor_refuse(&reading->cursor, GUARD_E_SYNTAX, "more behind the document");
    if (!is(format, "CycloneDX"))
        json_cursor_refuse(&reading->cursor, GUARD_E_SYNTAX,
                           "no CycloneDX document: \"bomFormat\" has to say so");
    if (!known_version(version))
        json_cursor_refuse(&reading->cursor, GUARD_E_VERSION,
                           "\"specVersion\" isn't one of 1.2 to 1.7");
}

enum guard_rc cyclonedx_read(const char *name, struct guard_span bytes, struct guard_arena *arena,
                             cyclonedx_take *take, void *ctx, struct guard_err *err)
{
    struct reading reading = {.take = take, .ctx = ctx};
    if (bytes.len > CYCLONEDX_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%s: more than %d bytes", name, CYCLONEDX_BYTES_MAX);
    json_cursor_init(&reading.cursor, bytes, arena);
    read_head(&reading);
    if (reading.cursor.wrong != NULL)
        return fail(&reading, name, err);
    json_cursor_init(&reading.cursor, bytes, arena);
    read_root(&reading);
    return reading.cursor.wrong != NULL ? fail(&reading, name, err) : GUARD_OK;
}
