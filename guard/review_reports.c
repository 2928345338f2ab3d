/* SPDX-License-Identifier: Apache-2.0 */
/* The log of alerts by place and rule, so that who reviews sees what keeps being reported where
 * something waits, and where nothing waits because it is blocked. */
#include "review_queue.h"

#include "alert_log.h"
#include "command.h"
#include "common/review_match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct review_reports *reports;
    const char *id; /* of the only alert; NULL: all */
    struct triage triage;
};

static void copy(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%s", text);
}

/* FNV-1a: places are told apart by it, then compared. */
static uint64_t hash_texts(const char *const *texts, size_t count)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < count; i++) {
        for (const char *at = texts[i];; at++) {
            hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
            if (*at == '\0')
                break;
        }
    }
    return hash;
}

static bool same(const struct review_report *a, const struct review_report *b)
{
    return a->key == b->key && strcmp(a->service, b->service) == 0 &&
           strcmp(a->method, b->method) == 0 && strcmp(a->path, b->path) == 0 &&
           strcmp(a->part, b->part) == 0 && strcmp(a->location, b->location) == 0 &&
           strcmp(a->name, b->name) == 0 && strcmp(a->rule, b->rule) == 0 &&
           strcmp(a->observed, b->observed) == 0;
}

static bool room_for_one(struct review_reports *reports)
{
    if (reports->count == REVIEW_ALERTS_MAX) {
        reports->left_out++;
        return false;
    }
    if (reports->count % 256 == 0) {
        void *grown = realloc(reports->list, (reports->count + 256) * sizeof(*reports->list));
        if (grown == NULL)
            return false;
        reports->list = grown;
    }
    return true;
}

static struct review_report *find(struct review_reports *reports, const struct review_report *like)
{
    uint32_t at = (uint32_t)(like->key % REVIEW_SLOTS);
    for (; reports->slots[at] != 0; at = (at + 1) % REVIEW_SLOTS) {
        if (same(&reports->list[reports->slots[at] - 1], like))
            return &reports->list[reports->slots[at] - 1];
    }
    if (!room_for_one(reports))
        return NULL;
    reports->list[reports->count] = *like;
    reports->slots[at] = ++reports->count;
    return &reports->list[reports->count - 1];
}

static void take_finding(struct reading *reading, const struct document_node *alert,
                         const struct document_node *finding)
{
    struct review_report like = {.key = 0};
    copy(like.service, sizeof(like.service), text_of(alert, "service"));
    copy(like.method, sizeof(like.method), text_of(alert, "method"));
    copy(like.path, sizeof(like.path), text_of(alert, "template"));
    copy(like.part, sizeof(like.part), text_of(finding, "part"));
    copy(like.location, sizeof(like.location), text_of(finding, "location"));
    copy(like.name, sizeof(like.name), text_of(finding, "name"));
    copy(like.rule, sizeof(like.rule), text_of(finding, "rule"));
    review_observed(like.observed, sizeof(like.observed), text_of(finding, "observed"));
    const char *const texts[] = {like.service,  like.method, like.path, like.part,
                                 like.location, like.name,   like.rule, like.observed};
    like.key = hash_texts(texts, sizeof(texts) / sizeof(texts[0]));
    struct review_report *report = find(reading->reports, &like);
    if (report == NULL)
        return;
    double count = number_of(alert, "count");
    uint64_t times = count >= 1 && count < 1e15 ? (uint64_t)count : 1;
    const struct triage_word *word = triage_of(&reading->triage, alert);
    report->reported += times;
    if (strcmp(text_of(alert, "action"), "block") == 0)
        report->blocked += times;
    if (number_of(alert, "time_ms") >= report->last_ms) {
        report->last_ms = number_of(alert, "time_ms");
        copy(report->id, sizeof(report->id), text_of(alert, "id"));
        copy(report->explanation, sizeof(report->explanation), text_of(alert, "explanation"));
    }
    if (word != NULL)
        report->state = word->state;
}

static void take(void *ctx, const struct document_node *alert, struct guard_span line)
{
    const struct reading *reading = ctx;
    const struct document_node *list = member_of(alert, "findings");
    (void)line;
    if (list == NULL || list->kind != DOCUMENT_SEQUENCE ||
        (reading->id != NULL && strcmp(text_of(alert, "id"), reading->id) != 0))
        return;
    for (const struct document_node *node = list->first; node != NULL; node = node->next)
        take_finding(ctx, alert, node);
}

bool review_reports_read(struct review_reports *reports, const char *dir, const char *id)
{
    struct reading reading = {.reports = reports, .id = id};
    bool any;
    memset(reports, 0, sizeof(*reports));
    bool good = triage_read(&reading.triage, dir) && alert_log_all(dir, take, &reading, &any);
    triage_free(&reading.triage); /* its states are static texts */
    return good;
}

void review_reports_free(struct review_reports *reports)
{
    free(reports->list);
    memset(reports, 0, sizeof(*reports));
}

/* --- which of them tell of a thing --- */

bool review_report_tells(const struct review_report *report, const struct review_service *service,
                         const struct guard_review_element *element)
{
    const struct review_seen seen = {report->method,   report->path, report->part,
                                     report->location, report->name, report->rule,
                                     report->observed};
    return strlen(report->service) == service->name.len &&
           memcmp(report->service, service->name.ptr, service->name.len) == 0 &&
           review_tells_of(&seen, element);
}

struct review_sum review_reports_of(struct review_reports *reports,
                                    const struct review_service *service,
                                    const struct guard_review_element *element)
{
    struct review_sum sum = {0};
    for (uint32_t i = 0; i < reports->count; i++) {
        struct review_report *report = &reports->list[i];
        if (!review_report_tells(report, service, element))
            continue;
        report->shown = true;
        sum.reported += report->reported;
        sum.blocked += report->blocked;
        if (report->state != NULL && (sum.state == NULL || report->last_ms >= sum.last_ms))
            sum.state = report->state;
        if (report->last_ms > sum.last_ms)
            sum.last_ms = report->last_ms;
    }
    return sum;
}
