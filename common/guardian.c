/* SPDX-License-Identifier: Apache-2.0 */
/* The schema of Guardian documents: one reader per member, found by table, so that an unknown
 * member or a bad value is refused with its place and path. docs/api/guardian.md is its description
 * for people. */
#include "common/guardian.h"

#include "common/document.h"
#include "common/file.h"
#include "common/guardian_exception.h"
#include "common/guardian_patch.h"
#include "common/guardian_pods.h"
#include "common/guardian_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct document document;
    struct guard_guardian *guardian;
    struct guard_err *err;
};

typedef enum guard_rc (*reader)(struct reading *reading, const struct document_node *node,
                                void *target);

struct member {
    const char *name;
    reader read;
};

#define FAIL(reading, node, rc, ...)                                                               \
    document_fail(&(reading)->document, node, rc, (reading)->err, __VA_ARGS__)

static const char *key_of(const struct document_node *node)
{
    return node->key != NULL ? (const char *)node->key->text.ptr : "element";
}

static bool text_is(const struct document_node *node, const char *text)
{
    return node->kind == DOCUMENT_SCALAR && node->text.len == strlen(text) &&
           memcmp(node->text.ptr, text, node->text.len) == 0;
}

static enum guard_rc read_members(struct reading *reading, const struct document_node *node,
                                  const struct member *members, size_t count, void *target)
{
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(reading, node, GUARD_E_SYNTAX, "%s: must be a mapping", key_of(node));
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        const struct member *member = NULL;
        for (size_t i = 0; i < count && member == NULL; i++) {
            if (strcmp((const char *)child->key->text.ptr, members[i].name) == 0 &&
                child->key->text.len == strlen(members[i].name))
                member = &members[i];
        }
        if (member == NULL)
            return FAIL(reading, child->key, GUARD_E_SYNTAX, "unknown member \"%s\"",
                        child->key->text.ptr);
        GUARD_TRY(member->read(reading, child, target));
    }
    return GUARD_OK;
}

static enum guard_rc read_text(struct reading *reading, const struct document_node *node,
                               size_t max, struct guard_span *out)
{
    if (node->kind != DOCUMENT_SCALAR)
        return FAIL(reading, node, GUARD_E_SYNTAX, "%s: must be a text", key_of(node));
    if (node->text.len == 0 || node->text.len > max ||
        memchr(node->text.ptr, '\0', node->text.len) != NULL)
        return FAIL(reading, node, GUARD_E_RANGE, "%s: must have 1 to %zu bytes", key_of(node),
                    max);
    *out = node->text;
    return GUARD_OK;
}

static enum guard_rc read_integer(struct reading *reading, const struct document_node *node,
                                  int64_t max, int64_t *out)
{
    int64_t value = 0;
    bool good =
        node->kind == DOCUMENT_SCALAR && !node->quoted && node->text.len > 0 && node->text.len < 16;
    for (size_t i = 0; good && i < node->text.len; i++) {
        good = node->text.ptr[i] >= '0' && node->text.ptr[i] <= '9';
        value = value * 10 + (node->text.ptr[i] - '0');
    }
    if (!good || value > max)
        return FAIL(reading, node, GUARD_E_RANGE, "%s: must be a whole number from 0 to %lld",
                    key_of(node), (long long)max);
    *out = value;
    return GUARD_OK;
}

static enum guard_rc read_bool(struct reading *reading, const struct document_node *node, bool *out)
{
    if (!node->quoted && (text_is(node, "true") || text_is(node, "on"))) {
        *out = true;
        return GUARD_OK;
    }
    if (!node->quoted && (text_is(node, "false") || text_is(node, "off"))) {
        *out = false;
        return GUARD_OK;
    }
    return FAIL(reading, node, GUARD_E_RANGE, "%s: must be true or false", key_of(node));
}

static enum guard_rc read_mode(struct reading *reading, const struct document_node *node,
                               enum guard_mode *out)
{
    if (node->kind == DOCUMENT_SCALAR && guard_mode_from_name(node->text, out))
        return GUARD_OK;
    return FAIL(reading, node, GUARD_E_RANGE, "%s: must be observe, alert or block", key_of(node));
}

