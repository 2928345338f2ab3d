/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side of summaries: all of it hostile, each part with a bound of its own, and with no
 * more effect than the same traffic at a gate beside us would have. */
#include "guardd/tree/summary.h"

#include "guardd/alerts.h"
#include "guardd/pods/gates_told.h"
#include "guardd/service.h"

#include "common/document_members.h"
#include "common/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct document_node *list_of(const struct document_node *root, const char *name)
{
    const struct document_node *list =
        root->kind == DOCUMENT_MAPPING ? member_of(root, name) : NULL;
    return list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
}

static uint64_t integer_of(const struct document_node *node, const char *name)
{
    const char *text = text_of(node, name);
    char *end = NULL;
    uint64_t number = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    return end != NULL && *end == '\0' ? number : 0;
}

static size_t read_hex(const char *text, uint8_t *out, size_t cap)
{
    size_t len = strlen(text) / 2;
    if (len > cap || strspn(text, "0123456789abcdef") != 2 * len || strlen(text) != 2 * len)
        return 0;
    for (size_t i = 0; i < len; i++) {
        const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return len;
}

/* --- revisions, newness, the breaker --- */

static void take_revisions(struct services *services, struct service *service,
                           const struct document_node *node)
{
    for (uint32_t i = 0; node != NULL && i < REVISIONS_KEPT; node = node->next, i++) {
        if (node->kind == DOCUMENT_SCALAR)
            service_told_revision(services, service, node->text);
    }
}

static void take_novel(struct services *services, struct service *service,
                       const struct document_node *node)
{
    uint8_t subject[SUMMARY_SUBJECT_MAX];
    struct guard_record_head head = {.novel = true, .service = service->name};
    head.time_ms = integer_of(node, "time_ms");
    head.status = (uint32_t)(integer_of(node, "status") % 1000);
    head.decision = integer_of(node, "decision") == GUARD_BLOCK ? GUARD_BLOCK : GUARD_ALERT;
    head.client.unit =
        integer_of(node, "unit") == GUARD_UNIT_SUBJECT ? GUARD_UNIT_SUBJECT : GUARD_UNIT_PREFIX;
    size_t address =
        read_hex(text_of(node, "address"), head.client.address, sizeof(head.client.address));
    head.client.address_len = address == 4 || address == 16 ? (uint8_t)address : 0;
    head.client.subject =
        (struct guard_span){subject, read_hex(text_of(node, "subject"), subject, sizeof(subject))};
    for (const struct document_node *element = list_of(node, "elements");
         element != NULL && head.novel_count < GUARD_NOVEL_MAX; element = element->next) {
        uint64_t number = 0;
        if (element->kind == DOCUMENT_SCALAR &&
            read_hex((const char *)element->text.ptr, (uint8_t *)&number, sizeof(number)) ==
                sizeof(number) &&
            number != 0)
            head.novel_elements[head.novel_count++] = number;
    }
    if (head.novel_count > 0)
        service_told_novelty(services, service, &head);
}

static struct breaker_count count_of(const struct document_node *node, const char *name)
{
    const struct document_node *count = member_of(node, name);
    if (count == NULL || count->kind != DOCUMENT_MAPPING)
        return (struct breaker_count){0};
    return (struct breaker_count){.seen = (uint32_t)(integer_of(count, "seen") & UINT16_MAX),
                                  .blocked = (uint32_t)(integer_of(count, "blocked") & UINT16_MAX)};
}

static void take_breaker(struct service *service, const char *reporter,
                         const struct document_node *node, uint64_t now_ms)
{
    if (node == NULL || node->kind != DOCUMENT_MAPPING)
        return;
    const struct breaker_report report = {
        .reporter =
            guard_checksum(7, (struct guard_span){(const uint8_t *)reporter, strlen(reporter)}) | 1,
        .generation = integer_of(node, "generation"),
        .at_ms = now_ms,
        .in_force = count_of(node, "in_force"),
        .before = count_of(node, "before")};
    breaker_reported(&service->breaker, &report);
}

/* --- clients and alerts --- */

static void take_clients(struct services *services, struct service *service,
                         const struct document_node *node, uint64_t now_ms)
{
    for (uint32_t i = 0; node != NULL && i < SUMMARY_CLIENTS_MAX; node = node->next, i++) {
        struct client_entry entry = {.since_ms = now_ms};
        if (node->kind != DOCUMENT_MAPPING)
            continue;
        entry.verdict =
            (struct guard_client_verdict){.code = strtoull(text_of(node, "code"), NULL, 16),
                                          .until_ms = integer_of(node, "until_ms"),
                                          .rule = client_files_rule(text_of(node, "rule")),
                                          .detail = (uint32_t)integer_of(node, "detail"),
                                          .expected = (uint32_t)integer_of(node, "expected")};
        snprintf(entry.text, sizeof(entry.text), "%s", text_of(node, "client"));
        snprintf(entry.why, sizeof(entry.why), "%s", text_of(node, "why"));
        clients_reported(services, service, &entry, now_ms);
    }
}

/* The batch's place among those that came; one that fell out is told again. */
static struct summary_seen *seen_of(struct services *services, const struct service *service,
                                    const char *const names[3], uint64_t *key)
{
    uint64_t hash = guard_checksum(3, service->name);
    for (int i = 0; i < 3; i++)
        hash = guard_checksum(hash,
                              (struct guard_span){(const uint8_t *)names[i], strlen(names[i]) + 1});
    *key = hash | 1;
    return &services->inbox.seen[hash % SUMMARY_SEEN];
}

/* Of a batch that is sent again because our answer was lost, what was told isn't told again; lines
 * that came since may stand behind it. */
static void take_alerts(struct services *services, struct service *service, const char *reporter,
                        const char *node, const struct document_node *alerts)
{
    uint64_t key;
    if (alerts == NULL || alerts->kind != DOCUMENT_MAPPING || services->inbox.seen == NULL)
        return;
    const struct document_node *line = list_of(alerts, "lines");
    const char *const names[3] = {reporter, node, text_of(alerts, "from")};
    struct summary_seen *seen = seen_of(services, service, names, &key);
    uint32_t told = seen->key == key ? seen->count : 0;
    uint32_t count = 0;
    for (; line != NULL && count < SUMMARY_ALERTS_MAX; line = line->next, count++) {
        if (count >= told)
            alerts_relay(services->alerts, reporter, service->name, line);
    }
    if (count > 0)
        *seen = (struct summary_seen){key, count};
}

enum guard_rc summary_hear(struct services *services, struct service *service, const char *reporter,
                           const struct document *document, uint64_t age_ms, struct guard_err *err)
{
    const struct document_node *root = document->root;
    uint64_t now_ms = clock_unix_ms();
    uint32_t count = 0;
    if (root->kind != DOCUMENT_MAPPING)
        return guard_fail(err, GUARD_E_SYNTAX, "must be an object");
    take_revisions(services, service, list_of(root, "revisions"));
    for (const struct document_node *node = list_of(root, "novel");
         node != NULL && count < SUMMARY_NOVEL_MAX; node = node->next, count++) {
        if (node->kind == DOCUMENT_MAPPING)
            take_novel(services, service, node);
    }
    if (age_ms < SUMMARY_BREAKER_MS)
        take_breaker(service, reporter, member_of(root, "breaker"), now_ms);
    take_clients(services, service, list_of(root, "clients"), now_ms);
    return GUARD_OK;
}

enum guard_rc summary_take(struct services *services, struct service *service, const char *reporter,
                           const struct document *document, struct guard_err *err)
{
    const struct document_node *root = document->root;
    if (root->kind == DOCUMENT_MAPPING)
        GUARD_TRY(history_take(services, service, reporter, text_of(root, "node"),
                               member_of(root, "history"), err));
    GUARD_TRY(summary_hear(services, service, reporter, document, 0, err));
    gates_take(services, service, reporter, root);
    take_alerts(services, service, reporter, text_of(root, "node"), member_of(root, "alerts"));
    return GUARD_OK;
}
