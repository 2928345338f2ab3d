/* SPDX-License-Identifier: Apache-2.0 */
/* See look.h. */
#include "common/secrule/look.h"

#include <string.h>

enum {
    BODY_PLACES = GUARD_PLACE_FORM | GUARD_PLACE_JSON | GUARD_PLACE_MULTIPART | GUARD_PLACE_FILE |
                  GUARD_PLACE_BODY,
    ARGS_POST = GUARD_PLACE_FORM | GUARD_PLACE_MULTIPART,
    ARGS = GUARD_PLACE_QUERY | GUARD_PLACE_JSON | ARGS_POST,
    REQUEST = 1,
    RESPONSE = 2,
};

struct known {
    const char *name;
    uint32_t places;
    uint8_t part;
    enum guard_patch_view view;
    bool on_names;
    bool single;
    enum secrule_within within;
};

static const struct known known[] = {
    {"ARGS", ARGS, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"ARGS_GET", GUARD_PLACE_QUERY, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"ARGS_POST", ARGS_POST, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"ARGS_NAMES", ARGS, REQUEST, GUARD_VIEW_TEXT, true, false, SECRULE_WHOLE},
    {"ARGS_GET_NAMES", GUARD_PLACE_QUERY, REQUEST, GUARD_VIEW_TEXT, true, false, SECRULE_WHOLE},
    {"ARGS_POST_NAMES", ARGS_POST, REQUEST, GUARD_VIEW_TEXT, true, false, SECRULE_WHOLE},
    {"REQUEST_URI", GUARD_PLACE_TARGET, REQUEST, GUARD_VIEW_TEXT, false, true, SECRULE_WHOLE},
    {"REQUEST_URI_RAW", GUARD_PLACE_TARGET, REQUEST, GUARD_VIEW_RAW, false, true, SECRULE_WHOLE},
    {"REQUEST_FILENAME", GUARD_PLACE_PATH, REQUEST, GUARD_VIEW_TEXT, false, true, SECRULE_WHOLE},
    {"REQUEST_BASENAME", GUARD_PLACE_PATH, REQUEST, GUARD_VIEW_TEXT, false, true, SECRULE_BASENAME},
    {"REQUEST_LINE", GUARD_PLACE_METHOD | GUARD_PLACE_TARGET, REQUEST, GUARD_VIEW_RAW, false, true,
     SECRULE_REQUEST_LINE},
    {"QUERY_STRING", GUARD_PLACE_TARGET, REQUEST, GUARD_VIEW_RAW, false, true,
     SECRULE_QUERY_STRING},
    {"REQUEST_METHOD", GUARD_PLACE_METHOD, REQUEST, GUARD_VIEW_TEXT, false, true, SECRULE_WHOLE},
    {"REQUEST_HEADERS", GUARD_PLACE_HEADER, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"REQUEST_HEADERS_NAMES", GUARD_PLACE_HEADER, REQUEST, GUARD_VIEW_TEXT, true, false,
     SECRULE_WHOLE},
    {"REQUEST_COOKIES", GUARD_PLACE_COOKIE, REQUEST, GUARD_VIEW_RAW, false, false, SECRULE_WHOLE},
    {"REQUEST_COOKIES_NAMES", GUARD_PLACE_COOKIE, REQUEST, GUARD_VIEW_RAW, true, false,
     SECRULE_WHOLE},
    {"REQUEST_BODY", GUARD_PLACE_BODY, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"XML", GUARD_PLACE_BODY, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"FILES", GUARD_PLACE_FILE, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"FILES_NAMES", GUARD_PLACE_FILE, REQUEST, GUARD_VIEW_TEXT, true, false, SECRULE_WHOLE},
    {"MULTIPART_FILENAME", GUARD_PLACE_FILE, REQUEST, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"MULTIPART_NAME", GUARD_PLACE_FILE | GUARD_PLACE_MULTIPART, REQUEST, GUARD_VIEW_TEXT, true,
     false, SECRULE_WHOLE},
    {"RESPONSE_STATUS", GUARD_PLACE_STATUS, RESPONSE, GUARD_VIEW_TEXT, false, true, SECRULE_WHOLE},
    {"RESPONSE_BODY", GUARD_PLACE_BODY, RESPONSE, GUARD_VIEW_TEXT, false, false, SECRULE_WHOLE},
    {"RESPONSE_HEADERS", GUARD_PLACE_HEADER, RESPONSE, GUARD_VIEW_TEXT, false, false,
     SECRULE_WHOLE},
    {"RESPONSE_HEADERS_NAMES", GUARD_PLACE_HEADER, RESPONSE, GUARD_VIEW_TEXT, true, false,
     SECRULE_WHOLE},
    {"RESPONSE_CONTENT_TYPE", GUARD_PLACE_HEADER, RESPONSE, GUARD_VIEW_TEXT, false, false,
     SECRULE_WHOLE},
};

