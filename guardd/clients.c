/* SPDX-License-Identifier: Apache-2.0 */
/* From a report on a client to its alert and, where the Guardian says so, to a verdict that ends by
 * itself. */
#include "clients.h"

#include "alerts.h"
#include "service.h"

#include "common/client_name.h"
#include "common/file.h"
#include "common/finding_json.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAVE_MS = 60000,
    AGAIN_MS = 5000,
    FRESH_MS = 10 * 60000, /* older records tell, but nobody is blocked for them any more */
    AHEAD_MS = 60000,      /* a gate's clock may be so far before ours */
    SHORT_MS = 15 * 60000, /* how long a verdict holds by what ten minutes showed */
    LONG_MS = 4 * 3600000, /* and by what a day showed */
    DAY_SECONDS = 86400,
};
#define MANUAL_MS ((uint64_t)BLOCK_SECONDS_MAX * 1000) /* at most, by a person */

static bool open_norm(struct services *services, struct service *service)
{
    struct guard_err err;
    struct service_clients *clients = &service->clients;
    if (clients->opened)
        return clients->norm != NULL;
    clients->opened = true;
    struct guard_clients_cfg cfg = {.alloc = heap_alloc(),
                                    .service = service->name,
                                    .places = services->places,
                                    .support = service->guardian.support};
    memcpy(cfg.key, service->key, GUARD_KEY_BYTES);
    if (guard_clients_new(&clients->norm, &cfg, &err) != GUARD_OK) {
        log_event("alarm", "clients-not-counted", service->name, "%s", err.text);
        clients->norm = NULL;
        return false;
    }
    client_files_load(services, service, clock_unix_ms());
    return true;
}

/* --- telling --- */

static void tell(struct services *services, const struct service *service,
                 const struct guard_client_report *report, uint64_t time_ms)
{
    char text[ALERT_BYTES_MAX];
    char line[512];
    char id[ALERT_ID_CHARS + 1];
    uint8_t random[ALERT_ID_CHARS / 2];
    struct json_writer json;
    const struct guard_verdict *verdict = &report->verdict;
    if (random_bytes(random, sizeof(random)) != GUARD_OK)
        memset(random, 0, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(id + 2 * i, 3, "%02x", random[i]);
    guard_explain(verdict, report->method, report->template_text, line, sizeof(line));
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)time_ms);
    json_text(&json, "id", id);
    json_string(&json, "service", service->name);
    json_integer(&json, "generation", (int64_t)service->generation);
    json_text(&json, "verdict", guard_decision_name(verdict->decision));
    json_text(&json, "action", guard_decision_name(verdict->action));
    json_string(&json, "method", report->method);
    json_string(&json, "template", report->template_text);
    json_string(&json, "client", verdict->findings[0].observed);
    json_integer(&json, "status", 0);
    json_number(&json, "score", (double)verdict->score / 100.0);
    json_text(&json, "explanation", line);
    json_open(&json, "findings", '[');
    for (uint32_t i = 0; i < verdict->finding_count; i++)
        finding_json(&json, &verdict->findings[i], FINDING_OF_ALERT);
    json_close(&json, ']');
    json_close(&json, '}');
    if (!json.overflow)
        alerts_take(services->alerts, (struct guard_span){(const uint8_t *)text, json.len});
}

/* --- verdicts --- */

static bool lifted(const struct service_clients *clients, const char *text, uint64_t now_ms)
{
    for (uint32_t i = 0; i < clients->lift_count; i++) {
        if (clients->lifts[i].until_ms > now_ms && strcmp(clients->lifts[i].text, text) == 0)
            return true;
    }
    return false;
}

static void drop(struct service_clients *clients, uint32_t index)
{
    memmove(&clients->entries[index], &clients->entries[index + 1],
            (--clients->count - index) * sizeof(clients->entries[0]));
    clients->changed = true;
}

static bool is_manual(const struct client_entry *entry)
{
    return entry->verdict.rule == GUARD_RULE_CLIENT_MANUAL;
}

