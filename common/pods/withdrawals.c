/* SPDX-License-Identifier: Apache-2.0 */
/* The signature stands before a JSON text that says what it is: what else the same key signs begins
 * otherwise, so that neither is taken for the other. */
#include "common/pods/withdrawals.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/hex.h"
#include "common/pods/fields.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 1, SIGNED_AT = 2 * GUARD_SIGNATURE_BYTES + 1, ARENA_MAX = 4 << 20 };

#define FIELD(name, form, member) POD_FIELD(name, form, pod_withdrawal, member, 0)
#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static const struct pod_field fields[] = {
    FIELD("id", POD_FIELD_ID, id),
    FIELD("namespace", POD_FIELD_NAME, name_space),
    FIELD("workload", POD_FIELD_NAME, workload),
    FIELD("pod", POD_FIELD_NAME, pod),
    FIELD("uid", POD_FIELD_TEXT, uid),
    FIELD("by", POD_FIELD_TEXT, by),
    FIELD("reason", POD_FIELD_TEXT, reason),
    FIELD("ordered", POD_FIELD_BOOL, ordered),
    FIELD("begunMs", POD_FIELD_TIME, begun_ms),
    FIELD("untilMs", POD_FIELD_TIME, until_ms),
};

/* What all texts have beside the list. */
struct head {
    char service[STATE_SERVICE_MAX + 1];
    uint64_t issued_ms;
};

static const struct pod_field head_fields[] = {
    POD_FIELD("guardWithdrawals", POD_FIELD_VERSION, head, service, VERSION),
    POD_FIELD("service", POD_FIELD_SERVICE, head, service, 0),
    POD_FIELD("issuedMs", POD_FIELD_TIME, head, issued_ms, 0),
};

/* --- who --- */

/* What stands in a path and in a parameter as it is. */
static bool take_part(const char **text, char *out, size_t size)
{
    size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._");
    if (len == 0 || len >= size || ((*text)[len] != '/' && (*text)[len] != '\0'))
        return false;
    memcpy(out, *text, len);
    out[len] = '\0';
    *text += len + ((*text)[len] == '/');
    return true;
}

enum guard_rc pod_self_read(struct pod_self *out, const char *text, struct guard_err *err)
{
    const char *at = text;
    *out = (struct pod_self){.pod = ""};
    bool good = take_part(&at, out->name_space, sizeof(out->name_space)) &&
                take_part(&at, out->pod, sizeof(out->pod)) &&
                (*at == '\0' || take_part(&at, out->uid, sizeof(out->uid)));
    if (good && *at == '\0' && at[-1] != '/')
        return GUARD_OK;
    *out = (struct pod_self){.pod = ""};
    return guard_fail(err, GUARD_E_SYNTAX, "\"%.100s\" is not NAMESPACE/POD or NAMESPACE/POD/UID",
                      text);
}

bool pod_withdrawal_is_of(const struct pod_withdrawal *withdrawal, const struct pod_self *self)
{
    return self->pod[0] != '\0' && strcmp(withdrawal->pod, self->pod) == 0 &&
           strcmp(withdrawal->name_space, self->name_space) == 0 &&
           (withdrawal->uid[0] == '\0' || self->uid[0] == '\0' ||
            strcmp(withdrawal->uid, self->uid) == 0);
}

/* --- writing --- */

