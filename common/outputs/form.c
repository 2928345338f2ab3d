/* SPDX-License-Identifier: Apache-2.0 */
/* What Alertmanager takes has labels that name the series, and annotations that grow with it. */
#include "common/outputs/form.h"

#include "common/document_members.h"
#include "common/ecs.h"
#include "common/file.h"
#include "common/outputs/syslog.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool output_wants(const struct output_cfg *cfg, const struct document_node *alert)
{
    static const char *const names[] = {"pass", "alert", "block"};
    const char *service = text_of(alert, "service");
    bool found = cfg->service_count == 0;
    uint32_t bit = 0;
    for (uint32_t i = 0; i < cfg->service_count && !found; i++)
        found = strcmp(cfg->services[i], service) == 0;
    for (uint32_t i = 0; i < 3; i++)
        bit |= strcmp(text_of(alert, "action"), names[i]) == 0 ? 1u << i : 0;
    return found && (bit == 0 || (cfg->actions & bit) != 0) &&
           (cfg->least_score <= 0 || number_of(alert, "score") >= cfg->least_score);
}

/* --- Alertmanager --- */

static void write_time(struct json_writer *json, const char *name, double time_ms)
{
    char text[CLOCK_TEXT_MAX];
    if (clock_text(text, time_ms))
        json_text(json, name, text);
}

static void write_some(struct json_writer *json, const char *name, const char *text)
{
    if (text[0] != '\0')
        json_text(json, name, text);
}

static void write_count(struct json_writer *json, const struct document_node *alert,
                        const char *name)
{
    char text[32];
    if (member_of(alert, name) == NULL)
        return;
    snprintf(text, sizeof(text), "%.15g", number_of(alert, name));
    json_text(json, name, text);
}

static void write_labels(struct json_writer *json, const struct document_node *alert)
{
    const struct document_node *findings = member_of(alert, "findings");
    const struct document_node *first =
        findings != NULL && findings->kind == DOCUMENT_SEQUENCE ? findings->first : NULL;
    bool blocked = strcmp(text_of(alert, "action"), "block") == 0;
    json_open(json, "labels", '{');
    json_text(json, "alertname", blocked ? "GuardBlocked" : "GuardDeviation");
    json_text(json, "severity", blocked ? "warning" : "info");
    write_some(json, "service", text_of(alert, "service"));
    write_some(json, "action", text_of(alert, "action"));
    write_some(json, "verdict", text_of(alert, "verdict"));
    write_some(json, "method", text_of(alert, "method"));
    write_some(json, "endpoint", text_of(alert, "template"));
    if (first != NULL) {
        write_some(json, "part", text_of(first, "part"));
        write_some(json, "rule", text_of(first, "rule"));
    }
    write_some(json, "series", text_of(alert, "series"));
    json_close(json, '}');
}

/* An alert that isn't told of again ends by itself. */
static void write_alertmanager(struct json_writer *json, const struct output_place *place,
                               const struct document_node *alert)
{
    enum { OPEN_MS = 300000 };
    double since_ms = number_of(alert, "since_ms");
    double last_ms = number_of(alert, "last_ms");
    uint64_t open_ms = 3 * place->fold_ms > OPEN_MS ? 3 * place->fold_ms : OPEN_MS;
    bool over = strcmp(text_of(alert, "state"), "end") == 0;
    if (since_ms <= 0)
        since_ms = number_of(alert, "time_ms");
    json_open(json, NULL, '{');
    write_labels(json, alert);
    json_open(json, "annotations", '{');
    write_some(json, "summary", text_of(alert, "explanation"));
    write_some(json, "id", text_of(alert, "id"));
    write_some(json, "client", text_of(alert, "client"));
    write_count(json, alert, "score");
    write_count(json, alert, "count");
    write_count(json, alert, "total");
    write_count(json, alert, "suppressed");
    write_count(json, alert, "skipped");
    json_close(json, '}');
    write_time(json, "startsAt", since_ms);
    write_time(json, "endsAt",
               !over                ? (double)(place->now_ms + open_ms)
               : last_ms > since_ms ? last_ms
                                    : since_ms + 1);
    json_close(json, '}');
}

/* --- all --- */

static size_t copy(char *out, size_t cap, struct guard_span bytes, const char *end)
{
    size_t end_len = strlen(end);
    if (bytes.len + end_len > cap)
        return 0;
    memcpy(out, bytes.ptr, bytes.len);
    memcpy(out + bytes.len, end, end_len);
    return bytes.len + end_len;
}

static size_t write_syslog(char *out, size_t cap, const struct output_cfg *cfg,
                           const struct output_place *place, const struct document_node *alert)
{
    char message[SYSLOG_MESSAGE_MAX];
    char head[24];
    size_t len = syslog_message(message, alert, cfg->facility, place->host, place->pid);
    int head_len = snprintf(head, sizeof(head), "%zu ", len);
    if (head_len < 0 || (size_t)head_len + len > cap)
        return 0;
    memcpy(out, head, (size_t)head_len);
    memcpy(out + head_len, message, len);
    return (size_t)head_len + len;
}

size_t output_write(char *out, size_t cap, const struct output_cfg *cfg,
                    const struct output_place *place, const struct document_node *alert,
                    struct guard_span line)
{
    const char *end = cfg->kind == OUTPUT_FILE ? "\n" : "";
    struct json_writer json;
    if (cfg->kind == OUTPUT_SYSLOG)
        return write_syslog(out, cap, cfg, place, alert);
    if (cfg->kind != OUTPUT_ALERTMANAGER && cfg->form == OUTPUT_OF_GUARD)
        return copy(out, cap, line, end);
    json_writer_init(&json, out, cap);
    if (cfg->kind == OUTPUT_ALERTMANAGER)
        write_alertmanager(&json, place, alert);
    else
        ecs_write(&json, alert, NULL);
    if (json.overflow || json.len + strlen(end) > cap)
        return 0;
    memcpy(out + json.len, end, strlen(end));
    return json.len + strlen(end);
}

size_t output_own_line(char *out, size_t cap, const struct output_place *place, const char *text,
                       uint64_t skipped)
{
    struct json_writer json;
    json_writer_init(&json, out, cap);
    json_open(&json, NULL, '{');
    json_integer(&json, "time_ms", (int64_t)place->now_ms);
    json_text(&json, "service", "guardd");
    json_text(&json, "verdict", "alert");
    json_text(&json, "action", "alert");
    json_text(&json, "explanation", text);
    if (skipped > 0)
        json_integer(&json, "skipped", (int64_t)skipped);
    json_integer(&json, "count", 1);
    json_integer(&json, "last_ms", (int64_t)place->now_ms);
    json_close(&json, '}');
    return json.overflow ? 0 : json.len;
}
