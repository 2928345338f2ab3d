/* SPDX-License-Identifier: Apache-2.0 */
/* The node's side: nothing is gathered twice. Alerts wait in the node's own log, which is durable;
 * all else is small and is sent as it stands. */
#include "guardd/tree/summary.h"

#include "guardd/pods/gates_told.h"
#include "guardd/service.h"

#include "common/file.h"
#include "common/json_writer.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char alerts_file[] = "alerts.jsonl";

void summary_free(struct summary *summary)
{
    free(summary->novel);
    summary->novel = NULL;
}

void summary_open(struct service *service, struct guard_span position)
{
    char text[LOG_POSITION_CAP];
    struct summary *summary = &service->summary;
    summary->opened = true;
    summary->clients = true;
    summary->revisions = service->revisions.count > 0;
    if (position.len == 0 || position.len >= sizeof(text))
        return;
    memcpy(text, position.ptr, position.len);
    text[position.len] = '\0';
    if (!log_position_read(text, &summary->alerts))
        summary->alerts = (struct log_position){0};
}

void summary_position(const struct service *service, char out[LOG_POSITION_CAP])
{
    log_position_write(&service->summary.alerts, out);
}

/* --- gathering --- */

static bool is_from(const struct summary_novel *novel, const struct guard_client *client)
{
    return novel->unit == client->unit && novel->address_len == client->address_len &&
           novel->subject_len == client->subject.len &&
           memcmp(novel->address, client->address, sizeof(novel->address)) == 0 &&
           (novel->subject_len == 0 ||
            memcmp(novel->subject, client->subject.ptr, novel->subject_len) == 0);
}

/* Nobody takes the room of all others: a release is told by how many clients begin it. */
static bool has_share(const struct summary *summary, const struct guard_client *client)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < summary->novel_count; i++)
        count += is_from(&summary->novel[i], client);
    return count < SUMMARY_NOVEL_CLIENT;
}

static void add_novel(struct summary *summary, const struct guard_record_head *head)
{
    if (summary->novel == NULL)
        summary->novel = calloc(SUMMARY_NOVEL_MAX, sizeof(summary->novel[0]));
    if (summary->novel == NULL || summary->novel_count == SUMMARY_NOVEL_MAX ||
        head->client.subject.len > SUMMARY_SUBJECT_MAX || !has_share(summary, &head->client)) {
        summary->novel_dropped++;
        return;
    }
    struct summary_novel *novel = &summary->novel[summary->novel_count++];
    *novel = (struct summary_novel){.time_ms = head->time_ms,
                                    .status = head->status,
                                    .decision = head->decision,
                                    .unit = head->client.unit,
                                    .address_len = head->client.address_len,
                                    .subject_len = (uint8_t)head->client.subject.len,
                                    .count = head->novel_count};
    memcpy(novel->address, head->client.address, sizeof(novel->address));
    if (head->client.subject.len > 0)
        memcpy(novel->subject, head->client.subject.ptr, head->client.subject.len);
    memcpy(novel->elements, head->novel_elements, sizeof(novel->elements));
}

void summary_observe(struct services *services, struct service *service,
                     const struct guard_record_head *head, uint64_t now_ms)
{
    struct summary *summary = &service->summary;
    (void)services;
    if (revisions_observe(&service->revisions, head->revision, now_ms, 0)) {
        summary->revisions = true;
        service->dirty = true;
    }
    if (head->novel)
        add_novel(summary, head);
    breaker_observe(&service->breaker, head, now_ms);
}

static bool breaker_due(const struct service *service, uint64_t now_ms)
{
    const struct summary *summary = &service->summary;
    return service->generation > 0 &&
           (service->breaker.count > 0 || service->breaker.reports[0].reporter != 0) &&
           (now_ms < summary->breaker_ms || now_ms - summary->breaker_ms >= SUMMARY_BREAKER_MS);
}

