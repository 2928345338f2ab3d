/* SPDX-License-Identifier: Apache-2.0 */
/* Counts are exact. Clients and reasons live in tables of fixed size: what no longer fits is
 * counted as such, and the report says so. */
#include "whatif_report.h"

#include "command.h"
#include "common/eval_interval.h"
#include "common/json_writer.h"

#include <guard/crypto.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLIENTS_MAX = 49152,   /* three quarters of the slots: probing stays short */
    CLIENT_SLOTS = 65536,  /* a power of two */
    REASONS_MAX = 512,     /* far more than anybody reads */
    REASON_TEXT_MAX = 512, /* of the finding */
    REASON_ID_MAX = 128,
};
static const double day_ms = 86400e3;
static const double shortest_span_ms = 3600e3; /* below an hour "a day" would be a guess */

struct client {
    uint64_t hash; /* 0: free */
    bool blocked[WHATIF_SIDES];
};

struct reason {
    uint64_t key;
    uint64_t count;
    enum guard_decision from;
    enum guard_decision to;
    char text[REASON_TEXT_MAX];
    char id[REASON_ID_MAX]; /* of the first exchange */
};

struct whatif_report {
    uint64_t actions[WHATIF_SIDES][GUARD_BLOCK + 1];
    uint64_t exchanges;
    uint64_t changed;
    uint64_t unlisted; /* changed ones whose reason has no place in the table */
    uint64_t first_ms; /* of those that tell their time */
    uint64_t last_ms;
    uint32_t client_count;
    bool more_clients;
    uint64_t blocked_clients[WHATIF_SIDES];
    uint32_t reason_count;
    struct reason reasons[REASONS_MAX];
    struct client clients[CLIENT_SLOTS];
};

struct whatif_report *whatif_report_new(void)
{
    struct whatif_report *report = calloc(1, sizeof(*report));
    if (report != NULL)
        report->first_ms = UINT64_MAX;
    return report;
}

void whatif_report_free(struct whatif_report *report)
{
    free(report);
}

/* NULL: the table is full, or the exchange names none. */
static struct client *client_of(struct whatif_report *report, struct guard_span name)
{
    if (name.len == 0)
        return NULL;
    uint64_t hash = guard_checksum(1, name);
    hash += hash == 0;
    for (uint64_t at = hash;; at++) {
        struct client *client = &report->clients[at % CLIENT_SLOTS];
        if (client->hash == hash)
            return client;
        if (client->hash != 0)
            continue;
        if (report->client_count == CLIENTS_MAX) {
            report->more_clients = true;
            return NULL;
        }
        report->client_count++;
        client->hash = hash;
        return client;
    }
}

static void note_client(struct whatif_report *report, const struct guard_exchange *exchange,
                        const struct whatif_judged judged[WHATIF_SIDES])
{
    struct client *client = client_of(report, exchange->client);
    for (int side = 0; client != NULL && side < WHATIF_SIDES; side++) {
        if (judged[side].verdict->action != GUARD_BLOCK || client->blocked[side])
            continue;
        client->blocked[side] = true;
        report->blocked_clients[side]++;
    }
}

enum whatif_side whatif_graver(const struct whatif_judged judged[WHATIF_SIDES])
{
    return judged[WHATIF_BEFORE].verdict->action > judged[WHATIF_AFTER].verdict->action
               ? WHATIF_BEFORE
               : WHATIF_AFTER;
}

/* "GET /users/{int} param name: ...", without what a terminal would obey. */
static void describe(const struct whatif_judged *judged, char out[REASON_TEXT_MAX])
{
    char finding[REASON_TEXT_MAX] = "";
    char whole[2 * REASON_TEXT_MAX];
    struct guard_span method = guard_txn_method(judged->txn);
    struct guard_span path = guard_txn_template(judged->txn);
    if (judged->verdict->finding_count > 0)
        guard_explain_finding(&judged->verdict->findings[0], finding, sizeof(finding));
    int len =
        snprintf(whole, sizeof(whole), "%.*s %.*s %s", (int)(method.len < 32 ? method.len : 32),
                 (const char *)method.ptr, (int)(path.len < 400 ? path.len : 400),
                 path.len > 0 ? (const char *)path.ptr : "", finding);
    clean(out, REASON_TEXT_MAX, whole, len > 0 ? (size_t)len : 0);
}

/* Two changes have one reason when the same rule speaks of the same place at the same endpoint. */
static uint64_t reason_key(const struct whatif_judged judged[WHATIF_SIDES],
                           const struct whatif_judged *graver)
{
    uint64_t hash = guard_checksum(2, guard_txn_method(graver->txn));
    hash = guard_checksum(hash, guard_txn_template(graver->txn));
    uint32_t rest[5] = {judged[WHATIF_BEFORE].verdict->action,
                        judged[WHATIF_AFTER].verdict->action};
    if (graver->verdict->finding_count > 0) {
        const struct guard_finding *finding = &graver->verdict->findings[0];
        hash = guard_checksum(hash, finding->name);
        rest[2] = finding->part;
        rest[3] = finding->location;
        rest[4] = finding->rule + 1U;
    }
    return guard_checksum(hash, (struct guard_span){(const uint8_t *)rest, sizeof(rest)});
}

