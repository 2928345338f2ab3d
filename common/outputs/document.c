/* SPDX-License-Identifier: Apache-2.0 */
/* Reads outputs.yaml: each member is known, has a type and belongs to certain kinds of outputs. */
#include "common/outputs/document.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "common/outputs/syslog.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 64 * 1024, ARENA_MAX = 4 << 20, BATCH_USUAL = 100, MIB_USUAL = 64, FOLD_S = 60 };

#define FAIL(document, node, rc, ...) document_fail(document, node, rc, err, __VA_ARGS__)

static const char *const kind_names[OUTPUT_KINDS] = {"file", "webhook", "alertmanager", "syslog"};
enum {
    OF_FILE = 1 << OUTPUT_FILE,
    OF_WEBHOOK = 1 << OUTPUT_WEBHOOK,
    OF_ALERTMANAGER = 1 << OUTPUT_ALERTMANAGER,
    OF_SYSLOG = 1 << OUTPUT_SYSLOG,
    OF_HTTP = OF_WEBHOOK | OF_ALERTMANAGER,
    OF_ALL = OF_FILE | OF_HTTP | OF_SYSLOG,
};

const char *output_kind_name(enum output_kind kind)
{
    return kind_names[kind];
}

const char *output_form_name(enum output_form form)
{
    return form == OUTPUT_OF_ECS ? "ecs" : "guard";
}

static bool is_word(const struct document_node *node, const char *word)
{
    return node != NULL && node->kind == DOCUMENT_SCALAR && node->text.len == strlen(word) &&
           memcmp(node->text.ptr, word, node->text.len) == 0;
}

typedef enum guard_rc reader(const struct document *document, const struct document_node *node,
                             void *to, struct guard_err *err);

/* Printable, without a blank or control: paths and addresses. */
static enum guard_rc read_text(const struct document *document, const struct document_node *node,
                               void *to, struct guard_err *err)
{
    bool good = node->kind == DOCUMENT_SCALAR && node->text.len > 0;
    for (size_t i = 0; good && i < node->text.len; i++)
        good = node->text.ptr[i] > 0x20 && node->text.ptr[i] != 0x7f;
    if (!good)
        return FAIL(document, node, GUARD_E_RANGE, "must be a text without blanks");
    if (node->text.len > OUTPUT_TEXT_MAX)
        return FAIL(document, node, GUARD_E_LIMIT, "has at most %d bytes", OUTPUT_TEXT_MAX);
    memcpy(to, node->text.ptr, node->text.len + 1);
    return GUARD_OK;
}

static enum guard_rc read_file_path(const struct document *document,
                                    const struct document_node *node, void *to,
                                    struct guard_err *err)
{
    GUARD_TRY(read_text(document, node, to, err));
    return *(const char *)to == '/'
               ? GUARD_OK
               : FAIL(document, node, GUARD_E_RANGE, "must be an absolute path");
}

/* A file's name, a metric's label. */
static enum guard_rc read_name(const struct document *document, const struct document_node *node,
                               void *to, struct guard_err *err)
{
    if (node->kind != DOCUMENT_SCALAR || node->text.len > OUTPUT_NAME_MAX ||
        !state_service_valid(node->text))
        return FAIL(document, node, GUARD_E_RANGE,
                    "must be 1 to %d letters, digits, '.', '_' or '-', not beginning with '.'",
                    OUTPUT_NAME_MAX);
    memcpy(to, node->text.ptr, node->text.len + 1);
    return GUARD_OK;
}

static enum guard_rc read_count(const struct document *document, const struct document_node *node,
                                uint32_t max, uint32_t *out, struct guard_err *err)
{
    uint32_t number = 0;
    bool good = node->kind == DOCUMENT_SCALAR && node->text.len >= 1 && node->text.len <= 6;
    for (size_t i = 0; good && i < node->text.len; i++) {
        good = node->text.ptr[i] >= '0' && node->text.ptr[i] <= '9';
        number = number * 10 + (uint32_t)(node->text.ptr[i] - '0');
    }
    if (!good || number < 1 || number > max)
        return FAIL(document, node, GUARD_E_RANGE, "must be a number from 1 to %u", max);
    *out = number;
    return GUARD_OK;
}