bool summary_alerts_left(const struct services *services, const struct service *service)
{
    const struct log_position *at = &service->summary.alerts;
    struct log_position newest;
    log_newest(services->state, alerts_file, &newest);
    return newest.inode != 0 && (newest.inode != at->inode || newest.offset != at->offset);
}

bool summary_due(struct services *services, struct service *service, uint64_t now_ms)
{
    const struct summary *summary = &service->summary;
    if (!summary->opened || summary->sending ||
        (now_ms < summary->next_ms && summary->next_ms - now_ms <= 60 * 1000))
        return false;
    if (summary->revisions || summary->clients || summary->novel_count > 0 ||
        history_in_flight(&service->history) || breaker_due(service, now_ms) ||
        gates_due(service, now_ms))
        return true;
    return summary_alerts_left(services, service);
}

/* --- the document --- */

struct gathering {
    struct json_writer *json;
    uint32_t count;
    size_t bytes;
};

/* Lines are JSON texts of our own. */
static bool take_line(void *ctx, struct guard_span line)
{
    struct gathering *gathering = ctx;
    struct json_writer *json = gathering->json;
    if (gathering->count == SUMMARY_ALERTS_MAX ||
        gathering->bytes + line.len > SUMMARY_ALERTS_BYTES || json->cap - json->len < line.len + 64)
        return false;
    if (line.len < 2 || line.ptr[0] != '{' || line.ptr[line.len - 1] != '}')
        return true;
    if (gathering->count > 0)
        json->ptr[json->len++] = ',';
    memcpy(json->ptr + json->len, line.ptr, line.len);
    json->len += line.len;
    json->comma = true;
    gathering->count++;
    gathering->bytes += line.len;
    return true;
}

/* How many lines. */
static uint32_t write_alerts(struct services *services, struct service *service,
                             struct json_writer *json)
{
    struct summary *summary = &service->summary;
    struct log_filter filter = {.count = 0};
    struct gathering gathering = {.json = json};
    char place[LOG_POSITION_CAP];
    bool gap = false;
    summary->alerts_sent = summary->alerts;
    (void)log_filter_add(&filter, "service", service->name_text);
    json_open(json, "alerts", '{');
    log_position_write(&summary->alerts, place);
    json_text(json, "from", place);
    json_open(json, "lines", '[');
    (void)log_scan_on(&summary->alerts_sent, &filter, services->state, alerts_file, take_line,
                      &gathering, &gap);
    json_close(json, ']');
    log_position_write(&summary->alerts_sent, place);
    json_text(json, "to", place);
    json_close(json, '}');
    if (gap)
        log_event("alarm", "alerts-not-told", service->name, "%s",
                  "some were no longer kept when the parent could be told of them");
    return gathering.count;
}

