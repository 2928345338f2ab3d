/* SPDX-License-Identifier: Apache-2.0 */
/* See knative_guardian.h. One table of members for each mapping: what is taken over has a function,
 * what isn't has the reason; what neither knows is told, too. */
#include "common/knative_guardian.h"

#include "common/document_members.h"
#include "common/guardian_words.h"
#include "common/knative_value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { ENDPOINT_MEDIA_MAX = 32, NAMES_DEPTH_MAX = 8 };

struct criteria {
    struct guard_criterion *items;
    uint32_t count;
};

struct translation {
    const struct document *document;
    const struct knative_import *import;
    struct guard_guardian *out;
    struct guard_err *err;
    struct knative_losses losses;
    struct criteria headers, request, response;
    struct guard_response_rule *answer;
    struct guard_endpoint_rule endpoint; /* the same for each path */
    bool answer_said, endpoint_said;
    bool of_response; /* what is read now */
};

typedef enum guard_rc (*reader)(struct translation *to, const struct document_node *node,
                                const char *path);

struct member {
    const char *name;
    reader read;
    const char *why; /* what is left out, when nothing reads it; NULL: nothing is lost */
};

#define FAIL(to, node, rc, ...) document_fail((to)->document, node, rc, (to)->err, __VA_ARGS__)

static void leave_out(const struct translation *to, const struct document_node *at,
                      const char *path, const char *why, uint32_t count)
{
    if (to->import->left_out != NULL)
        to->import->left_out(to->import->ctx, at, path, why, count);
}

/* The path of a member; cut when it is too long for a message. */
static void path_below(char out[KNATIVE_PATH_TEXT], const char *path,
                       const struct document_node *child)
{
    (void)snprintf(out, KNATIVE_PATH_TEXT, "%.*s%s%.*s", KNATIVE_PATH_TEXT / 2, path,
                   path[0] != '\0' ? "." : "", KNATIVE_PATH_TEXT / 2 - 2,
                   (const char *)child->key->text.ptr);
}

static void leave_out_unknown(const struct translation *to, const struct document_node *node,
                              const char *path, const struct member *members, size_t count)
{
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        char below[KNATIVE_PATH_TEXT];
        size_t i = 0;
        while (i < count && strcmp((const char *)child->key->text.ptr, members[i].name) != 0)
            i++;
        path_below(below, path, child);
        if (i == count && !knative_none(child))
            leave_out(to, child, below, "not known to this version", 1);
    }
}

/* In the order of the table: bodies are read by what media types there are. */
static enum guard_rc read_members(struct translation *to, const struct document_node *node,
                                  const char *path, const struct member *members, size_t count)
{
    if (knative_none(node))
        return GUARD_OK;
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(to, node, GUARD_E_SYNTAX, "must be a mapping");
    for (size_t i = 0; i < count; i++) {
        const struct document_node *child = member_of(node, members[i].name);
        char below[KNATIVE_PATH_TEXT];
        if (knative_none(child))
            continue;
        path_below(below, path, child);
        if (members[i].read != NULL)
            GUARD_TRY(members[i].read(to, child, below));
        else if (members[i].why != NULL)
            leave_out(to, child, below, members[i].why, 1);
    }
    leave_out_unknown(to, node, path, members, count);
    return GUARD_OK;
}

#define READ_MEMBERS(to, node, path, members)                                                      \
    read_members(to, node, path, members, sizeof(members) / sizeof((members)[0]))

/* --- values --- */

/* NULL after telling that there are too many. */
static struct guard_criterion *criterion_add(struct translation *to, struct criteria *criteria,
                                             const struct document_node *node, const char *path)
{
    if (criteria->count == GUARD_GUARDIAN_FIELDS_MAX) {
        leave_out(to, node, path, "a Guardian has 256 criteria at most in one place", 1);
        return NULL;
    }
    struct guard_criterion *criterion = &criteria->items[criteria->count++];
    *criterion = (struct guard_criterion){
        .required = -1, .length_max = -1, .length_min = -1, .items_max = -1};
    return criterion;
}

static enum guard_rc describe(struct translation *to, struct guard_criterion *criterion,
                              const struct document_node *node)
{
    const struct document_node *bad = NULL;
    if (knative_value(criterion, node, &to->losses, &bad) == GUARD_OK)
        return GUARD_OK;
    return FAIL(to, bad, GUARD_E_SYNTAX,
                "must describe a value by counts: {letters: [{min: 0, max: 9}], flags: 0}");
}