static enum guard_rc read_batch(const struct document *document, const struct document_node *node,
                                void *to, struct guard_err *err)
{
    return read_count(document, node, OUTPUT_BATCH_MAX, to, err);
}

static enum guard_rc read_mib(const struct document *document, const struct document_node *node,
                              void *to, struct guard_err *err)
{
    return read_count(document, node, OUTPUT_MIB_MAX, to, err);
}

static enum guard_rc read_kind(const struct document *document, const struct document_node *node,
                               void *to, struct guard_err *err)
{
    for (int kind = 0; kind < OUTPUT_KINDS; kind++) {
        if (is_word(node, kind_names[kind])) {
            *(enum output_kind *)to = (enum output_kind)kind;
            return GUARD_OK;
        }
    }
    return FAIL(document, node, GUARD_E_RANGE, "must be file, webhook, alertmanager or syslog");
}

static enum guard_rc read_form(const struct document *document, const struct document_node *node,
                               void *to, struct guard_err *err)
{
    if (!is_word(node, "guard") && !is_word(node, "ecs"))
        return FAIL(document, node, GUARD_E_RANGE, "must be guard or ecs");
    *(enum output_form *)to = is_word(node, "ecs") ? OUTPUT_OF_ECS : OUTPUT_OF_GUARD;
    return GUARD_OK;
}

static enum guard_rc read_facility(const struct document *document,
                                   const struct document_node *node, void *to,
                                   struct guard_err *err)
{
    if (node->kind != DOCUMENT_SCALAR ||
        !syslog_facility((const char *)node->text.ptr, (uint32_t *)to))
        return FAIL(document, node, GUARD_E_RANGE,
                    "must be user, daemon, auth, authpriv or local0 to local7");
    return GUARD_OK;
}

static enum guard_rc read_score(const struct document *document, const struct document_node *node,
                                void *to, struct guard_err *err)
{
    char *end = NULL;
    double score = node->kind == DOCUMENT_SCALAR && node->text.len > 0 && node->text.len < 16
                       ? strtod((const char *)node->text.ptr, &end)
                       : -1;
    if (end == NULL || *end != '\0' || !(score >= 0 && score <= 1e6))
        return FAIL(document, node, GUARD_E_RANGE, "must be a number from 0 to 1000000");
    *(double *)to = score;
    return GUARD_OK;
}

static enum guard_rc read_actions(const struct document *document, const struct document_node *node,
                                  void *to, struct guard_err *err)
{
    static const char *const names[] = {"pass", "alert", "block"};
    uint32_t bits = 0;
    if (node->kind != DOCUMENT_SEQUENCE || node->first == NULL)
        return FAIL(document, node, GUARD_E_SYNTAX, "must be a list of pass, alert and block");
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        uint32_t bit = 0;
        for (uint32_t i = 0; i < 3; i++)
            bit |= is_word(child, names[i]) ? 1u << i : 0;
        if (bit == 0)
            return FAIL(document, child, GUARD_E_RANGE, "must be pass, alert or block");
        bits |= bit;
    }
    *(uint32_t *)to = bits;
    return GUARD_OK;
}

static enum guard_rc read_services(const struct document *document,
                                   const struct document_node *node, struct output_cfg *out,
                                   struct guard_err *err)
{
    if (node->kind != DOCUMENT_SEQUENCE || node->first == NULL)
        return FAIL(document, node, GUARD_E_SYNTAX, "must be a list of services");
    if (node->count > OUTPUT_SERVICES_MAX)
        return FAIL(document, node, GUARD_E_LIMIT, "more than %d services", OUTPUT_SERVICES_MAX);
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        if (child->kind != DOCUMENT_SCALAR || !state_service_valid(child->text))
            return FAIL(document, child, GUARD_E_RANGE, "must be the name of a service");
        memcpy(out->services[out->service_count++], child->text.ptr, child->text.len + 1);
    }
    return GUARD_OK;
}

