/* SPDX-License-Identifier: Apache-2.0 */
/* Writes Guardians as canonical YAML: members in one order, what isn't said left out, texts always
 * quoted so that no word of a service is mistaken for a number or a truth value. */
#include "common/guardian.h"

#include "common/guardian_exception.h"
#include "common/guardian_patch.h"
#include "common/guardian_pods.h"
#include "common/guardian_words.h"

#include <stdio.h>
#include <string.h>

struct text {
    char *ptr;
    size_t len;
    size_t cap;
    bool overflow;
};

static void put(struct text *text, const char *format, ...) GUARD_PRINTF(2, 3);

static void put(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = text->cap - text->len;
    int len = vsnprintf(text->ptr + text->len, room, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= room)
        text->overflow = true;
    else
        text->len += (size_t)len;
}

/* Characters that YAML doesn't allow in a text or takes for the end of a line, by their UTF-8. */
static size_t put_unprintable(struct text *text, const uint8_t *at, size_t left)
{
    if (left >= 2 && at[0] == 0xc2 && at[1] < 0xa0) {
        put(text, "\\x%02x", at[1]);
        return 2;
    }
    unsigned code = left < 3 ? 0 : (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    if (left < 3 || (at[0] & 0xf0) != 0xe0 ||
        (code != 0x2028 && code != 0x2029 && code != 0xfeff && code < 0xfffe))
        return 0;
    put(text, "\\u%04x", code);
    return 3;
}

/* A double-quoted YAML scalar. */
static void put_quoted(struct text *text, struct guard_span value)
{
    put(text, "\"");
    for (size_t i = 0; i < value.len;) {
        uint8_t c = value.ptr[i];
        size_t len = c < 0x80 ? 0 : put_unprintable(text, value.ptr + i, value.len - i);
        if (len == 0 && (c == '"' || c == '\\'))
            put(text, "\\%c", c);
        else if (len == 0 && (c < 0x20 || c == 0x7f))
            put(text, "\\x%02x", c);
        else if (len == 0)
            put(text, "%c", c);
        i += len == 0 ? 1 : len;
    }
    put(text, "\"");
}

static void put_list(struct text *text, const char *indent, const char *name,
                     const struct guard_span *values, uint32_t count)
{
    if (count == 0)
        return;
    put(text, "%s%s: [", indent, name);
    for (uint32_t i = 0; i < count; i++) {
        put(text, "%s", i == 0 ? "" : ", ");
        put_quoted(text, values[i]);
    }
    put(text, "]\n");
}

static void put_limit(struct text *text, const char *indent, const char *name, int64_t value)
{
    if (value >= 0)
        put(text, "%s%s: %lld\n", indent, name, (long long)value);
}

static void put_types(struct text *text, const char *indent, uint32_t types)
{
    if (types == 0)
        return;
    put(text, "%stypes: [", indent);
    const char *comma = "";
    for (int type = 0; type < GUARD_TYPE_COUNT; type++) {
        if ((types >> type & 1) != 0) {
            put(text, "%s%s", comma,
                type == GUARD_TYPE_NULL ? "\"null\"" : guard_type_name((enum guard_type)type));
            comma = ", ";
        }
    }
    put(text, "]\n");
}

static void put_classes(struct text *text, const char *indent, uint64_t classes)
{
    put(text, "%scharacters: [", indent);
    const char *comma = "";
    for (int cls = 0; cls < GUARD_CLASS_COUNT; cls++) {
        if ((classes >> cls & 1) != 0) {
            char word[16];
            guardian_class_word((enum guard_class)cls, word);
            put(text, "%s", comma);
            put_quoted(text, (struct guard_span){(const uint8_t *)word, strlen(word)});
            comma = ", ";
        }
    }
    put(text, "]\n");
}

static void put_criteria(struct text *text, const char *indent, const char *name,
                         const struct guard_criterion *criteria, uint32_t count)
{
    if (count == 0)
        return;
    put(text, "%s%s:\n", indent, name);
    char inner[32];
    snprintf(inner, sizeof(inner), "%s    ", indent);
    for (uint32_t i = 0; i < count; i++) {
        const struct guard_criterion *criterion = &criteria[i];
        put(text, "%s  - in: %s\n", indent, guard_location_name(criterion->location));
        if (criterion->name.len > 0) {
            put(text, "%sname: ", inner);
            put_quoted(text, criterion->name);
            put(text, "\n");
        }
        if (criterion->required >= 0)
            put(text, "%srequired: %s\n", inner, criterion->required == 1 ? "true" : "false");
        if (criterion->forbidden)
            put(text, "%sforbidden: true\n", inner);
        put_types(text, inner, criterion->types);
        if (criterion->classes_said)
            put_classes(text, inner, criterion->classes);
        put_limit(text, inner, "minLength", criterion->length_min);
        put_limit(text, inner, "maxLength", criterion->length_max);
        put_limit(text, inner, "maxItems", criterion->items_max);
        put_list(text, inner, "values", criterion->values, criterion->value_count);
    }
}

static void put_statuses(struct text *text, const char *indent,
                         const struct guard_response_rule *rule)
{
    if (rule->status_count == 0)
        return;
    put(text, "%sstatuses: [", indent);
    for (uint32_t i = 0; i < rule->status_count; i++) {
        char word[8];
        guardian_status_word(rule->statuses[i], word);
        put(text, "%s%s", i == 0 ? "" : ", ", word);
    }
    put(text, "]\n");
}

static void put_leaks(struct text *text, const char *indent, const char *name, uint32_t leaks)
{
    const char *comma = "";
    if (leaks == 0)
        return;
    put(text, "%s  %s: [", indent, name);
    for (int leak = 0; leak < GUARD_LEAK_COUNT; leak++) {
        if ((leaks >> leak & 1) != 0) {
            put(text, "%s%s", comma, guard_leak_name((enum guard_leak)leak));
            comma = ", ";
        }
    }
    put(text, "]\n");
}

static void put_response_members(struct text *text, const char *indent,
                                 const struct guard_response_rule *rule)
{
    put_statuses(text, indent, rule);
    put_limit(text, indent, "maxBody", rule->body_max);
    put_list(text, indent, "contentTypes", rule->media_types, rule->media_count);
    if (rule->closed)
        put(text, "%sclosed: true\n", indent);
    put_criteria(text, indent, "parameters", rule->fields, rule->field_count);
    if ((rule->leaks_allowed | rule->leaks_forbidden) != 0) {
        put(text, "%sleaks:\n", indent);
        put_leaks(text, indent, "allowed", rule->leaks_allowed);
        put_leaks(text, indent, "forbidden", rule->leaks_forbidden);
    }
}

static bool is_said(const struct guard_response_rule *rule)
{
    return rule->status_count > 0 || rule->body_max >= 0 || rule->media_count > 0 || rule->closed ||
           rule->field_count > 0 || (rule->leaks_allowed | rule->leaks_forbidden) != 0;
}

/* Nothing of a response of which nothing is said: an empty member would be no mapping. */
static void put_response(struct text *text, const char *indent,
                         const struct guard_response_rule *rule)
{
    char inner[16];
    char deep[16];
    snprintf(inner, sizeof(inner), "%s  ", indent);
    snprintf(deep, sizeof(deep), "%s    ", indent);
    bool fails = rule != NULL && rule->failures != NULL && is_said(rule->failures);
    if (rule == NULL || !(fails || is_said(rule)))
        return;
    put(text, "%sresponse:\n", indent);
    put_response_members(text, inner, rule);
    if (!fails)
        return;
    put(text, "%sfailures:\n", inner);
    put_response_members(text, deep, rule->failures);
}

static void put_endpoints(struct text *text, const struct guard_guardian *guardian)
{
    if (guardian->endpoint_count > 0)
        put(text, "  endpoints:\n");
    for (uint32_t i = 0; i < guardian->endpoint_count; i++) {
        const struct guard_endpoint_rule *rule = &guardian->endpoints[i];
        put(text, "    - path: ");
        put_quoted(text, rule->template_text);
        put(text, "\n");
        put_list(text, "      ", "methods", rule->methods, rule->method_count);
        if (rule->mode >= 0)
            put(text, "      mode: %s\n", guard_mode_name((enum guard_mode)rule->mode));
        put_limit(text, "      ", "maxBody", rule->body_max);
        put_list(text, "      ", "contentTypes", rule->media_types, rule->media_count);
        if (rule->closed)
            put(text, "      closed: true\n");
        put_criteria(text, "      ", "parameters", rule->fields, rule->field_count);
        put_response(text, "      ", rule->response);
    }
}

/* Only what differs from what the mode says. */
static void put_parts(struct text *text, const struct guard_guardian *guardian)
{
    const struct {
        const char *name;
        enum guard_mode mode, usual;
    } parts[] = {
        {"request", guardian->request_mode, guardian->mode},
        {"response", guardian->response_mode, guardian->mode},
        {"time", guardian->time_mode, guard_time_mode_default(guardian->mode)},
        {"client", guardian->client_mode, guardian->mode},
    };
    const char *before = "  parts: {";
    bool any = false;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].mode == parts[i].usual)
            continue;
        put(text, "%s%s: %s", before, parts[i].name, guard_mode_name(parts[i].mode));
        before = ", ";
        any = true;
    }
    if (any)
        put(text, "}\n");
}