/* Who would be free first of those that no person blocked: these are fewer than the table has room
 * for. */
static uint32_t first_free(const struct service_clients *clients)
{
    uint32_t first = clients->count;
    for (uint32_t i = 0; i < clients->count; i++) {
        const struct client_entry *entry = &clients->entries[i];
        if (!is_manual(entry) &&
            (first == clients->count ||
             entry->verdict.until_ms < clients->entries[first].verdict.until_ms))
            first = i;
    }
    return first;
}

/* The entry of the code, or room for it in its place. A full table gives up who would be free
 * first. */
static struct client_entry *entry_for(struct service_clients *clients, uint64_t code)
{
    uint32_t at = 0;
    if (clients->entries == NULL)
        clients->entries = calloc(GUARD_CLIENT_VERDICTS_MAX, sizeof(clients->entries[0]));
    if (clients->entries == NULL)
        return NULL;
    if (clients->count == GUARD_CLIENT_VERDICTS_MAX)
        drop(clients, first_free(clients));
    while (at < clients->count && clients->entries[at].verdict.code < code)
        at++;
    struct client_entry *entry = &clients->entries[at];
    if (at < clients->count && entry->verdict.code == code)
        return entry;
    memmove(entry + 1, entry, (clients->count++ - at) * sizeof(*entry));
    memset(entry, 0, sizeof(*entry));
    entry->verdict.code = code;
    return entry;
}

static void condemn(struct service *service, const struct guard_client_report *report,
                    const char *text, uint64_t now_ms)
{
    const struct guard_finding *finding = &report->verdict.findings[0];
    struct client_entry *entry = entry_for(&service->clients, report->code);
    if (entry == NULL || is_manual(entry))
        return;
    uint64_t until = now_ms + (finding->values >= DAY_SECONDS ? LONG_MS : SHORT_MS);
    if (entry->since_ms == 0)
        entry->since_ms = now_ms;
    if (until > entry->verdict.until_ms)
        entry->verdict.until_ms = until;
    entry->verdict.rule = finding->rule;
    entry->verdict.detail = finding->detail;
    entry->verdict.expected = finding->expected;
    snprintf(entry->text, sizeof(entry->text), "%s", text);
    guard_explain_finding(finding, entry->why, sizeof(entry->why));
    service->clients.changed = true;
    log_event("warn", "client-blocked", service->name, "%s", entry->why);
}

void clients_observe(struct services *services, struct service *service, struct guard_span record,
                     uint64_t time_ms)
{
    static struct guard_client_report report;
    char text[CLIENT_TEXT_CAP];
    struct service_clients *clients = &service->clients;
    if (services->places == NULL || !open_norm(services, service) ||
        guard_clients_observe(clients->norm, clients->policy, service->guardian.client_mode, record,
                              &report) != GUARD_OK ||
        report.verdict.finding_count == 0)
        return;
    uint64_t now_ms = clock_unix_ms();
    struct guard_span who = report.verdict.findings[0].observed;
    snprintf(text, sizeof(text), "%.*s", (int)who.len, (const char *)who.ptr);
    if (lifted(clients, text, now_ms) && report.verdict.action == GUARD_BLOCK)
        report.verdict.action = GUARD_ALERT;
    if (report.verdict.action != GUARD_PASS)
        tell(services, service, &report, time_ms);
    bool fresh = time_ms + FRESH_MS > now_ms && time_ms < now_ms + AHEAD_MS;
    if (report.verdict.action == GUARD_BLOCK && report.code != 0 && fresh)
        condemn(service, &report, text, now_ms);
}

void clients_follow(struct services *services, struct service *service, uint8_t *bytes, size_t len)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_policy *policy = NULL;
    struct service_clients *clients = &service->clients;
    if (guard_policy_load(&policy, &heap, (struct guard_span){bytes, len}, service->name,
                          services->signing->public_key, NULL) != GUARD_OK) {
        free(bytes); /* the one before goes on */
        return;
    }
    if (clients->policy != NULL)
        guard_policy_unref(clients->policy);
    free(clients->policy_bytes);
    clients->policy = policy;
    clients->policy_bytes = bytes;
}