static void note_reason(struct whatif_report *report, const struct guard_exchange *exchange,
                        const struct whatif_judged judged[WHATIF_SIDES])
{
    const struct whatif_judged *graver = &judged[whatif_graver(judged)];
    uint64_t key = reason_key(judged, graver);
    for (uint32_t i = 0; i < report->reason_count; i++) {
        if (report->reasons[i].key == key) {
            report->reasons[i].count++;
            return;
        }
    }
    if (report->reason_count == REASONS_MAX) {
        report->unlisted++;
        return;
    }
    struct reason *reason = &report->reasons[report->reason_count++];
    reason->key = key;
    reason->count = 1;
    reason->from = judged[WHATIF_BEFORE].verdict->action;
    reason->to = judged[WHATIF_AFTER].verdict->action;
    describe(graver, reason->text);
    clean(reason->id, sizeof(reason->id), (const char *)exchange->id.ptr, exchange->id.len);
}

bool whatif_report_add(struct whatif_report *report, const struct guard_exchange *exchange,
                       const struct whatif_judged judged[WHATIF_SIDES])
{
    bool changed = judged[WHATIF_BEFORE].verdict->action != judged[WHATIF_AFTER].verdict->action;
    report->exchanges++;
    for (int side = 0; side < WHATIF_SIDES; side++)
        report->actions[side][judged[side].verdict->action]++;
    if (exchange->time_ms > 0) {
        report->first_ms =
            exchange->time_ms < report->first_ms ? exchange->time_ms : report->first_ms;
        report->last_ms = exchange->time_ms > report->last_ms ? exchange->time_ms : report->last_ms;
    }
    note_client(report, exchange, judged);
    if (changed) {
        report->changed++;
        note_reason(report, exchange, judged);
    }
    return changed;
}

static double span_days(const struct whatif_report *report)
{
    double span =
        report->last_ms > report->first_ms ? (double)(report->last_ms - report->first_ms) : 0;
    return span >= shortest_span_ms ? span / day_ms : 0;
}

static void print_side(const struct whatif_report *report, enum whatif_side side, FILE *out)
{
    const uint64_t *actions = report->actions[side];
    struct eval_interval share = eval_interval(actions[GUARD_BLOCK], report->exchanges);
    double days = span_days(report);
    fprintf(out, "%-5s %11" PRIu64 " %11" PRIu64 " %11" PRIu64 "   %.3g %% (%.2g to %.2g)",
            side == WHATIF_BEFORE ? "now" : "then", actions[GUARD_PASS], actions[GUARD_ALERT],
            actions[GUARD_BLOCK],
            report->exchanges > 0 ? 100.0 * (double)actions[GUARD_BLOCK] / (double)report->exchanges
                                  : 0.0,
            100 * share.low, 100 * share.high);
    if (report->client_count > 0)
        fprintf(out, ", %" PRIu64 " of %" PRIu32 "%s clients", report->blocked_clients[side],
                report->client_count, report->more_clients ? " or more" : "");
    if (days > 0)
        fprintf(out, ", %.1f a day", (double)actions[GUARD_BLOCK] / days);
    fputc('\n', out);
}

static int by_count(const void *a, const void *b)
{
    const struct reason *left = a;
    const struct reason *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return strcmp(left->text, right->text);
}

void whatif_report_text(struct whatif_report *report, const char *const names[WHATIF_SIDES],
                        unsigned top, FILE *out)
{
    fprintf(out, "now:  %s\nthen: %s\n\n", names[WHATIF_BEFORE], names[WHATIF_AFTER]);
    fprintf(out, "%-5s %11s %11s %11s   of the exchanges (95 %%)\n", "", "pass", "alert", "block");
    print_side(report, WHATIF_BEFORE, out);
    print_side(report, WHATIF_AFTER, out);
    if (report->changed == 0) {
        fputs("\nNo exchange would be treated otherwise.\n", out);
        return;
    }
    fprintf(out, "\n%" PRIu64 " of %" PRIu64 " exchanges would be treated otherwise:\n",
            report->changed, report->exchanges);
    qsort(report->reasons, report->reason_count, sizeof(report->reasons[0]), by_count);
    uint64_t shown = 0;
    for (uint32_t i = 0; i < report->reason_count && i < top; i++) {
        const struct reason *reason = &report->reasons[i];
        fprintf(out, "%8" PRIu64 "  %s -> %s  %s", reason->count, guard_decision_name(reason->from),
                guard_decision_name(reason->to), reason->text);
        if (reason->id[0] != '\0')
            fprintf(out, " [first: %s]", reason->id);
        fputc('\n', out);
        shown += reason->count;
    }
    if (shown < report->changed)
        fprintf(out, "%8" PRIu64 "  for other reasons%s\n", report->changed - shown,
                report->unlisted > 0 ? ", more than are kept apart" : "");
}

static void json_side(struct json_writer *json, const struct whatif_report *report,
                      enum whatif_side side)
{
    json_open(json, side == WHATIF_BEFORE ? "before" : "after", '{');
    for (int action = GUARD_PASS; action <= GUARD_BLOCK; action++)
        json_integer(json, guard_decision_name((enum guard_decision)action),
                     (int64_t)report->actions[side][action]);
    json_integer(json, "clients_blocked", (int64_t)report->blocked_clients[side]);
    json_close(json, '}');
}

void whatif_report_json(const struct whatif_report *report, FILE *out)
{
    char text[1024];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    json_open(&json, NULL, '{');
    json_open(&json, "summary", '{');
    json_integer(&json, "exchanges", (int64_t)report->exchanges);
    json_integer(&json, "changed", (int64_t)report->changed);
    json_integer(&json, "clients", report->client_count);
    json_bool(&json, "more_clients", report->more_clients);
    json_number(&json, "days", span_days(report));
    json_side(&json, report, WHATIF_BEFORE);
    json_side(&json, report, WHATIF_AFTER);
    json_close(&json, '}');
    json_close(&json, '}');
    fprintf(out, "%.*s\n", (int)json.len, text);
}
