/* SPDX-License-Identifier: Apache-2.0 */
/* A strength of evidence is written as it was read: people compare it with what alerts say. */
#include "common/guardian_pods.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALERT_MAX = 100, REPLACE_MAX = 1000, WITHDRAW_MIN = 60, WITHDRAW_MAX = 3600 };

static const char *const order_words[] = {"off", "dry-run", "act"};
static const char *const independence_words[] = {"observers", "classes"};

#define FAIL(node, rc, ...) document_fail(document, node, rc, err, __VA_ARGS__)

static bool text_is(const struct document_node *node, const char *text)
{
    return node->kind == DOCUMENT_SCALAR && node->text.len == strlen(text) &&
           memcmp(node->text.ptr, text, node->text.len) == 0;
}

static bool word_of(const struct document_node *node, const char *const *words, int32_t count,
                    int32_t *out)
{
    for (int32_t i = 0; i < count; i++) {
        if (text_is(node, words[i])) {
            *out = i;
            return true;
        }
    }
    return false;
}

static enum guard_rc read_strength(const struct document *document,
                                   const struct document_node *node, double max, double *out,
                                   struct guard_err *err)
{
    char *end = NULL;
    const char *text =
        node->kind == DOCUMENT_SCALAR && !node->quoted ? (const char *)node->text.ptr : "";
    double value = strtod(text, &end);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || !(value >= 0 && value <= max))
        return FAIL(node, GUARD_E_RANGE, "%s: must be a number from 0 to %g",
                    (const char *)node->key->text.ptr, max);
    *out = value;
    return GUARD_OK;
}

static enum guard_rc read_seconds(const struct document *document, const struct document_node *node,
                                  int32_t *out, struct guard_err *err)
{
    const char *text =
        node->kind == DOCUMENT_SCALAR && !node->quoted ? (const char *)node->text.ptr : "";
    size_t digits = strspn(text, "0123456789");
    long value = digits > 0 && digits <= 4 && text[digits] == '\0' ? strtol(text, NULL, 10) : 0;
    if (value < WITHDRAW_MIN || value > WITHDRAW_MAX)
        return FAIL(node, GUARD_E_RANGE, "withdrawSeconds: must be a whole number from %d to %d",
                    WITHDRAW_MIN, WITHDRAW_MAX);
    *out = (int32_t)value;
    return GUARD_OK;
}

static bool hard_bit(const struct document_node *node, uint32_t *out)
{
    for (int kind = 0; kind < GUARD_POD_KINDS; kind++) {
        if ((guard_pod_hard_kinds() >> kind & 1) == 0 ||
            !text_is(node, guard_pod_kind_name((enum guard_pod_kind)kind)))
            continue;
        *out |= 1u << kind;
        return true;
    }
    return false;
}

static enum guard_rc read_hard(const struct document *document, const struct document_node *node,
                               struct guard_pod_settings *out, struct guard_err *err)
{
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(node, GUARD_E_SYNTAX, "hardSigns: must be a list, [] for none");
    out->hard_said = true;
    for (const struct document_node *one = node->first; one != NULL; one = one->next) {
        if (!hard_bit(one, &out->hard_kinds))
            return FAIL(one, GUARD_E_RANGE, "hardSigns: must be dropped, memfd or root");
    }
    return GUARD_OK;
}