/* An array for all elements of a sequence, zeroed. */
static enum guard_rc read_sequence(struct reading *reading, const struct document_node *node,
                                   size_t size, uint32_t max, void **out, uint32_t *count)
{
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(reading, node, GUARD_E_SYNTAX, "%s: must be a list", key_of(node));
    if (node->count > max)
        return FAIL(reading, node, GUARD_E_LIMIT, "%s: more than %u elements", key_of(node), max);
    *out = guard_arena_get(reading->document.arena, size * node->count + 1);
    if (*out == NULL)
        return FAIL(reading, node, GUARD_E_NOMEM, "no memory");
    memset(*out, 0, size * node->count + 1);
    *count = node->count;
    return GUARD_OK;
}

static enum guard_rc read_texts(struct reading *reading, const struct document_node *node,
                                uint32_t max, struct guard_span **out, uint32_t *count)
{
    void *array = NULL;
    GUARD_TRY(read_sequence(reading, node, sizeof(**out), max, &array, count));
    *out = array;
    uint32_t i = 0;
    for (const struct document_node *child = node->first; child != NULL; child = child->next)
        GUARD_TRY(read_text(reading, child, GUARDIAN_TEXT_MAX, &(*out)[i++]));
    return GUARD_OK;
}

/* --- criteria of one field --- */

static enum guard_rc criterion_in(struct reading *reading, const struct document_node *node,
                                  void *target)
{
    struct guard_criterion *criterion = target;
    for (int i = GUARD_LOCATION_PATH; i < GUARD_LOCATION_COUNT; i++) {
        if (i != GUARD_LOCATION_CLIENT &&
            text_is(node, guard_location_name((enum guard_location)i))) {
            criterion->location = (enum guard_location)i;
            return GUARD_OK;
        }
    }
    return FAIL(reading, node, GUARD_E_RANGE,
                "in: must be path, query, header, cookie, form, json, multipart, body, graphql, "
                "protobuf or websocket");
}

static enum guard_rc criterion_name(struct reading *reading, const struct document_node *node,
                                    void *target)
{
    return read_text(reading, node, GUARDIAN_TEXT_MAX, &((struct guard_criterion *)target)->name);
}

static enum guard_rc criterion_required(struct reading *reading, const struct document_node *node,
                                        void *target)
{
    bool required = false;
    GUARD_TRY(read_bool(reading, node, &required));
    ((struct guard_criterion *)target)->required = required ? 1 : 0;
    return GUARD_OK;
}

static enum guard_rc criterion_forbidden(struct reading *reading, const struct document_node *node,
                                         void *target)
{
    return read_bool(reading, node, &((struct guard_criterion *)target)->forbidden);
}

static enum guard_rc criterion_types(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    struct guard_criterion *criterion = target;
    if (node->kind != DOCUMENT_SEQUENCE || node->count == 0)
        return FAIL(reading, node, GUARD_E_SYNTAX, "types: must be a list of types");
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        uint32_t bit = guardian_type_bit(child->text);
        if (child->kind != DOCUMENT_SCALAR || bit == 0)
            return FAIL(reading, child, GUARD_E_RANGE, "types: \"%.40s\" is no type",
                        child->kind == DOCUMENT_SCALAR ? (const char *)child->text.ptr : "");
        criterion->types |= bit;
    }
    return GUARD_OK;
}

static enum guard_rc criterion_characters(struct reading *reading, const struct document_node *node,
                                          void *target)
{
    struct guard_criterion *criterion = target;
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(reading, node, GUARD_E_SYNTAX,
                    "characters: must be a list of classes and characters");
    criterion->classes_said = true;
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        uint64_t bit = child->kind == DOCUMENT_SCALAR ? guardian_class_bit(child->text) : 0;
        if (bit == 0)
            return FAIL(reading, child, GUARD_E_RANGE,
                        "characters: must be lower, upper, digit, space, ... or one ASCII "
                        "punctuation character");
        criterion->classes |= bit;
    }
    return GUARD_OK;
}

static enum guard_rc criterion_length_min(struct reading *reading, const struct document_node *node,
                                          void *target)
{
    return read_integer(reading, node, 1 << 30, &((struct guard_criterion *)target)->length_min);
}