static struct guard_span copied(struct translation *to, const char *text, size_t len)
{
    uint8_t *bytes = guard_arena_get(to->document->arena, len + 1);
    if (bytes == NULL)
        return (struct guard_span){NULL, 0};
    memcpy(bytes, text, len);
    bytes[len] = '\0';
    return (struct guard_span){bytes, len};
}

/* A criterion for one name, which says nothing yet; NULL where there is none, which was told. */
static enum guard_rc name_criterion(struct guard_criterion **out, struct translation *to,
                                    struct criteria *criteria, struct guard_span name,
                                    const struct document_node *node, const char *path)
{
    *out = NULL;
    if (name.len == 0 || name.len > GUARDIAN_TEXT_MAX) {
        leave_out(to, node, path, "a name has 1 to 256 bytes", 1);
        return GUARD_OK;
    }
    *out = criterion_add(to, criteria, node, path);
    if (*out == NULL)
        return GUARD_OK;
    (*out)->name = copied(to, (const char *)name.ptr, name.len);
    return (*out)->name.ptr != NULL ? GUARD_OK : FAIL(to, node, GUARD_E_NOMEM, "no memory");
}

static enum guard_rc name_value(struct translation *to, struct criteria *criteria,
                                enum guard_location location, struct guard_span name,
                                const struct document_node *node, const char *path)
{
    struct guard_criterion *criterion = NULL;
    GUARD_TRY(name_criterion(&criterion, to, criteria, name, node, path));
    if (criterion == NULL)
        return GUARD_OK;
    criterion->location = location;
    return describe(to, criterion, node);
}

/* --- keys and values: queries, headers --- */

static enum guard_rc read_headers_vals(struct translation *to, const struct document_node *node,
                                       const char *path)
{
    struct criteria *criteria = to->of_response ? &to->response : &to->headers;
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(to, node, GUARD_E_SYNTAX, "must be a mapping");
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        char below[KNATIVE_PATH_TEXT], name[GUARDIAN_TEXT_MAX + 1];
        size_t len = child->key->text.len;
        path_below(below, path, child);
        if (knative_none(child))
            continue;
        for (size_t i = 0; i <= len && i < sizeof(name); i++)
            name[i] = (char)tolower(child->key->text.ptr[i]);
        if (len < sizeof(name) &&
            (strcmp(name, "cookie") == 0 || strcmp(name, "set-cookie") == 0)) {
            leave_out(to, child, below, "cookies are judged one by one, not as one text", 1);
            continue;
        }
        struct guard_span text = {(const uint8_t *)name, len};
        GUARD_TRY(name_value(to, criteria, GUARD_LOCATION_HEADER, text, child, below));
    }
    to->answer_said = to->answer_said || to->of_response;
    return GUARD_OK;
}

static const char other_keys[] =
    "patterns of further names: names are learned, and what is new deviates";

static enum guard_rc read_headers_kv(struct translation *to, const struct document_node *node,
                                     const char *path)
{
    static const struct member members[] = {{"vals", read_headers_vals, NULL},
                                            {"otherVals", NULL, NULL},
                                            {"otherKeynames", NULL, other_keys}};
    return READ_MEMBERS(to, node, path, members);
}

static enum guard_rc read_headers(struct translation *to, const struct document_node *node,
                                  const char *path)
{
    static const struct member members[] = {{"kv", read_headers_kv, NULL}};
    return READ_MEMBERS(to, node, path, members);
}

static const char no_path[] = "says it of every path: name the endpoints that it is for (--path)";

static bool has_paths(const struct translation *to, const struct document_node *node,
                      const char *path)
{
    if (to->import->path_count == 0)
        leave_out(to, node, path, no_path, 1);
    return to->import->path_count > 0;
}

static enum guard_rc read_query_vals(struct translation *to, const struct document_node *node,
                                     const char *path)
{
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(to, node, GUARD_E_SYNTAX, "must be a mapping");
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        char below[KNATIVE_PATH_TEXT];
        path_below(below, path, child);
        if (!knative_none(child))
            GUARD_TRY(
                name_value(to, &to->request, GUARD_LOCATION_QUERY, child->key->text, child, below));
    }
    to->endpoint_said = true;
    return GUARD_OK;
}