void clients_reported(struct services *services, struct service *service,
                      const struct client_entry *entry, uint64_t now_ms)
{
    struct service_clients *clients = &service->clients;
    if (services->places == NULL || !open_norm(services, service) || entry->verdict.code == 0 ||
        service->guardian.client_mode != GUARD_MODE_BLOCK || entry->verdict.until_ms <= now_ms ||
        entry->text[0] == '\0' || lifted(clients, entry->text, now_ms))
        return;
    struct client_entry *held = entry_for(clients, entry->verdict.code);
    if (held == NULL || is_manual(held) || held->verdict.until_ms >= entry->verdict.until_ms)
        return;
    uint64_t since = held->since_ms != 0 ? held->since_ms : now_ms;
    bool fresh = held->since_ms == 0;
    *held = *entry;
    held->since_ms = since;
    /* No longer than what one would get here. */
    if (held->verdict.until_ms > now_ms + LONG_MS)
        held->verdict.until_ms = now_ms + LONG_MS;
    clients->changed = true;
    if (fresh)
        log_event("warn", "client-blocked", service->name, "%s", held->why);
}

/* --- by the clock --- */

static bool manual_holds(const struct service *service, const struct client_entry *entry,
                         uint64_t now_ms)
{
    const struct service_clients *clients = &service->clients;
    if (service->guardian.client_mode == GUARD_MODE_OBSERVE || entry->verdict.until_ms <= now_ms)
        return false;
    for (uint32_t i = 0; i < clients->block_count; i++) {
        if (clients->blocks[i].until_ms == entry->verdict.until_ms &&
            strcmp(clients->blocks[i].client, entry->text) == 0)
            return true;
    }
    return false;
}

static void block(struct service *service, const struct client_block *block, const uint8_t key[16])
{
    struct guard_client client;
    uint8_t subject[GUARD_CLIENT_SUBJECT];
    uint64_t code =
        client_of_name(block->client, &client, subject) ? guard_client_code(key, &client) : 0;
    struct client_entry *entry = code != 0 ? entry_for(&service->clients, code) : NULL;
    if (entry == NULL || (is_manual(entry) && entry->verdict.until_ms == block->until_ms))
        return;
    entry->verdict = (struct guard_client_verdict){
        .code = code, .until_ms = block->until_ms, .rule = GUARD_RULE_CLIENT_MANUAL};
    entry->since_ms = block->since_ms;
    snprintf(entry->text, sizeof(entry->text), "%s", block->client);
    snprintf(entry->why, sizeof(entry->why), "%s", block->why);
    service->clients.changed = true;
    log_event("warn", "client-blocked", service->name, "%s: %s", entry->text, entry->why);
}

/* As patches that are enforced, it holds in the modes alert and block. */
static void block_by_people(const struct services *services, struct service *service,
                            uint64_t now_ms)
{
    uint8_t key[16];
    const struct service_clients *clients = &service->clients;
    if (clients->block_count == 0 || services->uplink != NULL ||
        service->guardian.client_mode == GUARD_MODE_OBSERVE)
        return;
    guard_client_table_key(key, service->key);
    for (uint32_t i = 0; i < clients->block_count; i++) {
        if (clients->blocks[i].until_ms > now_ms &&
            clients->blocks[i].until_ms <= now_ms + MANUAL_MS + AHEAD_MS)
            block(service, &clients->blocks[i], key);
    }
}