static void put_patches(struct text *text, const struct guard_guardian *guardian)
{
    if (guardian->patch_count == 0)
        return;
    put(text, "patches:\n");
    size_t room = text->cap - text->len;
    size_t len =
        patches_put(text->ptr + text->len, room, guardian->patches, guardian->patch_count, 2);
    text->overflow |= len >= room;
    text->len += len < room ? len : 0;
}

static void put_exceptions(struct text *text, const struct guard_guardian *guardian)
{
    if (guardian->exception_count == 0)
        return;
    put(text, "exceptions:\n");
    size_t room = text->cap - text->len;
    size_t len = exceptions_put(text->ptr + text->len, room, guardian->exceptions,
                                guardian->exception_count, 2);
    text->overflow |= len >= room;
    text->len += len < room ? len : 0;
}

static void put_pods(struct text *text, const struct guard_guardian *guardian)
{
    size_t room = text->cap - text->len;
    size_t len = guardian_pods_put(text->ptr + text->len, room, &guardian->pods);
    text->overflow |= len >= room;
    text->len += len < room ? len : 0;
}

static void put_document(struct text *text, const struct guard_guardian *guardian)
{
    put(text, "apiVersion: %s\nkind: Guardian\nservice: ", GUARDIAN_VERSION);
    put_quoted(text, guardian->service);
    put(text, "\ncontrol:\n  mode: %s\n", guard_mode_name(guardian->mode));
    put_parts(text, guardian);
    put(text, "  learn: %s\n  falseAlarmBudget: %.9g\n  support: %u\n  failure: %s\n",
        guardian->learn ? "on" : "paused", guardian->false_alarm_budget, guardian->support,
        guardian->fail_closed ? "closed" : "open");
    if (guardian->pile_named) {
        char digest[2 * GUARD_DIGEST_BYTES + 1];
        guardian_digest_write(guardian->pile_digest, digest);
        put(text, "learned:\n  pile: \"%s\"\n", digest);
    }
    bool answers = guardian->response != NULL &&
                   (is_said(guardian->response) || (guardian->response->failures != NULL &&
                                                    is_said(guardian->response->failures)));
    if (guardian->endpoint_count > 0 || guardian->header_count > 0 || answers) {
        put(text, "configured:\n");
        put_endpoints(text, guardian);
        put_criteria(text, "  ", "headers", guardian->headers, guardian->header_count);
        put_response(text, "  ", guardian->response);
    }
    put_pods(text, guardian);
    put_patches(text, guardian);
    put_exceptions(text, guardian);
}

enum guard_rc guardian_write(const struct guard_guardian *guardian, struct guard_arena *arena,
                             struct guard_span *out, struct guard_err *err)
{
    for (size_t cap = 16 * 1024; cap <= (size_t)4 << 20; cap *= 4) {
        struct text text = {.ptr = guard_arena_get(arena, cap), .cap = cap};
        if (text.ptr == NULL)
            return guard_fail(err, GUARD_E_NOMEM, "no memory for the Guardian document");
        put_document(&text, guardian);
        if (!text.overflow) {
            *out = (struct guard_span){(const uint8_t *)text.ptr, text.len};
            return GUARD_OK;
        }
    }
    return guard_fail(err, GUARD_E_LIMIT, "the Guardian document is larger than 4 MiB");
}