static const struct known *find_known(struct guard_span name)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (secrule_is(name, known[i].name))
            return &known[i];
    }
    return NULL;
}

static bool refuse_unknown(struct secrule_builder *builder, const struct secrule_variable *variable)
{
    static const char *const kept[] = {"TX",   "IP",  "GLOBAL", "RESOURCE",  "SESSION", "USER",
                                       "RULE", "GEO", "ENV",    "SESSIONID", "USERID"};
    struct guard_span name = secrule_span(variable->name);
    int len = (int)(name.len < 60 ? name.len : 60);
    const char *text = (const char *)name.ptr;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (secrule_is(name, kept[i]))
            return secrule_refuse(builder, variable->name.at[0], SECRULE_CAUSE_STATE,
                                  "%.*s is kept by other rules, or by the engine", len, text);
    }
    if (secrule_begins(name, "MATCHED_VAR"))
        return secrule_refuse(builder, variable->name.at[0], SECRULE_CAUSE_MATCHED,
                              "%.*s is what the rule before matched: conditions of a patch each "
                              "look at any value",
                              len, text);
    return secrule_refuse(builder, variable->name.at[0], SECRULE_CAUSE_VARIABLE,
                          "%.*s is no place of patches", len, text);
}

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* --- selectors --- */

static bool simple_byte(uint8_t byte)
{
    return secrule_is_letter(byte) || secrule_is_digit(byte) ||
           strchr("_-/:@%,;=~#&", byte) != NULL;
}

/* /^a\.b.*$/ as "a.b*": what stands for itself, and ".*". False when it has anything else. */
static bool pattern_of(struct secrule_builder *builder, struct guard_span regex,
                       struct guard_span *out)
{
    uint8_t *text = secrule_get(builder, regex.len + 2);
    size_t len = 0;
    size_t at = 0;
    if (text == NULL)
        return false;
    if (regex.len > 0 && regex.ptr[0] == '^')
        at = 1;
    else
        text[len++] = '*';
    for (; at < regex.len; at++) {
        uint8_t byte = regex.ptr[at];
        uint8_t next = at + 1 < regex.len ? regex.ptr[at + 1] : 0;
        if (byte == '$' && at + 1 == regex.len) {
            *out = (struct guard_span){text, len};
            return len > 0;
        }
        if (byte == '.' && next == '*') {
            if (len == 0 || text[len - 1] != '*')
                text[len++] = '*';
            at++;
            continue;
        }
        if (byte == '\\' && next != 0 && !secrule_is_letter(next) && !secrule_is_digit(next) &&
            next != '*')
            at++;
        else if (!simple_byte(byte) || byte == 0)
            return false;
        next = at + 1 < regex.len ? regex.ptr[at + 1] : 0;
        if (next == '*' || next == '+' || next == '?' || next == '{')
            return false;
        text[len++] = regex.ptr[at];
    }
    if (len == 0 || text[len - 1] != '*')
        text[len++] = '*';
    *out = (struct guard_span){text, len};
    return true;
}

/* "json.a.array_0.b" as "a[].b". *elements: whether an element of a list was named by its number.
 */
static struct guard_span json_name(struct secrule_builder *builder, struct guard_span name,
                                   bool *elements)
{
    static const char array[] = "array_";
    uint8_t *text = secrule_get(builder, name.len + 2);
    size_t len = 0;
    size_t at = sizeof("json.") - 1;
    *elements = false;
    if (text == NULL)
        return name;
    while (at < name.len) {
        const uint8_t *dot = memchr(name.ptr + at, '.', name.len - at);
        size_t end = dot != NULL ? (size_t)(dot - name.ptr) : name.len;
        struct guard_span step = {name.ptr + at, end - at};
        uint64_t number = 0;
        bool element = secrule_number(step, UINT32_MAX, &number) ||
                       (secrule_begins(step, array) &&
                        secrule_number((struct guard_span){step.ptr + sizeof(array) - 1,
                                                           step.len - sizeof(array) + 1},
                                       UINT32_MAX, &number));
        if (element) {
            memcpy(text + len, "[]", 2);
            len += 2;
        } else {
            if (len > 0)
                text[len++] = '.';
            memcpy(text + len, step.ptr, step.len);
            len += step.len;
        }
        *elements = *elements || element;
        at = end + (dot != NULL);
    }
    return (struct guard_span){text, len};
}

