/* SPDX-License-Identifier: Apache-2.0 */
/* The queue as people and programs read it. Of what clients sent only shapes and names are shown,
 * as by `guard show`. */
#include "review_queue.h"

#include "alert_log.h"
#include "command.h"
#include "common/json_writer.h"
#include "common/review_text.h"

#include <guard/likeness.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_MAX = 16 * 1024 };

/* "SQL, shell" */
static const char *likeness_text(char out[256], uint32_t likeness)
{
    size_t len = 0;
    out[0] = '\0';
    for (int i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if ((likeness >> i & 1) != 0 && len < 256)
            len += (size_t)snprintf(out + len, 256 - len, "%s%s", len > 0 ? ", " : "",
                                    guard_likeness_words((enum guard_likeness)i));
    }
    return out;
}

static const char *lacks(char out[REVIEW_LACKS_MAX], const struct review_service *service,
                         const struct guard_review_pending *pending)
{
    if (pending >= service->model->pending + service->held_from)
        return "its turn: too much is new at once";
    return review_lacks(out, service->guardian.support, pending);
}

/* Of things with a name: of others piles don't keep it. */
static void print_first(const struct guard_review_pending *pending)
{
    char when[32];
    enum guard_review_kind kind = pending->element.kind;
    if (pending->first_s != 0)
        printf("; first at %s", alert_time(when, (double)pending->first_s * 1000));
    else if (kind == GUARD_REVIEW_PATH || kind == GUARD_REVIEW_METHOD ||
             kind == GUARD_REVIEW_NAME || kind == GUARD_REVIEW_CONTENT_TYPE)
        printf("; when first isn't known");
}

static void print_sum(const struct review_sum *sum)
{
    char when[32];
    if (sum->reported == 0)
        return;
    printf("                reported %" PRIu64 " times", sum->reported);
    if (sum->blocked > 0)
        printf(", blocked %" PRIu64 " times", sum->blocked);
    printf(", last at %s", alert_time(when, sum->last_ms));
    if (sum->state != NULL)
        printf("; triaged: %s", sum->state);
    putchar('\n');
}

static void print_pending(const struct review_service *service, struct review_reports *reports,
                          const struct guard_review_pending *pending)
{
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char title[REVIEW_LINE_MAX];
    char text[256];
    char missing[REVIEW_LACKS_MAX];
    guard_review_id(id, service->name, &pending->element);
    printf("  %s  %s\n", id, review_title(title, &pending->element));
    printf("                %" PRIu64 " records from %" PRIu32 " clients in %" PRIu32
           " epochs; lacks %s",
           pending->records, pending->clients, pending->epochs, lacks(missing, service, pending));
    print_first(pending);
    putchar('\n');
    if (pending->likeness != 0)
        printf("                READS LIKE AN ATTACK: %s\n",
               likeness_text(text, pending->likeness));
    struct review_sum sum = review_reports_of(reports, service, &pending->element);
    print_sum(&sum);
}

static void print_decision(const struct review_service *service, uint32_t at)
{
    const struct guard_review_entry *entry = &service->document.entries[at];
    const struct review_note *note = &service->document.notes[at];
    char id[GUARD_REVIEW_ID_CHARS + 1];
    char title[REVIEW_LINE_MAX];
    char when[32];
    guard_review_id(id, service->name, &entry->element);
    printf("  %s  %s\n                %s at %s by ", id, review_title(title, &entry->element),
           entry->decision == GUARD_REVIEW_ACCEPTED ? "accepted" : "refused",
           alert_time(when, (double)note->time_ms));
    print_clean((const char *)note->by.ptr, note->by.len);
    printf(": ");
    print_clean((const char *)note->why.ptr, note->why.len);
    putchar('\n');
}

/* Places where people must know that nothing waits: what is blocked isn't learned. */
static bool stands_alone(const struct review_service *service, const struct review_report *report)
{
    return !report->shown && strcmp(report->part, "client") != 0 &&
           strlen(report->service) == service->name.len &&
           memcmp(report->service, service->name.ptr, service->name.len) == 0 &&
           (report->state == NULL || strcmp(report->state, "true") != 0);
}