static enum guard_rc read_query_kv(struct translation *to, const struct document_node *node,
                                   const char *path)
{
    static const struct member members[] = {{"vals", read_query_vals, NULL},
                                            {"otherVals", NULL, NULL},
                                            {"otherKeynames", NULL, other_keys}};
    if (!has_paths(to, node, path))
        return GUARD_OK;
    GUARD_TRY(READ_MEMBERS(to, node, path, members));
    /* Without a pattern for them other names are refused there. */
    if (knative_none(member_of(node, "otherKeynames")) ||
        knative_none(member_of(node, "otherVals"))) {
        to->endpoint.closed = true;
        to->endpoint_said = true;
    }
    return GUARD_OK;
}

static enum guard_rc read_query(struct translation *to, const struct document_node *node,
                                const char *path)
{
    static const struct member members[] = {{"kv", read_query_kv, NULL}};
    return READ_MEMBERS(to, node, path, members);
}

/* --- sizes and types --- */

static enum guard_rc read_size(struct translation *to, const struct document_node *node,
                               const char *path)
{
    enum { BITS_MAX = 31 };
    bool least = false;
    /* The number of bits that the length has. */
    int64_t bits = knative_most(node, &least);
    if (bits < 0)
        return FAIL(to, node, GUARD_E_SYNTAX, "must be a count: [{min: 0, max: 11}]");
    if (!to->of_response && !has_paths(to, node, path))
        return GUARD_OK;
    if (least)
        leave_out(to, node, path, "a least size", 1);
    if (bits > BITS_MAX) {
        leave_out(to, node, path, "larger than a limit can be", 1);
        return GUARD_OK;
    }
    int64_t bytes = (INT64_C(1) << bits) - 1;
    if (to->of_response)
        to->answer->body_max = bytes;
    else
        to->endpoint.body_max = bytes;
    *(to->of_response ? &to->answer_said : &to->endpoint_said) = true;
    return GUARD_OK;
}

/* "none" stands for messages without one. */
static enum guard_rc add_media(struct translation *to, const struct document_node *list,
                               const char *path)
{
    struct guard_span **types =
        to->of_response ? &to->answer->media_types : &to->endpoint.media_types;
    uint32_t *count = to->of_response ? &to->answer->media_count : &to->endpoint.media_count;
    if (list->kind != DOCUMENT_SEQUENCE)
        return FAIL(to, list, GUARD_E_SYNTAX, "must be a list of media types");
    *types = guard_arena_get(to->document->arena, ENDPOINT_MEDIA_MAX * sizeof(**types));
    if (*types == NULL)
        return FAIL(to, list, GUARD_E_NOMEM, "no memory");
    for (const struct document_node *type = list->first; type != NULL; type = type->next) {
        if (type->kind != DOCUMENT_SCALAR || type->text.len > GUARDIAN_TEXT_MAX)
            return FAIL(to, type, GUARD_E_SYNTAX, "must be a media type");
        if (type->text.len == 0 || strcmp((const char *)type->text.ptr, "none") == 0)
            continue;
        if (*count == ENDPOINT_MEDIA_MAX) {
            leave_out(to, type, path, "a Guardian has 32 media types at most in one place", 1);
            break;
        }
        (*types)[(*count)++] = type->text;
    }
    if (*count > 0)
        *(to->of_response ? &to->answer_said : &to->endpoint_said) = true;
    return GUARD_OK;
}

static enum guard_rc read_media(struct translation *to, const struct document_node *node,
                                const char *path)
{
    /* A list in early objects, later {type: {set: [...]}, params: ...}. */
    const struct document_node *set = member_of(member_of(node, "type"), "set");
    if (!to->of_response && !has_paths(to, node, path))
        return GUARD_OK;
    if (!knative_none(member_of(member_of(node, "params"), "vals")))
        leave_out(to, node, path, "values of the media type's parameters: they are learned", 1);
    if (node->kind == DOCUMENT_SEQUENCE)
        return add_media(to, node, path);
    return knative_none(set) ? GUARD_OK : add_media(to, set, path);
}

/* --- bodies --- */