static struct guard_span lower(struct secrule_builder *builder, struct guard_span name)
{
    uint8_t *text = secrule_get(builder, name.len + 1);
    if (text == NULL)
        return name;
    for (size_t i = 0; i < name.len; i++)
        text[i] = name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] | 0x20 : name.ptr[i];
    return (struct guard_span){text, name.len};
}

static bool set_name(struct secrule_builder *builder, struct secrule_look *look,
                     struct guard_span name)
{
    look->names = secrule_get(builder, sizeof(*look->names) * GUARD_PATCH_LIST_MAX);
    if (look->names == NULL)
        return false;
    look->names[0] = name;
    look->name_count = 1;
    return true;
}

/* A JSON member is "json.NAME" to rules and NAME to patches. */
static bool select_argument(struct secrule_builder *builder, struct secrule_look *look,
                            struct secrule_text selector, struct guard_span name)
{
    bool elements = false;
    if ((look->places & GUARD_PLACE_JSON) == 0)
        return set_name(builder, look, name);
    if (!secrule_begins(name, "json.")) {
        look->places &= ~(uint32_t)GUARD_PLACE_JSON;
        return look->places != 0 && set_name(builder, look, name);
    }
    look->places = GUARD_PLACE_JSON;
    name = json_name(builder, name, &elements);
    if (elements && !secrule_wider(builder, selector.at[0], SECRULE_CAUSE_VARIABLE,
                                   "an element of a list is named by its number: patches look at "
                                   "all of them"))
        return false;
    if (name.len == 0)
        return secrule_refuse(builder, selector.at[0], SECRULE_CAUSE_FORM, "no member is named");
    return set_name(builder, look, name);
}

static bool select_names(struct secrule_builder *builder, const struct secrule_variable *variable,
                         struct secrule_look *look)
{
    struct guard_span name = secrule_span(variable->selector);
    uint32_t at = variable->name.at[0];
    if (look->single)
        return secrule_refuse(builder, at, SECRULE_CAUSE_FORM, "this variable has no names");
    if (look->on_names)
        return secrule_refuse(builder, at, SECRULE_CAUSE_VARIABLE,
                              "names of which some are selected are no place of patches");
    if (name.len > GUARD_PATCH_TEXT_MAX)
        return secrule_refuse(builder, at, SECRULE_CAUSE_MAXIMUM, "a name of more than %d bytes",
                              GUARD_PATCH_TEXT_MAX);
    if (variable->regex && !pattern_of(builder, name, &name))
        return secrule_refuse(builder, variable->selector.at[0], SECRULE_CAUSE_VARIABLE,
                              "names of patches have '*' for any bytes, and no other pattern");
    if (!variable->regex && memchr(name.ptr, '*', name.len) != NULL)
        return secrule_refuse(builder, variable->selector.at[0], SECRULE_CAUSE_VARIABLE,
                              "'*' in a name of a patch stands for any bytes");
    if (look->places == GUARD_PLACE_HEADER)
        name = lower(builder, name);
    if (look->places == GUARD_PLACE_HEADER && secrule_is(name, "cookie")) {
        look->places = GUARD_PLACE_COOKIE;
        secrule_note(builder, at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
                     "of the Cookie header each cookie's value is looked at, and not the whole");
        return true;
    }
    return select_argument(builder, look, variable->selector, name);
}

/* --- variables --- */

static bool in_phase(struct secrule_builder *builder, uint32_t at, const struct known *what,
                     int phase, struct secrule_look *look)
{
    bool response = phase == 3 || phase == 4;
    if ((what->part == RESPONSE) != response)
        return secrule_refuse(builder, at, SECRULE_CAUSE_PHASE,
                              response ? "a patch of responses can't ask for the request"
                                       : "in this phase there is no response yet");
    if (phase == 1 && (look->places & BODY_PLACES) != 0) {
        look->places &= ~(uint32_t)BODY_PLACES;
        if (look->places == 0)
            return secrule_refuse(builder, at, SECRULE_CAUSE_NEVER,
                                  "in phase 1 there is no body yet");
    }
    return true;
}