static void write_hex(struct json_writer *json, const char *name, const uint8_t *bytes, size_t len)
{
    char text[2 * SUMMARY_SUBJECT_MAX + 1] = "";
    for (size_t i = 0; i < len; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    json_text(json, name, text);
}

static void write_novel(const struct summary_novel *novel, struct json_writer *json)
{
    json_open(json, NULL, '{');
    json_integer(json, "time_ms", (int64_t)novel->time_ms);
    json_integer(json, "status", novel->status);
    json_integer(json, "decision", (int64_t)novel->decision);
    json_integer(json, "unit", (int64_t)novel->unit);
    write_hex(json, "address", novel->address, novel->address_len);
    write_hex(json, "subject", novel->subject, novel->subject_len);
    json_open(json, "elements", '[');
    for (uint32_t i = 0; i < novel->count && i < GUARD_NOVEL_MAX; i++)
        write_hex(json, NULL, (const uint8_t *)&novel->elements[i], sizeof(novel->elements[i]));
    json_close(json, ']');
    json_close(json, '}');
}

static void write_count(const char *name, const struct breaker_count *count,
                        struct json_writer *json)
{
    json_open(json, name, '{');
    json_integer(json, "seen", count->seen);
    json_integer(json, "blocked", count->blocked);
    json_close(json, '}');
}

static void write_breaker(struct service *service, struct json_writer *json)
{
    struct breaker_count in_force;
    struct breaker_count before;
    (void)breaker_tripped(&service->breaker, 0, &in_force, &before);
    json_open(json, "breaker", '{');
    json_integer(json, "generation", (int64_t)service->generation);
    write_count("in_force", &in_force, json);
    write_count("before", &before, json);
    json_close(json, '}');
}

static void write_clients(const struct service_clients *clients, struct json_writer *json)
{
    char code[20];
    json_open(json, "clients", '[');
    for (uint32_t i = 0; i < clients->count && i < SUMMARY_CLIENTS_MAX; i++) {
        const struct client_entry *entry = &clients->entries[i];
        snprintf(code, sizeof(code), "%016" PRIx64, entry->verdict.code);
        json_open(json, NULL, '{');
        json_text(json, "client", entry->text);
        json_text(json, "code", code);
        json_text(json, "rule", guard_rule_name(entry->verdict.rule));
        json_integer(json, "detail", entry->verdict.detail);
        json_integer(json, "expected", entry->verdict.expected);
        json_integer(json, "until_ms", (int64_t)entry->verdict.until_ms);
        json_text(json, "why", entry->why);
        json_close(json, '}');
    }
    json_close(json, ']');
}

/* False: there is nothing to tell. */
static bool write_document(struct services *services, struct service *service,
                           struct json_writer *json, uint64_t now_ms)
{
    struct summary *summary = &service->summary;
    bool any = summary->revisions || summary->clients || summary->novel_count > 0 ||
               history_in_flight(&service->history) || breaker_due(service, now_ms);
    json_open(json, NULL, '{');
    json_text(json, "node", services->node_id);
    json_open(json, "revisions", '[');
    for (uint32_t i = 0; i < service->revisions.count; i++)
        json_text(json, NULL, service->revisions.list[i].text);
    json_close(json, ']');
    json_open(json, "novel", '[');
    summary->novel_in_flight = summary->novel_count;
    for (uint32_t i = 0; i < summary->novel_count; i++)
        write_novel(&summary->novel[i], json);
    json_close(json, ']');
    if (breaker_due(service, now_ms))
        write_breaker(service, json);
    write_clients(&service->clients, json);
    if (history_in_flight(&service->history))
        history_write(&service->history, json);
    any = write_alerts(services, service, json) > 0 || any;
    if (service->withdrawals.gates.count > 0) /* last: as many as there is room for */
        any = gates_write(service, json, now_ms) > 0 || any;
    json_close(json, '}');
    return any;
}

uint8_t *summary_write(struct services *services, struct service *service, size_t *len,
                       uint64_t now_ms)
{
    struct json_writer json;
    char *text = malloc(SUMMARY_BYTES_MAX);
    if (text == NULL)
        return NULL;
    json_writer_init(&json, text, SUMMARY_BYTES_MAX);
    bool any = write_document(services, service, &json, now_ms);
    if (!any) /* what came to the log was of other services */
        service->summary.alerts = service->summary.alerts_sent;
    if (json.overflow || !any) {
        gates_sent(service, false);
        free(text);
        return NULL;
    }
    service->summary.sending = true;
    *len = json.len;
    return (uint8_t *)text;
}

void summary_sent(struct services *services, struct service *service, bool good, uint64_t now_ms)
{
    struct summary *summary = &service->summary;
    (void)services;
    summary->sending = false;
    summary->next_ms = now_ms + SUMMARY_EVERY_MS;
    gates_sent(service, good);
    if (!good)
        return;
    uint32_t left = summary->novel_count - summary->novel_in_flight;
    if (summary->novel != NULL)
        memmove(summary->novel, summary->novel + summary->novel_in_flight,
                left * sizeof(summary->novel[0]));
    summary->novel_count = left;
    summary->alerts = summary->alerts_sent;
    summary->revisions = false;
    summary->clients = false;
    summary->breaker_ms = now_ms;
    history_sent(&service->history);
    service->dirty = true; /* the position */
}