/* What is over, was lifted, or isn't wanted by the Guardian any more. */
static void end_verdicts(struct service *service, uint64_t now_ms)
{
    struct service_clients *clients = &service->clients;
    bool wanted = service->guardian.client_mode == GUARD_MODE_BLOCK;
    for (uint32_t i = clients->count; i-- > 0;) {
        struct client_entry *entry = &clients->entries[i];
        /* A clock that was set back far makes none of them last longer. */
        bool far = entry->verdict.until_ms > now_ms + LONG_MS + AHEAD_MS;
        bool holds = is_manual(entry) ? manual_holds(service, entry, now_ms)
                                      : wanted && !far && entry->verdict.until_ms > now_ms &&
                                            !lifted(clients, entry->text, now_ms);
        if (holds)
            continue;
        log_event("info", "client-free", service->name, "%s", entry->text);
        drop(clients, i);
    }
}

static void save_norm(struct services *services, struct service *service, uint64_t now_ms)
{
    struct service_clients *clients = &service->clients;
    struct guard_clients_stats stats;
    if (clients->norm == NULL)
        return;
    guard_clients_stats(clients->norm, &stats);
    clients->saved_ms = now_ms;
    if (stats.exchanges == clients->counted)
        return;
    clients->counted = stats.exchanges;
    client_files_norm(services, service);
    clients->changed = true; /* what people are shown of it */
}

/* A norm is large: a service that nobody asked for anything has none, unless there was one. */
static bool is_used(const struct services *services, struct service *service)
{
    struct guard_pile_stats stats;
    if (!service->clients.sought) {
        service->clients.sought = true;
        if (client_files_there(services, service))
            return true;
    }
    guard_pile_stats(service->pile, &stats);
    return stats.exchanges > 0 || client_files_decided(services, service);
}

void clients_tick(struct services *services, uint64_t now_ms)
{
    for (uint32_t i = 0; i < services->count; i++) {
        struct service *service = services->list[i];
        struct service_clients *clients = &service->clients;
        if (!clients->opened && (!is_used(services, service) || !open_norm(services, service)))
            continue;
        (void)client_files_lifts(services, service);
        end_verdicts(service, now_ms);
        block_by_people(services, service, now_ms);
        if (now_ms - clients->saved_ms >= SAVE_MS)
            save_norm(services, service, now_ms);
        /* Gates follow the table that the root signed. */
        if (services->uplink != NULL) {
            service->summary.clients = service->summary.clients || clients->changed;
            clients->changed = false;
        }
        if (clients->changed && (!clients->failing || now_ms - clients->tried_ms >= AGAIN_MS)) {
            clients->tried_ms = now_ms;
            clients->changed = !client_files_verdicts(services, service, now_ms);
        }
    }
}

void clients_save(struct services *services, uint64_t now_ms)
{
    for (uint32_t i = 0; i < services->count; i++) {
        save_norm(services, services->list[i], now_ms);
        if (services->list[i]->clients.changed && services->uplink == NULL)
            (void)client_files_verdicts(services, services->list[i], now_ms);
    }
}

uint32_t clients_forget(struct services *services, struct service *service, const char *who,
                        bool dry)
{
    struct service_clients *clients = &service->clients;
    uint32_t count = 0;
    if (services->places == NULL || !open_norm(services, service))
        return 0;
    for (uint32_t i = clients->count; i-- > 0;) {
        const char *text = clients->entries[i].text;
        if (!client_is(who, (struct guard_span){(const uint8_t *)text, strlen(text)}))
            continue;
        count++;
        if (!dry)
            drop(clients, i);
    }
    if (clients->changed && !dry)
        clients->changed = !client_files_verdicts(services, service, clock_unix_ms());
    return count;
}

void clients_rekey(struct service_clients *clients)
{
    guard_clients_free(clients->norm);
    clients->norm = NULL;
    clients->count = 0;
    clients->block_count = 0;
    clients->lifts_stamp = 0; /* codes are of the key */
    clients->opened = false;
}

void clients_free(struct service_clients *clients)
{
    guard_clients_free(clients->norm);
    if (clients->policy != NULL)
        guard_policy_unref(clients->policy);
    free(clients->policy_bytes);
    free(clients->entries);
    free(clients->lifts);
    free(clients->blocks);
}