static enum guard_rc criterion_length_max(struct reading *reading, const struct document_node *node,
                                          void *target)
{
    return read_integer(reading, node, 1 << 30, &((struct guard_criterion *)target)->length_max);
}

static enum guard_rc criterion_items_max(struct reading *reading, const struct document_node *node,
                                         void *target)
{
    return read_integer(reading, node, 1 << 30, &((struct guard_criterion *)target)->items_max);
}

static enum guard_rc criterion_values(struct reading *reading, const struct document_node *node,
                                      void *target)
{
    struct guard_criterion *criterion = target;
    return read_texts(reading, node, GUARDIAN_VALUES_MAX, &criterion->values,
                      &criterion->value_count);
}

/* Some locations are no places of a response. */
static bool is_of_responses(enum guard_location location)
{
    return location == GUARD_LOCATION_HEADER || location == GUARD_LOCATION_COOKIE ||
           location == GUARD_LOCATION_JSON || location == GUARD_LOCATION_BODY ||
           location == GUARD_LOCATION_PROTOBUF || location == GUARD_LOCATION_WEBSOCKET;
}

static enum guard_rc read_criterion(struct reading *reading, const struct document_node *node,
                                    struct guard_criterion *out)
{
    static const struct member members[] = {
        {"in", criterion_in},
        {"name", criterion_name},
        {"required", criterion_required},
        {"forbidden", criterion_forbidden},
        {"types", criterion_types},
        {"characters", criterion_characters},
        {"minLength", criterion_length_min},
        {"maxLength", criterion_length_max},
        {"maxItems", criterion_items_max},
        {"values", criterion_values},
    };
    *out = (struct guard_criterion){
        .required = -1, .length_min = -1, .length_max = -1, .items_max = -1};
    GUARD_TRY(read_members(reading, node, members, sizeof(members) / sizeof(members[0]), out));
    if (out->location == GUARD_LOCATION_NONE ||
        (out->name.len == 0 && out->location != GUARD_LOCATION_BODY &&
         out->location != GUARD_LOCATION_WEBSOCKET))
        return FAIL(reading, node, GUARD_E_SYNTAX, "a parameter needs \"in\" and \"name\"");
    if (out->length_min >= 0 && out->length_max >= 0 && out->length_min > out->length_max)
        return FAIL(reading, node, GUARD_E_RANGE, "minLength is above maxLength");
    if (out->required == 1 && out->forbidden)
        return FAIL(reading, node, GUARD_E_RANGE, "required and forbidden exclude each other");
    return GUARD_OK;
}

static enum guard_rc read_criteria(struct reading *reading, const struct document_node *node,
                                   struct guard_criterion **out, uint32_t *count)
{
    void *array = NULL;
    GUARD_TRY(
        read_sequence(reading, node, sizeof(**out), GUARD_GUARDIAN_FIELDS_MAX, &array, count));
    *out = array;
    uint32_t i = 0;
    for (const struct document_node *child = node->first; child != NULL; child = child->next)
        GUARD_TRY(read_criterion(reading, child, &(*out)[i++]));
    return GUARD_OK;
}

/* --- responses --- */

static enum guard_rc read_status(struct reading *reading, const struct document_node *node,
                                 struct guard_status_range *out)
{
    int64_t status = 0;
    if (node->kind == DOCUMENT_SCALAR && guardian_status_class(node->text, out))
        return GUARD_OK;
    if (node->kind != DOCUMENT_SCALAR || node->text.len != 3 ||
        read_integer(reading, node, 599, &status) != GUARD_OK || status < 100)
        return FAIL(reading, node, GUARD_E_RANGE,
                    "statuses: must be numbers from 100 to 599 or classes as 2xx");
    *out = (struct guard_status_range){(uint16_t)status, (uint16_t)status};
    return GUARD_OK;
}

static enum guard_rc response_statuses(struct reading *reading, const struct document_node *node,
                                       void *target)
{
    struct guard_response_rule *rule = target;
    void *array = NULL;
    GUARD_TRY(read_sequence(reading, node, sizeof(*rule->statuses), GUARD_GUARDIAN_STATUSES_MAX,
                            &array, &rule->status_count));
    struct guard_status_range *statuses = array;
    rule->statuses = statuses;
    if (node->count == 0)
        return FAIL(reading, node, GUARD_E_RANGE, "statuses: must list a status");
    for (const struct document_node *child = node->first; child != NULL; child = child->next)
        GUARD_TRY(read_status(reading, child, statuses++));
    return GUARD_OK;
}

