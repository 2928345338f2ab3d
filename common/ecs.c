/* SPDX-License-Identifier: Apache-2.0 */
/* See ecs.h. Fields of ECS 8; what it has no name for stands below `guard`. */
#include "common/ecs.h"

#include "common/document_members.h"
#include "common/file.h"

#include <stdio.h>
#include <string.h>

static void write_time(struct json_writer *json, const char *name, double time_ms)
{
    char text[CLOCK_TEXT_MAX];
    if (clock_text(text, time_ms))
        json_text(json, name, text);
}

static void write_findings(struct json_writer *json, const struct document_node *list)
{
    static const char *const texts[] = {"part", "location", "name", "rule", "observed", "expected"};
    json_open(json, "findings", '[');
    for (const struct document_node *node =
             list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
         node != NULL; node = node->next) {
        json_open(json, NULL, '{');
        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
            json_text(json, texts[i], text_of(node, texts[i]));
        json_number(json, "p", number_of(node, "p"));
        if (text_of(node, "patch")[0] != '\0') {
            json_text(json, "patch", text_of(node, "patch"));
            json_bool(json, "shadow", strcmp(text_of(node, "shadow"), "true") == 0);
        }
        if (text_of(node, "exception")[0] != '\0')
            json_text(json, "exception", text_of(node, "exception"));
        json_close(json, '}');
    }
    json_close(json, ']');
}

static void write_event(struct json_writer *json, const struct document_node *alert)
{
    static const char *const categories[] = {"web", "intrusion_detection"};
    bool denied = strcmp(text_of(alert, "action"), "block") == 0;
    json_open(json, "event", '{');
    json_text(json, "kind", "alert");
    json_open(json, "category", '[');
    for (size_t i = 0; i < 2; i++)
        json_text(json, NULL, categories[i]);
    json_close(json, ']');
    json_open(json, "type", '[');
    json_text(json, NULL, denied ? "denied" : "info");
    json_close(json, ']');
    json_text(json, "action", denied ? "block" : "alert");
    json_text(json, "id", text_of(alert, "id"));
    json_text(json, "provider", "guard");
    json_text(json, "reason", text_of(alert, "explanation"));
    json_number(json, "risk_score", number_of(alert, "score"));
    if (member_of(alert, "last_ms") != NULL) {
        write_time(json, "start", number_of(alert, "first_ms"));
        write_time(json, "end", number_of(alert, "last_ms"));
    }
    json_close(json, '}');
}

static void write_exchange(struct json_writer *json, const struct document_node *alert)
{
    json_open(json, "service", '{');
    json_text(json, "name", text_of(alert, "service"));
    json_close(json, '}');
    json_open(json, "source", '{');
    json_text(json, "address", text_of(alert, "client"));
    json_close(json, '}');
    json_open(json, "http", '{');
    json_open(json, "request", '{');
    json_text(json, "id", text_of(alert, "id"));
    json_text(json, "method", text_of(alert, "method"));
    json_close(json, '}');
    if (number_of(alert, "status") > 0) {
        json_open(json, "response", '{');
        json_integer(json, "status_code", whole_of(alert, "status"));
        json_close(json, '}');
    }
    json_close(json, '}');
    json_open(json, "url", '{');
    json_text(json, "path", text_of(alert, "template"));
    json_close(json, '}');
}

/* Of lines that fold many alerts: which they belong to. */
static void write_series(struct json_writer *json, const struct document_node *alert)
{
    static const char *const texts[] = {"series", "state"};
    static const char *const numbers[] = {"seq", "total", "suppressed"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (text_of(alert, texts[i])[0] != '\0')
            json_text(json, texts[i], text_of(alert, texts[i]));
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        double number = number_of(alert, numbers[i]);
        if (number >= 1 && number < 1e15)
            json_integer(json, numbers[i], (int64_t)number);
    }
}

static void write_own(struct json_writer *json, const struct document_node *alert,
                      const char *triage)
{
    double count = number_of(alert, "count");
    json_open(json, "guard", '{');
    json_text(json, "verdict", text_of(alert, "verdict"));
    json_integer(json, "generation", whole_of(alert, "generation"));
    json_integer(json, "count",
                 count >= 0 && count < 1e15 && member_of(alert, "count") != NULL ? (int64_t)count
                                                                                 : 1);
    if (text_of(alert, "caused_by")[0] != '\0')
        json_text(json, "caused_by", text_of(alert, "caused_by"));
    if (triage != NULL)
        json_text(json, "triage", triage);
    write_series(json, alert);
    write_findings(json, member_of(alert, "findings"));
    json_close(json, '}');
}

void ecs_write(struct json_writer *json, const struct document_node *alert, const char *triage)
{
    const struct document_node *list = member_of(alert, "findings");
    const struct document_node *first =
        list != NULL && list->kind == DOCUMENT_SEQUENCE ? list->first : NULL;
    json_open(json, NULL, '{');
    write_time(json, "@timestamp", number_of(alert, "time_ms"));
    json_text(json, "message", text_of(alert, "explanation"));
    json_open(json, "ecs", '{');
    json_text(json, "version", "8.11");
    json_close(json, '}');
    write_event(json, alert);
    if (first != NULL) {
        json_open(json, "rule", '{');
        json_text(json, "category", text_of(first, "part"));
        json_text(json, "name", text_of(first, "rule"));
        json_close(json, '}');
    }
    write_exchange(json, alert);
    write_own(json, alert, triage);
    json_close(json, '}');
}