static bool look_at(struct secrule_builder *builder, const struct secrule_variable *variable,
                    int phase, struct secrule_look *out)
{
    struct guard_span name = secrule_span(variable->name);
    const struct known *what = find_known(name);
    uint32_t at = variable->name.at[0];
    if (what == NULL)
        return refuse_unknown(builder, variable);
    *out = (struct secrule_look){.at = at,
                                 .places = what->places,
                                 .view = what->view,
                                 .on_names = what->on_names,
                                 .single = what->single,
                                 .counted = variable->counted,
                                 .within = what->within};
    if (!in_phase(builder, at, what, phase, out))
        return false;
    if (secrule_begins(name, "ARGS_POST"))
        secrule_note(builder, at, SECRULE_NARROWER, SECRULE_CAUSE_MEANING,
                     "members of JSON aren't looked at: only for some engines they are a part of "
                     "it");
    if (variable->counted && what->single)
        return secrule_refuse(builder, at, SECRULE_CAUSE_FORM, "there is always one of these");
    if (secrule_is(name, "XML"))
        return secrule_wider(builder, at, SECRULE_CAUSE_VARIABLE,
                             "patches don't read XML: the whole body is looked at instead");
    if (secrule_is(name, "RESPONSE_CONTENT_TYPE"))
        return set_name(builder, out, GUARD_SPAN_LITERAL("content-type"));
    if (variable->selector.ptr != NULL)
        return select_names(builder, variable, out);
    if (secrule_is(name, "REQUEST_HEADERS") && !variable->counted)
        out->places |= GUARD_PLACE_COOKIE;
    return true;
}

/* !ARGS:x: of use only where ARGS is looked at. */
static bool exclude(struct secrule_builder *builder, const struct secrule_variables *variables,
                    const struct secrule_variable *excluded)
{
    int len = (int)(excluded->name.len < 60 ? excluded->name.len : 60);
    for (uint32_t i = 0; i < variables->count; i++) {
        const struct secrule_variable *other = &variables->list[i];
        if (other->excluded || other->name.len != excluded->name.len ||
            !same(secrule_span(other->name), secrule_span(excluded->name)))
            continue;
        bool apart = other->selector.ptr != NULL && excluded->selector.ptr != NULL &&
                     !other->regex && !excluded->regex &&
                     !same(secrule_span(other->selector), secrule_span(excluded->selector));
        if (!apart)
            return secrule_wider(builder, excluded->name.at[0], SECRULE_CAUSE_EXCLUSION,
                                 "patches can't look at all of %.*s but some", len,
                                 (const char *)excluded->name.ptr);
    }
    return true;
}

static bool can_join(const struct secrule_look *a, const struct secrule_look *b)
{
    bool names = (a->name_count > 0) == (b->name_count > 0);
    bool places = a->name_count == 0 || a->places == b->places;
    return a->view == b->view && a->on_names == b->on_names && !a->counted && !b->counted &&
           a->within == SECRULE_WHOLE && b->within == SECRULE_WHOLE && a->single == b->single &&
           names && places && a->name_count + b->name_count <= GUARD_PATCH_LIST_MAX;
}

static void add_look(struct secrule_looks *looks, struct secrule_look *look, bool decoded)
{
    if (decoded)
        look->view = GUARD_VIEW_DECODED;
    for (uint32_t i = 0; i < looks->count; i++) {
        struct secrule_look *other = &looks->list[i];
        if (!can_join(other, look))
            continue;
        other->places |= look->places;
        if (look->name_count > 0)
            other->names[other->name_count++] = look->names[0];
        return;
    }
    looks->list[looks->count++] = *look;
}

bool secrule_looks(struct secrule_builder *builder, const struct secrule_variables *variables,
                   int phase, bool decoded, struct secrule_looks *out)
{
    bool good = true;
    out->count = 0;
    out->list = secrule_get(builder, variables->count * sizeof(*out->list));
    if (out->list == NULL)
        return false;
    for (uint32_t i = 0; i < variables->count; i++) {
        const struct secrule_variable *variable = &variables->list[i];
        struct secrule_look look;
        if (variable->excluded)
            good = exclude(builder, variables, variable) && good;
        else if (!look_at(builder, variable, phase, &look))
            good = false;
        else
            add_look(out, &look, decoded);
    }
    if (good && out->count == 0)
        return secrule_refuse(builder, variables->list[0].name.at[0], SECRULE_CAUSE_FORM,
                              "nothing is looked at");
    return good && builder_good(builder);
}