static enum guard_rc read_member(const struct document *document, const struct document_node *node,
                                 struct guard_pod_settings *out, struct guard_err *err)
{
    const struct document_node *key = node->key;
    if (text_is(key, "orders")) {
        if (!node->quoted && text_is(node, "false")) { /* "off" to other readers of YAML */
            out->orders = GUARD_POD_ORDERS_OFF;
            return GUARD_OK;
        }
        return word_of(node, order_words, 3, &out->orders)
                   ? GUARD_OK
                   : FAIL(node, GUARD_E_RANGE, "orders: must be off, dry-run or act");
    }
    if (text_is(key, "hardSigns"))
        return read_hard(document, node, out, err);
    if (text_is(key, "alertStrength"))
        return read_strength(document, node, ALERT_MAX, &out->alert_at, err);
    if (text_is(key, "replaceStrength"))
        return read_strength(document, node, REPLACE_MAX, &out->replace_at, err);
    if (text_is(key, "withdrawSeconds"))
        return read_seconds(document, node, &out->withdraw_seconds, err);
    if (!text_is(key, "independence"))
        return FAIL(key, GUARD_E_SYNTAX, "unknown member \"%s\"", (const char *)key->text.ptr);
    return word_of(node, independence_words, 2, &out->independence)
               ? GUARD_OK
               : FAIL(node, GUARD_E_RANGE, "independence: must be observers or classes");
}

enum guard_rc guardian_pods_read(const struct document *document, const struct document_node *node,
                                 struct guard_pod_settings *out, struct guard_err *err)
{
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(node, GUARD_E_SYNTAX, "pods: must be a mapping");
    for (const struct document_node *child = node->first; child != NULL; child = child->next)
        GUARD_TRY(read_member(document, child, out, err));
    return GUARD_OK;
}

/* --- writing --- */

static size_t put(char *out, size_t size, size_t at, const char *format, ...) GUARD_PRINTF(4, 5);

static size_t put(char *out, size_t size, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(at < size ? out + at : NULL, at < size ? size - at : 0, format, args);
    va_end(args);
    return at + (size_t)(len > 0 ? len : 0);
}

static size_t put_hard(char *out, size_t size, size_t at, uint32_t kinds)
{
    const char *comma = "";
    at = put(out, size, at, "  hardSigns: [");
    for (int kind = 0; kind < GUARD_POD_KINDS; kind++) {
        if ((kinds >> kind & 1) == 0)
            continue;
        at = put(out, size, at, "%s%s", comma, guard_pod_kind_name((enum guard_pod_kind)kind));
        comma = ", ";
    }
    return put(out, size, at, "]\n");
}

size_t guardian_pods_put(char *out, size_t size, const struct guard_pod_settings *pods)
{
    bool orders = pods->orders >= 0 && pods->orders <= GUARD_POD_ORDERS_ACT;
    bool independence = pods->independence >= 0 && pods->independence <= GUARD_POD_CLASSES;
    size_t at = 0;
    if (size > 0)
        out[0] = '\0';
    if (!orders && !pods->hard_said && pods->alert_at < 0 && pods->replace_at < 0 &&
        !independence && pods->withdraw_seconds < 0)
        return 0;
    at = put(out, size, at, "pods:\n");
    if (orders)
        at = put(out, size, at, "  orders: \"%s\"\n", order_words[pods->orders]);
    if (pods->hard_said)
        at = put_hard(out, size, at, pods->hard_kinds);
    if (pods->alert_at >= 0)
        at = put(out, size, at, "  alertStrength: %.9g\n", pods->alert_at);
    if (pods->replace_at >= 0)
        at = put(out, size, at, "  replaceStrength: %.9g\n", pods->replace_at);
    if (independence)
        at = put(out, size, at, "  independence: %s\n", independence_words[pods->independence]);
    if (pods->withdraw_seconds >= 0)
        at = put(out, size, at, "  withdrawSeconds: %d\n", (int)pods->withdraw_seconds);
    return at;
}

/* --- using --- */

void guardian_pods_rules(const struct guard_pod_settings *pods, struct guard_pod_rules *out)
{
    guard_pod_rules_default(out);
    if (pods->hard_said)
        out->hard_kinds = pods->hard_kinds;
    if (pods->alert_at >= 0)
        out->alert_at = pods->alert_at;
    if (pods->replace_at >= 0)
        out->replace_at = pods->replace_at;
    if (pods->independence >= 0)
        out->independence = (enum guard_pod_independence)pods->independence;
}