static bool has_media(const struct translation *to, const char *name)
{
    for (uint32_t i = 0; i < to->endpoint.media_count; i++) {
        if (strncmp((const char *)to->endpoint.media_types[i].ptr, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

/* Numbers and truth values were described by how Go prints them ("1.000000"): that they are some
 * is what it comes to. */
static uint32_t types_of(const char *kind)
{
    if (strcmp(kind, "number") == 0)
        return 1u << GUARD_TYPE_INT | 1u << GUARD_TYPE_DECIMAL;
    return strcmp(kind, "boolean") == 0 ? 1u << GUARD_TYPE_BOOL : 0;
}

/* The names of a form were read as members whose values are lists of texts. */
static enum guard_rc add_field(struct translation *to, const char *name, bool top,
                               const struct document_node *node, const char *path)
{
    const char *kind = text_of(node, "kind");
    const struct document_node *value = member_of(node, "val");
    bool list = strcmp(kind, "array") == 0;
    static const struct {
        enum guard_location location;
        const char *media;
    } forms[] = {{GUARD_LOCATION_FORM, "application/x-www-form-urlencoded"},
                 {GUARD_LOCATION_MULTIPART, "multipart/form-data"}};
    struct criteria *criteria = to->of_response ? &to->response : &to->request;
    const struct guard_span plain = {(const uint8_t *)name, strlen(name)};
    char element[KNATIVE_PATH_TEXT + 2];
    for (size_t i = 0; !to->of_response && top && list && i < 2; i++) {
        if (has_media(to, forms[i].media))
            GUARD_TRY(name_value(to, criteria, forms[i].location, plain, value, path));
    }
    if (!to->of_response && to->endpoint.media_count > 0 && !has_media(to, "application/json"))
        return GUARD_OK;
    (void)snprintf(element, sizeof(element), "%s%s", name, list ? "[]" : "");
    const struct guard_span text = {(const uint8_t *)element, strlen(element)};
    if (types_of(kind) == 0)
        return name_value(to, criteria, GUARD_LOCATION_JSON, text, value, path);
    struct guard_criterion *criterion = NULL;
    GUARD_TRY(name_criterion(&criterion, to, criteria, text, node, path));
    if (criterion != NULL) {
        criterion->location = GUARD_LOCATION_JSON;
        criterion->types = types_of(kind);
    }
    return GUARD_OK;
}

/* Objects in objects; Knative's reader of lists makes a text of each element. */
static enum guard_rc read_structure(struct translation *to, const struct document_node *node,
                                    const char *name, uint32_t depth, const char *path)
{
    const char *kind = text_of(node, "kind");
    const struct document_node *members = member_of(node, "kv");
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(to, node, GUARD_E_SYNTAX, "must be {kind, val, kv}");
    if (strcmp(kind, "multi") == 0 || strcmp(kind, "skip") == 0 || kind[0] == '\0')
        return GUARD_OK; /* anything goes */
    if (strcmp(kind, "object") != 0) {
        bool said = types_of(kind) != 0 || !knative_none(member_of(node, "val"));
        if (!said || (depth == 0 && strcmp(kind, "array") != 0))
            return GUARD_OK;
        return add_field(to, name, depth == 1, node, path);
    }
    if (knative_none(members) || members->kind != DOCUMENT_MAPPING)
        return GUARD_OK;
    if (depth == NAMES_DEPTH_MAX) {
        leave_out(to, node, path, "nested too deeply", 1);
        return GUARD_OK;
    }
    for (const struct document_node *child = members->first; child != NULL; child = child->next) {
        char below[KNATIVE_PATH_TEXT], full[KNATIVE_PATH_TEXT];
        path_below(below, path, child);
        path_below(full, name, child);
        if (!knative_none(child))
            GUARD_TRY(read_structure(to, child, full, depth + 1, below));
    }
    return GUARD_OK;
}

static enum guard_rc read_structured(struct translation *to, const struct document_node *node,
                                     const char *path)
{
    *(to->of_response ? &to->answer_said : &to->endpoint_said) = true;
    return read_structure(to, node, "", 0, path);
}

static enum guard_rc read_unstructured(struct translation *to, const struct document_node *node,
                                       const char *path)
{
    struct criteria *criteria = to->of_response ? &to->response : &to->request;
    struct guard_criterion *criterion = criterion_add(to, criteria, node, path);
    if (criterion == NULL)
        return GUARD_OK;
    criterion->location = GUARD_LOCATION_BODY;
    *(to->of_response ? &to->answer_said : &to->endpoint_said) = true;
    return describe(to, criterion, node);
}

static const char faults[] = "kinds of malformed bodies: they are learned";

static enum guard_rc read_request_body(struct translation *to, const struct document_node *node,
                                       const char *path)
{
    static const struct member members[] = {{"structured", read_structured, NULL},
                                            {"unstructured", read_unstructured, NULL},
                                            {"faults", NULL, faults}};
    to->of_response = false;
    return has_paths(to, node, path) ? READ_MEMBERS(to, node, path, members) : GUARD_OK;
}

static enum guard_rc read_response_body(struct translation *to, const struct document_node *node,
                                        const char *path)
{
    static const struct member members[] = {{"structured", read_structured, NULL},
                                            {"unstructured", read_unstructured, NULL},
                                            {"faults", NULL, faults}};
    to->of_response = true;
    return READ_MEMBERS(to, node, path, members);
}

/* --- messages --- */

static enum guard_rc read_request(struct translation *to, const struct document_node *node,
                                  const char *path)
{
    static const struct member members[] = {
        {"headers", read_headers, NULL},
        {"mediatype", read_media, NULL},
        {"contentlength", read_size, NULL},
        {"qs", read_query, NULL},
        {"cip", NULL, "addresses of clients: who calls is learned where it is a small set"},
        {"hopip", NULL,
         "addresses before a proxy: nginx names the trusted ones (set_real_ip_from)"},
        {"method", NULL, "methods of all paths: they are learned for each"},
        {"proto", NULL, "versions of HTTP: nginx decides which it speaks"},
        {"url", NULL, "how paths are spelled: which there are is learned"}};
    to->of_response = false;
    return READ_MEMBERS(to, node, path, members);
}

static enum guard_rc read_response(struct translation *to, const struct document_node *node,
                                   const char *path)
{
    static const struct member members[] = {{"headers", read_headers, NULL},
                                            {"mediatype", read_media, NULL},
                                            {"contentlength", read_size, NULL}};
    to->of_response = true;
    return READ_MEMBERS(to, node, path, members);
}

static bool is_true(const struct document_node *node)
{
    return node != NULL && node->kind == DOCUMENT_SCALAR && !node->quoted &&
           strcmp((const char *)node->text.ptr, "true") == 0;
}

static enum guard_rc read_configured(struct translation *to, const struct document_node *node,
                                     const char *path)
{
    static const char times[] = "times of responses: they are learned for each endpoint";
    static const struct member members[] = {
        {"active", NULL, NULL},
        {"req", read_request, NULL},
        {"reqbody", read_request_body, NULL},
        {"resp", read_response, NULL},
        {"respbody", read_response_body, NULL},
        {"envelop", NULL, times},
        {"process", NULL, "times and connections: times are learned, connections not viewed"},
        {"pod", NULL, "whom the service connects to: calls over HTTP are learned by `--egress`"}};
    const struct document_node *control = member_of(node, "active");
    if (!to->import->configured && control != NULL && !is_true(control)) {
        leave_out(to, node, path, "not active there: --configured takes it all the same", 1);
        return GUARD_OK;
    }
    return READ_MEMBERS(to, node, path, members);
}

/* --- the object --- */

static void read_control(struct translation *to, const struct document_node *control)
{
    static const struct member members[] = {{"alert", NULL, NULL},
                                            {"block", NULL, NULL},
                                            {"learn", NULL, NULL},
                                            {"force", NULL, NULL},
                                            {"auto", NULL, NULL}};
    bool alert = is_true(member_of(control, "alert"));
    bool block = is_true(member_of(control, "block"));
    guard_guardian_set_mode(to->out, alert && block ? GUARD_MODE_BLOCK
                                     : alert        ? GUARD_MODE_ALERT
                                                    : GUARD_MODE_OBSERVE);
    to->out->learn = is_true(member_of(control, "learn")) || is_true(member_of(control, "force"));
    if (control != NULL && control->kind == DOCUMENT_MAPPING)
        leave_out_unknown(to, control, "spec.control", members,
                          sizeof(members) / sizeof(members[0]));
    if (is_true(member_of(control, "force")))
        leave_out(to, member_of(control, "force"), "spec.control.force",
                  "what deviates is learned when enough clients do it, not at once", 1);
    if (control != NULL && !is_true(member_of(control, "auto")))
        leave_out(to, control, "spec.control.auto",
                  "learned criteria can't be switched off: what is configured adds to them", 1);
}

static enum guard_rc read_spec(struct translation *to, const struct document_node *spec,
                               const char *path)
{
    static const struct member members[] = {
        {"control", NULL, NULL},
        {"samples", NULL, NULL},
        {"learned", NULL, "what was learned there: Guard learns anew, by other features"},
        {"configured", read_configured, NULL}};
    static const struct member unused[] = {{"control", NULL, NULL},
                                           {"samples", NULL, NULL},
                                           {"learned", NULL,
                                            "what was learned there: Guard learns "
                                            "anew, by other features"},
                                           {"configured", NULL,
                                            "not used there (control.auto): --configured takes it "
                                            "all the same"}};
    const struct document_node *control = member_of(spec, "control");
    read_control(to, control);
    if (is_true(member_of(control, "auto")) && !to->import->configured)
        return READ_MEMBERS(to, spec, path, unused);
    return READ_MEMBERS(to, spec, path, members);
}

static enum guard_rc begin(struct translation *to)
{
    struct criteria *lists[] = {&to->headers, &to->request, &to->response};
    to->answer = guard_arena_get(to->document->arena, sizeof(*to->answer));
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        lists[i]->items = guard_arena_get(to->document->arena,
                                          GUARD_GUARDIAN_FIELDS_MAX * sizeof(*lists[i]->items));
        if (lists[i]->items == NULL || to->answer == NULL)
            return FAIL(to, to->document->root, GUARD_E_NOMEM, "no memory");
    }
    *to->answer = (struct guard_response_rule){.body_max = -1};
    to->endpoint = (struct guard_endpoint_rule){.mode = -1, .body_max = -1};
    return GUARD_OK;
}

static enum guard_rc finish(struct translation *to)
{
    const struct knative_import *import = to->import;
    for (uint32_t i = 0; i < KNATIVE_LOSS_COUNT; i++) {
        if (to->losses.counts[i] > 0)
            leave_out(to, to->losses.first[i], "values", knative_loss_text((enum knative_loss)i),
                      to->losses.counts[i]);
    }
    to->out->headers = to->headers.items;
    to->out->header_count = to->headers.count;
    to->answer->fields = to->response.items;
    to->answer->field_count = to->response.count;
    if (to->answer_said)
        to->out->response = to->answer;
    if (!to->endpoint_said)
        return GUARD_OK;
    to->endpoint.fields = to->request.items;
    to->endpoint.field_count = to->request.count;
    to->out->endpoints =
        guard_arena_get(to->document->arena, import->path_count * sizeof(*to->out->endpoints));
    if (to->out->endpoints == NULL)
        return FAIL(to, to->document->root, GUARD_E_NOMEM, "no memory");
    for (uint32_t i = 0; i < import->path_count; i++) {
        to->out->endpoints[i] = to->endpoint;
        to->out->endpoints[i].template_text = import->paths[i];
    }
    to->out->endpoint_count = import->path_count;
    return GUARD_OK;
}

enum guard_rc knative_guardian(struct guard_guardian *out, const struct document *document,
                               const struct knative_import *import, struct guard_err *err)
{
    struct translation to = {.document = document, .import = import, .out = out, .err = err};
    const struct document_node *root = document->root;
    const struct document_node *spec = member_of(root, "spec");
    const char *version = text_of(root, "apiVersion");
    const char *name = text_of(member_of(root, "metadata"), "name");
    guard_guardian_default(out, import->service);
    if (version[0] != '\0' && strncmp(version, "guard.security.knative.dev/", 27) != 0)
        return FAIL(&to, member_of(root, "apiVersion"), GUARD_E_VERSION,
                    "apiVersion: must be guard.security.knative.dev/v1alpha1");
    if (root->kind != DOCUMENT_MAPPING || (spec == NULL && member_of(root, "control") == NULL))
        return FAIL(&to, root, GUARD_E_SYNTAX, "is no Guardian of Knative: it has no \"spec\"");
    if (out->service.len == 0)
        out->service = (struct guard_span){(const uint8_t *)name, strlen(name)};
    if (out->service.len == 0)
        return FAIL(&to, root, GUARD_E_SYNTAX, "has no metadata.name: say which service it is for");
    GUARD_TRY(begin(&to));
    GUARD_TRY(read_spec(&to, spec != NULL ? spec : root, spec != NULL ? "spec" : ""));
    return finish(&to);
}