/* What was called harmless first, then the most frequent. */
static int order_reports(const void *left, const void *right)
{
    const struct review_report *a = left;
    const struct review_report *b = right;
    if ((a->state != NULL) != (b->state != NULL))
        return a->state != NULL ? -1 : 1;
    if (a->reported != b->reported)
        return a->reported > b->reported ? -1 : 1;
    return (a->last_ms < b->last_ms) - (a->last_ms > b->last_ms);
}

static void print_report(const struct review_report *report)
{
    char when[32];
    char texts[4][512];
    printf("  %s %s", clean(texts[0], 512, report->method, strlen(report->method)),
           clean(texts[1], 512, report->path, strlen(report->path)));
    printf(" %s %s: %s\n", clean(texts[2], 512, report->location, strlen(report->location)),
           clean(texts[3], 512, report->name, strlen(report->name)), report->rule);
    printf("                reported %" PRIu64 " times, blocked %" PRIu64 " times, last at %s",
           report->reported, report->blocked, alert_time(when, report->last_ms));
    if (report->state != NULL)
        printf("; triaged: %s", report->state);
    printf("; guard explain %s\n", clean(texts[0], 512, report->id, strlen(report->id)));
}

static void print_reports(const struct review_service *service, struct review_reports *reports)
{
    uint32_t shown = 0, more = 0;
    if (reports->count > 0)
        qsort(reports->list, reports->count, sizeof(*reports->list), order_reports);
    for (uint32_t i = 0; i < reports->count; i++) {
        if (!stands_alone(service, &reports->list[i]))
            continue;
        if (shown == REVIEW_PLACES_MAX) {
            more++;
            continue;
        }
        if (shown++ == 0)
            printf("reported, and not waiting here\n");
        print_report(&reports->list[i]);
    }
    if (more > 0 || reports->left_out > 0)
        printf("  and %" PRIu64 " places more\n", more + reports->left_out);
}

static uint32_t waiting(const struct review_service *service)
{
    uint32_t count = 0;
    for (uint32_t i = 0; service->model != NULL && i < service->model->pending_count; i++)
        count += service->model->pending[i].decision == GUARD_REVIEW_WAITING;
    return count;
}

/* With those that a model has no room for. */
static uint32_t waiting_total(const struct review_service *service)
{
    return service->model == NULL
               ? 0
               : waiting(service) + service->model->pending_total - service->model->pending_count;
}

uint32_t review_print_text(const struct review_service *service, struct review_reports *reports,
                           uint32_t room)
{
    uint32_t shown = 0;
    printf("%.*s: %" PRIu32 " waiting, %" PRIu32 " decided\n", (int)service->name.len,
           (const char *)service->name.ptr, waiting_total(service), service->document.count);
    for (uint32_t i = 0; service->model != NULL && i < service->model->pending_count; i++) {
        const struct guard_review_pending *pending = &service->model->pending[i];
        if (pending->decision != GUARD_REVIEW_WAITING)
            (void)review_reports_of(reports, service, &pending->element);
        else if (shown < room && shown < REVIEW_SHOWN_MAX) {
            print_pending(service, reports, pending);
            shown++;
        }
    }
    if (waiting_total(service) > shown)
        printf("  and %" PRIu32 " more\n", waiting_total(service) - shown);
    if (service->document.count > 0)
        printf("decided\n");
    for (uint32_t i = 0; i < service->document.count; i++)
        print_decision(service, i);
    print_reports(service, reports);
    return shown;
}

/* --- for programs --- */

static void print_line(const struct json_writer *json)
{
    if (!json->overflow)
        printf("%.*s\n", (int)json->len, json->ptr);
}