static enum guard_rc response_body(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    return read_integer(reading, node, 1 << 30, &((struct guard_response_rule *)target)->body_max);
}

static enum guard_rc response_media(struct reading *reading, const struct document_node *node,
                                    void *target)
{
    struct guard_response_rule *rule = target;
    return read_texts(reading, node, 32, &rule->media_types, &rule->media_count);
}

static enum guard_rc response_closed(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    return read_bool(reading, node, &((struct guard_response_rule *)target)->closed);
}

static enum guard_rc response_fields(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    struct guard_response_rule *rule = target;
    GUARD_TRY(read_criteria(reading, node, &rule->fields, &rule->field_count));
    const struct document_node *child = node->first;
    for (uint32_t i = 0; i < rule->field_count; i++, child = child->next) {
        if (!is_of_responses(rule->fields[i].location))
            return FAIL(reading, child, GUARD_E_RANGE,
                        "in: of a response must be header, cookie, json, body, protobuf or "
                        "websocket");
    }
    return GUARD_OK;
}

static enum guard_rc read_leaks(struct reading *reading, const struct document_node *node,
                                uint32_t *out)
{
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(reading, node, GUARD_E_SYNTAX, "%s: must be a list of kinds of leaks",
                    key_of(node));
    *out = 0;
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        uint32_t bit = child->kind == DOCUMENT_SCALAR ? guardian_leak_bit(child->text) : 0;
        if (bit == 0)
            return FAIL(reading, child, GUARD_E_RANGE,
                        "leaks: must be stack-trace, sql-error, source-code, private-key, "
                        "credential, card-number, password-file or directory-listing");
        *out |= bit;
    }
    return GUARD_OK;
}

static enum guard_rc leaks_allowed(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    return read_leaks(reading, node, &((struct guard_response_rule *)target)->leaks_allowed);
}

static enum guard_rc leaks_forbidden(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    return read_leaks(reading, node, &((struct guard_response_rule *)target)->leaks_forbidden);
}

static enum guard_rc response_leaks(struct reading *reading, const struct document_node *node,
                                    void *target)
{
    static const struct member members[] = {{"allowed", leaks_allowed},
                                            {"forbidden", leaks_forbidden}};
    struct guard_response_rule *rule = target;
    GUARD_TRY(read_members(reading, node, members, sizeof(members) / sizeof(members[0]), rule));
    if ((rule->leaks_allowed & rule->leaks_forbidden) != 0)
        return FAIL(reading, node, GUARD_E_RANGE, "leaks: a kind is allowed and forbidden");
    return GUARD_OK;
}

static enum guard_rc read_response(struct reading *reading, const struct document_node *node,
                                   const struct member *members, size_t count,
                                   const struct guard_response_rule **out)
{
    struct guard_response_rule *rule = guard_arena_get(reading->document.arena, sizeof(*rule));
    if (rule == NULL)
        return FAIL(reading, node, GUARD_E_NOMEM, "no memory");
    *rule = (struct guard_response_rule){.body_max = -1};
    *out = rule;
    return read_members(reading, node, members, count, rule);
}

/* Of both; what fails has neither of the two behind them. */
static enum guard_rc response_failures(struct reading *reading, const struct document_node *node,
                                       void *target);

static const struct member response_members[] = {
    {"maxBody", response_body},     {"contentTypes", response_media},
    {"closed", response_closed},    {"parameters", response_fields},
    {"leaks", response_leaks},      {"statuses", response_statuses},
    {"failures", response_failures}};
enum { FAILURE_MEMBERS = 5, RESPONSE_MEMBERS = 7 };

static enum guard_rc response_failures(struct reading *reading, const struct document_node *node,
                                       void *target)
{
    return read_response(reading, node, response_members, FAILURE_MEMBERS,
                         &((struct guard_response_rule *)target)->failures);
}

/* --- endpoints --- */