enum guard_rc pod_withdrawals_sign(const struct pod_withdrawals *withdrawals,
                                   struct guard_span service, const uint8_t secret[64], char *out,
                                   size_t size, size_t *len, struct guard_err *err)
{
    struct json_writer json;
    struct head head = {.issued_ms = withdrawals->issued_ms};
    uint8_t signature[GUARD_SIGNATURE_BYTES];
    if (size < SIGNED_AT || service.len > STATE_SERVICE_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "withdrawals: more than %zu bytes", size);
    memcpy(head.service, service.ptr, service.len);
    json_writer_init(&json, out + SIGNED_AT, size - SIGNED_AT);
    json_open(&json, NULL, '{');
    pod_fields_write(&json, head_fields, COUNT_OF(head_fields), &head);
    json_open(&json, "list", '[');
    for (uint32_t i = 0; i < withdrawals->count; i++) {
        json_open(&json, NULL, '{');
        pod_fields_write(&json, fields, COUNT_OF(fields), &withdrawals->list[i]);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    if (json.overflow)
        return guard_fail(err, GUARD_E_LIMIT, "withdrawals: more than %zu bytes", size);
    guard_sign(signature, (struct guard_span){(const uint8_t *)out + SIGNED_AT, json.len}, secret);
    hex_write(out, signature, sizeof(signature));
    out[SIGNED_AT - 1] = '\n';
    *len = SIGNED_AT + json.len;
    return GUARD_OK;
}

/* --- reading --- */

#define FAIL(node, rc, ...) document_fail_member(document, node, rc, err, __VA_ARGS__)

static enum guard_rc check_time(const struct document *document, const struct document_node *node,
                                const struct pod_withdrawal *one, struct guard_err *err)
{
    uint64_t most = one->begun_ms + (uint64_t)POD_WITHDRAWAL_SECONDS_MAX * 1000;
    return one->until_ms <= most
               ? GUARD_OK
               : FAIL(node, GUARD_E_RANGE, "lasts longer than %d s", POD_WITHDRAWAL_SECONDS_MAX);
}

static enum guard_rc read_list(struct pod_withdrawals *out, const struct document *document,
                               const struct document_node *list, struct guard_err *err)
{
    if (list == NULL || list->kind != DOCUMENT_SEQUENCE)
        return FAIL(document->root, GUARD_E_SYNTAX, "list is missing");
    for (const struct document_node *node = list->first; node != NULL; node = node->next) {
        if (out->count == POD_WITHDRAWALS_MAX)
            return FAIL(node, GUARD_E_LIMIT, "more than %d", POD_WITHDRAWALS_MAX);
        struct pod_withdrawal *one = &out->list[out->count++];
        GUARD_TRY(pod_fields_read(document, node, fields, COUNT_OF(fields), false, one, err));
        GUARD_TRY(check_time(document, node, one, err));
    }
    return GUARD_OK;
}

static enum guard_rc read_text(struct pod_withdrawals *out, const struct document *document,
                               struct guard_span service, struct guard_err *err)
{
    struct head head = {.issued_ms = 0};
    /* Others: the list, and what a later version says beside it. */
    GUARD_TRY(pod_fields_read(document, document->root, head_fields, COUNT_OF(head_fields), true,
                              &head, err));
    if (strlen(head.service) != service.len || memcmp(head.service, service.ptr, service.len) != 0)
        return guard_fail(err, GUARD_E_FOREIGN, "withdrawals: of the service %s", head.service);
    out->issued_ms = head.issued_ms;
    return read_list(out, document, member_of(document->root, "list"), err);
}

enum guard_rc pod_withdrawals_read(struct pod_withdrawals *out, struct guard_span text,
                                   struct guard_span service,
                                   const uint8_t public_key[GUARD_KEY_BYTES], struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    uint8_t signature[GUARD_SIGNATURE_BYTES];
    memset(out, 0, sizeof(*out));
    if (text.len > POD_WITHDRAWALS_BYTES)
        return guard_fail(err, GUARD_E_LIMIT, "withdrawals: more than %d bytes",
                          POD_WITHDRAWALS_BYTES);
    if (text.len < SIGNED_AT || text.ptr[SIGNED_AT - 1] != '\n' ||
        !hex_read(signature, sizeof(signature), text.ptr))
        return guard_fail(err, GUARD_E_SYNTAX, "withdrawals: no signature stands before them");
    const struct guard_span body = {text.ptr + SIGNED_AT, text.len - SIGNED_AT};
    if (guard_verify(signature, body, public_key) != GUARD_OK)
        return guard_fail(err, GUARD_E_SIGNATURE, "withdrawals: not signed by the root");
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc rc = document_parse(&document, "withdrawals", body, &arena, err);
    if (rc == GUARD_OK)
        rc = read_text(out, &document, service, err);
    guard_arena_reset(&arena);
    if (rc != GUARD_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}