/* NULL: read_services, which needs two members. */
static const struct member {
    const char *name;
    uint32_t kinds;
    size_t offset;
    reader *read;
} members[] = {
    {"name", OF_ALL, offsetof(struct output_cfg, name), read_name},
    {"type", OF_ALL, offsetof(struct output_cfg, kind), read_kind},
    {"url", OF_HTTP, offsetof(struct output_cfg, target), read_text},
    {"address", OF_SYSLOG, offsetof(struct output_cfg, target), read_text},
    {"path", OF_FILE, offsetof(struct output_cfg, target), read_file_path},
    {"form", OF_FILE | OF_WEBHOOK, offsetof(struct output_cfg, form), read_form},
    {"secretFile", OF_WEBHOOK, offsetof(struct output_cfg, secret_file), read_file_path},
    {"tokenFile", OF_HTTP, offsetof(struct output_cfg, token_file), read_file_path},
    {"caFile", OF_HTTP, offsetof(struct output_cfg, ca_file), read_file_path},
    {"batch", OF_HTTP, offsetof(struct output_cfg, batch), read_batch},
    {"facility", OF_SYSLOG, offsetof(struct output_cfg, facility), read_facility},
    {"maxMiB", OF_FILE, offsetof(struct output_cfg, max_mib), read_mib},
    {"services", OF_ALL, 0, NULL},
    {"actions", OF_ALL, offsetof(struct output_cfg, actions), read_actions},
    {"leastScore", OF_ALL, offsetof(struct output_cfg, least_score), read_score},
};
enum { MEMBERS = sizeof(members) / sizeof(members[0]) };

static enum guard_rc read_member(const struct document *document, const struct document_node *node,
                                 struct output_cfg *out, struct guard_err *err)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        const struct member *member = &members[i];
        if (!is_word(node->key, member->name))
            continue;
        if ((member->kinds & 1u << out->kind) == 0)
            return FAIL(document, node->key, GUARD_E_RANGE, "%s: doesn't belong to the type %s",
                        member->name, kind_names[out->kind]);
        return member->read != NULL
                   ? member->read(document, node, (char *)out + member->offset, err)
                   : read_services(document, node, out, err);
    }
    return FAIL(document, node->key, GUARD_E_SYNTAX, "unknown member \"%.40s\"",
                (const char *)node->key->text.ptr);
}

/* "http://host:80/a?b" becomes the server and the path. */
static enum guard_rc split_url(const struct document *document, const struct document_node *node,
                               struct output_cfg *out, struct guard_err *err)
{
    const char *usual = out->kind == OUTPUT_ALERTMANAGER ? "/api/v2/alerts" : "/";
    bool known =
        strncmp(out->target, "http://", 7) == 0 || strncmp(out->target, "https://", 8) == 0;
    char *host = known ? strstr(out->target, "//") + 2 : NULL;
    char *slash = host != NULL ? strchr(host, '/') : NULL;
    size_t len = host == NULL ? 0 : slash != NULL ? (size_t)(slash - host) : strlen(host);
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ".-_:[]";
    if (len == 0 || len > 256 || strspn(host, letters) < len || host[0] == ':')
        return FAIL(document, node, GUARD_E_RANGE,
                    "url: must be http://HOST[:PORT][/PATH] or https://HOST[:PORT][/PATH]");
    if (slash != NULL && slash[1] != '\0')
        usual = slash;
    memmove(out->path, usual, strlen(usual) + 1);
    if (slash != NULL)
        *slash = '\0';
    return GUARD_OK;
}

static enum guard_rc check_target(const struct document *document, const struct document_node *node,
                                  struct output_cfg *out, struct guard_err *err)
{
    static const char *const needed[OUTPUT_KINDS] = {"path", "url", "url", "address"};
    const struct document_node *target = member_of(node, needed[out->kind]);
    if (target == NULL)
        return FAIL(document, node, GUARD_E_SYNTAX, "%s: is needed", needed[out->kind]);
    if (out->kind == OUTPUT_WEBHOOK || out->kind == OUTPUT_ALERTMANAGER)
        return split_url(document, target, out, err);
    if (out->kind == OUTPUT_SYSLOG && !syslog_address_valid(out->target))
        return FAIL(document, target, GUARD_E_RANGE,
                    "address: must be udp://ADDRESS:PORT, tcp://ADDRESS:PORT (an IP address, IPv6 "
                    "in brackets) or unix:PATH");
    return GUARD_OK;
}