/* Anywhere else it would be taken for text, which nobody means. */
static bool rest_is_last(struct guard_span path)
{
    static const char rest[] = "/{*}";
    const size_t len = sizeof(rest) - 1;
    return memmem(path.ptr, path.len, rest + 1, len - 1) == NULL ||
           (path.len >= len && memcmp(path.ptr + path.len - len, rest, len) == 0);
}

static enum guard_rc endpoint_path(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    struct guard_endpoint_rule *rule = target;
    GUARD_TRY(read_text(reading, node, GUARDIAN_TEXT_MAX, &rule->template_text));
    if (rule->template_text.ptr[0] != '/')
        return FAIL(reading, node, GUARD_E_RANGE, "path: must start with \"/\"");
    if (!rest_is_last(rule->template_text))
        return FAIL(reading, node, GUARD_E_RANGE,
                    "path: \"{*}\" stands for the rest, so only at the end, behind a \"/\"");
    return GUARD_OK;
}

static enum guard_rc endpoint_methods(struct reading *reading, const struct document_node *node,
                                      void *target)
{
    struct guard_endpoint_rule *rule = target;
    return read_texts(reading, node, 16, &rule->methods, &rule->method_count);
}

static enum guard_rc endpoint_mode(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    enum guard_mode mode = GUARD_MODE_ALERT;
    GUARD_TRY(read_mode(reading, node, &mode));
    ((struct guard_endpoint_rule *)target)->mode = (int32_t)mode;
    return GUARD_OK;
}

static enum guard_rc endpoint_body(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    return read_integer(reading, node, 1 << 30, &((struct guard_endpoint_rule *)target)->body_max);
}

static enum guard_rc endpoint_media(struct reading *reading, const struct document_node *node,
                                    void *target)
{
    struct guard_endpoint_rule *rule = target;
    return read_texts(reading, node, 32, &rule->media_types, &rule->media_count);
}

static enum guard_rc endpoint_closed(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    return read_bool(reading, node, &((struct guard_endpoint_rule *)target)->closed);
}

static enum guard_rc endpoint_fields(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    struct guard_endpoint_rule *rule = target;
    return read_criteria(reading, node, &rule->fields, &rule->field_count);
}

static enum guard_rc endpoint_response(struct reading *reading, const struct document_node *node,
                                       void *target)
{
    return read_response(reading, node, response_members, RESPONSE_MEMBERS,
                         &((struct guard_endpoint_rule *)target)->response);
}

static enum guard_rc configured_endpoints(struct reading *reading, const struct document_node *node,
                                          void *target)
{
    static const struct member members[] = {
        {"path", endpoint_path},          {"methods", endpoint_methods},
        {"mode", endpoint_mode},          {"maxBody", endpoint_body},
        {"contentTypes", endpoint_media}, {"closed", endpoint_closed},
        {"parameters", endpoint_fields},  {"response", endpoint_response},
    };
    struct guard_guardian *guardian = target;
    void *array = NULL;
    GUARD_TRY(read_sequence(reading, node, sizeof(*guardian->endpoints),
                            GUARD_GUARDIAN_ENDPOINTS_MAX, &array, &guardian->endpoint_count));
    guardian->endpoints = array;
    uint32_t i = 0;
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        struct guard_endpoint_rule *rule = &guardian->endpoints[i++];
        *rule = (struct guard_endpoint_rule){.mode = -1, .body_max = -1};
        GUARD_TRY(
            read_members(reading, child, members, sizeof(members) / sizeof(members[0]), rule));
        if (rule->template_text.len == 0)
            return FAIL(reading, child, GUARD_E_SYNTAX, "an endpoint needs \"path\"");
    }
    return GUARD_OK;
}

static enum guard_rc configured_headers(struct reading *reading, const struct document_node *node,
                                        void *target)
{
    struct guard_guardian *guardian = target;
    GUARD_TRY(read_criteria(reading, node, &guardian->headers, &guardian->header_count));
    const struct document_node *child = node->first;
    for (uint32_t i = 0; i < guardian->header_count; i++, child = child->next) {
        if (guardian->headers[i].location != GUARD_LOCATION_HEADER &&
            guardian->headers[i].location != GUARD_LOCATION_COOKIE)
            return FAIL(reading, child, GUARD_E_RANGE, "headers: \"in\" must be header or cookie");
    }
    return GUARD_OK;
}