static void json_pending(const struct review_service *service, struct review_reports *reports,
                         const struct guard_review_pending *pending)
{
    char line[JSON_MAX];
    char missing[REVIEW_LACKS_MAX];
    struct json_writer json;
    struct review_sum sum = review_reports_of(reports, service, &pending->element);
    json_writer_init(&json, line, sizeof(line));
    json_open(&json, NULL, '{');
    json_text(&json, "state", guard_review_decision_name(pending->decision));
    review_json_element(&json, service->name, &pending->element);
    json_integer(&json, "records", (int64_t)pending->records);
    json_integer(&json, "clients", pending->clients);
    json_integer(&json, "epochs", pending->epochs);
    json_integer(&json, "first_ms", (int64_t)pending->first_s * 1000);
    json_text(&json, "lacks", lacks(missing, service, pending));
    json_open(&json, "likeness", '[');
    for (int i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if ((pending->likeness >> i & 1) != 0)
            json_text(&json, NULL, guard_likeness_name((enum guard_likeness)i));
    }
    json_close(&json, ']');
    json_integer(&json, "reported", (int64_t)sum.reported);
    json_integer(&json, "blocked", (int64_t)sum.blocked);
    json_integer(&json, "last_ms", (int64_t)sum.last_ms);
    json_text(&json, "triage", sum.state != NULL ? sum.state : "");
    json_close(&json, '}');
    print_line(&json);
}

static void json_decision(const struct review_service *service, uint32_t at)
{
    char line[JSON_MAX];
    struct json_writer json;
    const struct guard_review_entry *entry = &service->document.entries[at];
    const struct review_note *note = &service->document.notes[at];
    json_writer_init(&json, line, sizeof(line));
    json_open(&json, NULL, '{');
    json_text(&json, "state", guard_review_decision_name(entry->decision));
    review_json_element(&json, service->name, &entry->element);
    json_string(&json, "by", note->by);
    json_string(&json, "why", note->why);
    json_integer(&json, "time_ms", (int64_t)note->time_ms);
    json_close(&json, '}');
    print_line(&json);
}

static void json_report(const struct review_report *report)
{
    char line[JSON_MAX];
    struct json_writer json;
    json_writer_init(&json, line, sizeof(line));
    json_open(&json, NULL, '{');
    json_text(&json, "state", "reported");
    json_text(&json, "service", report->service);
    json_text(&json, "method", report->method);
    json_text(&json, "path", report->path);
    json_text(&json, "part", report->part);
    json_text(&json, "in", report->location);
    json_text(&json, "name", report->name);
    json_text(&json, "rule", report->rule);
    json_integer(&json, "reported", (int64_t)report->reported);
    json_integer(&json, "blocked", (int64_t)report->blocked);
    json_integer(&json, "last_ms", (int64_t)report->last_ms);
    json_text(&json, "triage", report->state != NULL ? report->state : "");
    json_text(&json, "alert", report->id);
    json_close(&json, '}');
    print_line(&json);
}

uint32_t review_print_json(const struct review_service *service, struct review_reports *reports,
                           uint32_t room)
{
    uint32_t shown = 0, places = 0;
    for (uint32_t i = 0; service->model != NULL && i < service->model->pending_count; i++) {
        const struct guard_review_pending *pending = &service->model->pending[i];
        if (pending->decision != GUARD_REVIEW_WAITING) {
            (void)review_reports_of(reports, service, &pending->element);
        } else if (shown < room && shown < REVIEW_SHOWN_MAX) {
            json_pending(service, reports, pending);
            shown++;
        }
    }
    for (uint32_t i = 0; i < service->document.count; i++)
        json_decision(service, i);
    if (reports->count > 0)
        qsort(reports->list, reports->count, sizeof(*reports->list), order_reports);
    for (uint32_t i = 0; i < reports->count && places < REVIEW_PLACES_MAX; i++) {
        if (!stands_alone(service, &reports->list[i]))
            continue;
        json_report(&reports->list[i]);
        places++;
    }
    if (waiting_total(service) > shown) {
        char line[512];
        struct json_writer json;
        json_writer_init(&json, line, sizeof(line));
        json_open(&json, NULL, '{');
        json_text(&json, "state", "more");
        json_string(&json, "service", service->name);
        json_integer(&json, "count", waiting_total(service) - shown);
        json_close(&json, '}');
        print_line(&json);
    }
    return shown;
}