static enum guard_rc read_output(const struct document *document, const struct document_node *node,
                                 struct outputs_document *all, struct guard_err *err)
{
    struct output_cfg *out = &all->list[all->count];
    *out = (struct output_cfg){.batch = BATCH_USUAL,
                               .max_mib = MIB_USUAL,
                               .facility = SYSLOG_LOCAL0,
                               .actions = OUTPUT_PASS | OUTPUT_ALERT | OUTPUT_BLOCK};
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(document, node, GUARD_E_SYNTAX, "each output must be a mapping");
    const struct document_node *kind = member_of(node, "type");
    if (kind == NULL || member_of(node, "name") == NULL)
        return FAIL(document, node, GUARD_E_SYNTAX, "name and type are needed");
    GUARD_TRY(read_kind(document, kind, &out->kind, err));
    for (const struct document_node *child = node->first; child != NULL; child = child->next)
        GUARD_TRY(read_member(document, child, out, err));
    GUARD_TRY(check_target(document, node, out, err));
    for (uint32_t i = 0; i < all->count; i++) {
        if (strcmp(all->list[i].name, out->name) == 0)
            return FAIL(document, node, GUARD_E_RANGE, "name: \"%s\" is there twice", out->name);
    }
    all->count++;
    return GUARD_OK;
}

static enum guard_rc read_outputs(const struct document *document, const struct document_node *node,
                                  struct outputs_document *out, struct guard_err *err)
{
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(document, node, GUARD_E_SYNTAX, "outputs: must be a list");
    if (node->count > OUTPUTS_MAX)
        return FAIL(document, node, GUARD_E_LIMIT, "outputs: more than %d", OUTPUTS_MAX);
    for (const struct document_node *child = node->first; child != NULL; child = child->next)
        GUARD_TRY(read_output(document, child, out, err));
    return GUARD_OK;
}

static enum guard_rc read_head(const struct document *document, const struct document_node *node,
                               struct outputs_document *out, struct guard_err *err)
{
    if (is_word(node->key, "outputs"))
        return read_outputs(document, node, out, err);
    if (is_word(node->key, "foldSeconds"))
        return read_count(document, node, OUTPUT_FOLD_MAX_S, &out->fold_s, err);
    if (is_word(node->key, "apiVersion"))
        return is_word(node, GUARDIAN_VERSION)
                   ? GUARD_OK
                   : FAIL(document, node, GUARD_E_VERSION, "apiVersion: must be " GUARDIAN_VERSION);
    if (is_word(node->key, "kind"))
        return is_word(node, "Outputs")
                   ? GUARD_OK
                   : FAIL(document, node, GUARD_E_SYNTAX, "kind: must be Outputs");
    return FAIL(document, node->key, GUARD_E_SYNTAX, "unknown member \"%.40s\"",
                (const char *)node->key->text.ptr);
}

enum guard_rc outputs_parse(struct outputs_document *out, const char *name, struct guard_span bytes,
                            struct guard_arena *arena, struct guard_err *err)
{
    struct document document;
    memset(out, 0, sizeof(*out));
    out->fold_s = FOLD_S;
    GUARD_TRY(document_parse(&document, name, bytes, arena, err));
    if (document.root->kind != DOCUMENT_MAPPING)
        return FAIL(&document, document.root, GUARD_E_SYNTAX, "must be a mapping");
    if (member_of(document.root, "apiVersion") == NULL || member_of(document.root, "kind") == NULL)
        return FAIL(&document, document.root, GUARD_E_SYNTAX, "apiVersion and kind are needed");
    for (const struct document_node *node = document.root->first; node != NULL; node = node->next)
        GUARD_TRY(read_head(&document, node, out, err));
    return GUARD_OK;
}

enum guard_rc outputs_load(struct outputs_document *out, const char *path, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    uint8_t *bytes = NULL;
    size_t len = 0;
    memset(out, 0, sizeof(*out));
    out->fold_s = FOLD_S;
    errno = 0;
    enum guard_rc rc = file_read(path, FILE_MAX, &bytes, &len, err);
    if (rc == GUARD_E_IO && errno == ENOENT)
        return GUARD_OK;
    GUARD_TRY(rc);
    guard_arena_init(&arena, &heap, ARENA_MAX);
    rc = outputs_parse(out, path, (struct guard_span){bytes, len}, &arena, err);
    guard_arena_reset(&arena);
    free(bytes);
    return rc;
}