static enum guard_rc configured_response(struct reading *reading, const struct document_node *node,
                                         void *target)
{
    return read_response(reading, node, response_members, RESPONSE_MEMBERS,
                         &((struct guard_guardian *)target)->response);
}

static enum guard_rc read_configured(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    static const struct member members[] = {{"endpoints", configured_endpoints},
                                            {"headers", configured_headers},
                                            {"response", configured_response}};
    return read_members(reading, node, members, sizeof(members) / sizeof(members[0]), target);
}

/* --- control --- */

static enum guard_rc control_mode(struct reading *reading, const struct document_node *node,
                                  void *target)
{
    return read_mode(reading, node, &((struct guard_guardian *)target)->mode);
}

static enum guard_rc parts_request(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    return read_mode(reading, node, &((struct guard_guardian *)target)->request_mode);
}

static enum guard_rc parts_response(struct reading *reading, const struct document_node *node,
                                    void *target)
{
    return read_mode(reading, node, &((struct guard_guardian *)target)->response_mode);
}

static enum guard_rc parts_time(struct reading *reading, const struct document_node *node,
                                void *target)
{
    return read_mode(reading, node, &((struct guard_guardian *)target)->time_mode);
}

static enum guard_rc parts_client(struct reading *reading, const struct document_node *node,
                                  void *target)
{
    return read_mode(reading, node, &((struct guard_guardian *)target)->client_mode);
}

static enum guard_rc control_parts(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    static const struct member members[] = {{"request", parts_request},
                                            {"response", parts_response},
                                            {"time", parts_time},
                                            {"client", parts_client}};
    return read_members(reading, node, members, sizeof(members) / sizeof(members[0]), target);
}

static enum guard_rc control_learn(struct reading *reading, const struct document_node *node,
                                   void *target)
{
    struct guard_guardian *guardian = target;
    if (text_is(node, "paused")) {
        guardian->learn = false;
        return GUARD_OK;
    }
    if (text_is(node, "on")) {
        guardian->learn = true;
        return GUARD_OK;
    }
    return FAIL(reading, node, GUARD_E_RANGE, "learn: must be on or paused");
}

static enum guard_rc control_budget(struct reading *reading, const struct document_node *node,
                                    void *target)
{
    char *end = NULL;
    double value = node->kind == DOCUMENT_SCALAR && !node->quoted
                       ? strtod((const char *)node->text.ptr, &end)
                       : 0;
    if (end == NULL || *end != '\0' || !(value >= 1e-9 && value <= 0.1))
        return FAIL(reading, node, GUARD_E_RANGE,
                    "falseAlarmBudget: must be a number from 1e-9 to 0.1");
    ((struct guard_guardian *)target)->false_alarm_budget = value;
    return GUARD_OK;
}

static enum guard_rc control_support(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    int64_t value = 0;
    GUARD_TRY(read_integer(reading, node, 4, &value));
    if (value == 0)
        return FAIL(reading, node, GUARD_E_RANGE, "support: must be a whole number from 1 to 4");
    ((struct guard_guardian *)target)->support = (uint32_t)value;
    return GUARD_OK;
}

static enum guard_rc control_failure(struct reading *reading, const struct document_node *node,
                                     void *target)
{
    if (!text_is(node, "open") && !text_is(node, "closed"))
        return FAIL(reading, node, GUARD_E_RANGE, "failure: must be open or closed");
    ((struct guard_guardian *)target)->fail_closed = text_is(node, "closed");
    return GUARD_OK;
}

static enum guard_rc read_control(struct reading *reading, const struct document_node *node,
                                  void *target)
{
    static const struct member members[] = {
        {"mode", control_mode},       {"parts", control_parts},
        {"learn", control_learn},     {"support", control_support},
        {"failure", control_failure}, {"falseAlarmBudget", control_budget},
    };
    struct guard_guardian *guardian = target;
    const enum guard_mode unsaid = (enum guard_mode) - 1;
    guardian->request_mode = guardian->response_mode = unsaid;
    guardian->time_mode = guardian->client_mode = unsaid;
    GUARD_TRY(read_members(reading, node, members, sizeof(members) / sizeof(members[0]), guardian));
    if (guardian->request_mode == unsaid)
        guardian->request_mode = guardian->mode;
    if (guardian->response_mode == unsaid)
        guardian->response_mode = guardian->mode;
    if (guardian->client_mode == unsaid)
        guardian->client_mode = guardian->mode;
    if (guardian->time_mode == unsaid)
        guardian->time_mode = guard_time_mode_default(guardian->mode);
    return GUARD_OK;
}

/* --- the document --- */

static enum guard_rc top_version(struct reading *reading, const struct document_node *node,
                                 void *target)
{
    (void)target;
    if (!text_is(node, GUARDIAN_VERSION))
        return FAIL(reading, node, GUARD_E_VERSION, "apiVersion: must be " GUARDIAN_VERSION);
    return GUARD_OK;
}

static enum guard_rc top_kind(struct reading *reading, const struct document_node *node,
                              void *target)
{
    (void)target;
    return text_is(node, "Guardian")
               ? GUARD_OK
               : FAIL(reading, node, GUARD_E_SYNTAX, "kind: must be Guardian");
}

static enum guard_rc top_service(struct reading *reading, const struct document_node *node,
                                 void *target)
{
    return read_text(reading, node, 128, &((struct guard_guardian *)target)->service);
}

static enum guard_rc learned_pile(struct reading *reading, const struct document_node *node,
                                  void *target)
{
    struct guard_guardian *guardian = target;
    if (node->kind != DOCUMENT_SCALAR || !guardian_digest_parse(node->text, guardian->pile_digest))
        return FAIL(reading, node, GUARD_E_RANGE,
                    "pile: must be a digest of 64 hexadecimal digits");
    guardian->pile_named = true;
    return GUARD_OK;
}

static enum guard_rc top_learned(struct reading *reading, const struct document_node *node,
                                 void *target)
{
    static const struct member members[] = {{"pile", learned_pile}};
    return read_members(reading, node, members, sizeof(members) / sizeof(members[0]), target);
}

static enum guard_rc top_patches(struct reading *reading, const struct document_node *node,
                                 void *target)
{
    struct guard_guardian *guardian = target;
    struct patch_list list;
    GUARD_TRY(patches_read(&reading->document, node, &list, reading->err));
    guardian->patches = list.patches;
    guardian->patch_count = list.count;
    return GUARD_OK;
}

static enum guard_rc top_exceptions(struct reading *reading, const struct document_node *node,
                                    void *target)
{
    struct guard_guardian *guardian = target;
    struct exception_list list;
    GUARD_TRY(exceptions_read(&reading->document, node, NULL, &list, reading->err));
    guardian->exceptions = list.exceptions;
    guardian->exception_count = list.count;
    return GUARD_OK;
}

static enum guard_rc top_pods(struct reading *reading, const struct document_node *node,
                              void *target)
{
    return guardian_pods_read(&reading->document, node, &((struct guard_guardian *)target)->pods,
                              reading->err);
}

enum guard_rc guardian_parse(struct guard_guardian *out, const char *name, struct guard_span bytes,
                             struct guard_arena *arena, struct guard_err *err)
{
    static const struct member members[] = {
        {"apiVersion", top_version}, {"kind", top_kind},
        {"service", top_service},    {"control", read_control},
        {"learned", top_learned},    {"configured", read_configured},
        {"patches", top_patches},    {"exceptions", top_exceptions},
        {"pods", top_pods},
    };
    struct reading reading = {.guardian = out, .err = err};
    guard_guardian_default(out, (struct guard_span){NULL, 0});
    GUARD_TRY(document_parse(&reading.document, name, bytes, arena, err));
    GUARD_TRY(read_members(&reading, reading.document.root, members,
                           sizeof(members) / sizeof(members[0]), out));
    if (out->service.len == 0)
        return FAIL(&reading, reading.document.root, GUARD_E_SYNTAX,
                    "the document needs \"service\"");
    return GUARD_OK;
}

enum guard_rc guardian_load(struct guard_guardian *out, const char *path, struct guard_arena *arena,
                            struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    GUARD_TRY(file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = guardian_parse(out, path, (struct guard_span){bytes, len}, arena, err);
    free(bytes);
    return rc;
}
