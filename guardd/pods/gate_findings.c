/* SPDX-License-Identifier: Apache-2.0 */
/* From alerts to records. Each finding is one feature with the id of its exchange, by which it is
 * tied to what the pod did at that time. A client can have as many as it wants: so what is new is
 * told at once, what goes on is told together, and both have files of their own. */
#include "gate_findings.h"

#include "common/document.h"
#include "common/document_members.h"
#include "common/file.h"
#include "common/log.h"
#include "common/pods/pace.h"
#include "common/pods/record_files.h"

#include <guard/crypto.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TOLD_MAX = 128
}; /* rules and endpoints; of more, those that were told first are news again */

static const struct guard_span no_service = {NULL, 0};

struct found {
    enum guard_pod_kind kind;
    uint64_t what; /* rule and endpoint */
    uint64_t first_ms;
    uint64_t count; /* with those that were folded into it */
    char text[GUARD_POD_TEXT_MAX + 1];
    char detail[GUARD_POD_TEXT_MAX + 1];
    char request[GUARD_POD_REQUEST_MAX + 1];
};

struct told {
    uint64_t what;
    uint64_t time_ms;
};

struct gate_findings {
    const struct sense_spec *spec;
    struct pod_files files;
    uint64_t incarnation, sequence;
    uint64_t written_ms; /* when the last record was */
    struct pod_pace pace;
    uint64_t paced_ms; /* since when it counts */
    struct told told[TOLD_MAX];
    uint32_t told_next; /* ever */
    struct found found[GATE_FINDINGS_MAX];
    uint32_t count;
    uint64_t counted, deduplicated, dropped; /* for the next record, with count */
    bool failing;
};

enum guard_rc gate_findings_open(struct gate_findings **out, const struct sense_spec *spec,
                                 const char *dir, uint64_t now_ms, struct guard_err *err)
{
    struct gate_findings *made = calloc(1, sizeof(*made));
    *out = NULL;
    if (made == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    made->spec = spec;
    made->incarnation = now_ms;
    made->pace.limits = &pod_pace_news;
    enum guard_rc rc = pod_files_open(
        &made->files, dir, pod_producer("gate", spec->pod, spec->container), now_ms, err);
    made->files.of_gate = true;
    if (rc == GUARD_OK)
        *out = made;
    else
        free(made);
    return rc;
}

/* --- one alert --- */

static struct guard_span span(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static bool is(const char *text, const char *word)
{
    return strcmp(text, word) == 0;
}

static const char *service_of(const struct sense_spec *spec)
{
    return spec->service[0] != '\0' ? spec->service : spec->workload;
}

/* GUARD_POD_KINDS: it is none of the pod's. */
static enum guard_pod_kind kind_of(const struct gate_findings *findings,
                                   const struct document_node *alert,
                                   const struct document_node *finding)
{
    const char *part = text_of(finding, "part");
    if (is(part, "outbound"))
        return GUARD_POD_OUTBOUND;
    if (!is(text_of(alert, "service"), service_of(findings->spec)))
        return GUARD_POD_KINDS;
    if (is(part, "response"))
        return GUARD_POD_RESPONSE;
    return is(part, "request") && !is(text_of(alert, "action"), "block") ? GUARD_POD_REQUEST
                                                                         : GUARD_POD_KINDS;
}

/* Ids are printable; what isn't one ties nothing. */
static void put_request(struct found *out, const char *id)
{
    size_t len = strlen(id);
    for (size_t i = 0; i < len; i++) {
        if (id[i] <= ' ' || id[i] > '~' || strchr("/\"\\", id[i]) != NULL)
            return;
    }
    if (len <= GUARD_POD_REQUEST_MAX)
        memcpy(out->request, id, len + 1);
}

static void fill(struct found *out, const struct document_node *alert,
                 const struct document_node *finding)
{
    const char *template_text = text_of(alert, "template"), *method = text_of(alert, "method");
    const char *cause = out->kind == GUARD_POD_OUTBOUND ? text_of(alert, "caused_by") : "";
    int64_t time_ms = whole_of(alert, "time_ms");
    out->first_ms = time_ms > 0 ? (uint64_t)time_ms : clock_unix_ms();
    (void)snprintf(out->text, sizeof(out->text), "%s %s", method[0] != '\0' ? method : "-",
                   template_text[0] != '\0' ? template_text : "-");
    (void)snprintf(out->detail, sizeof(out->detail), "%s %s: %s", text_of(finding, "location"),
                   text_of(finding, "name"), text_of(finding, "rule"));
    put_request(out, cause[0] != '\0' ? cause : text_of(alert, "id"));
    out->count = 1;
    out->what = guard_checksum(guard_checksum(out->kind, span(out->text)), span(out->detail));
}

static bool is_known(const struct gate_findings *findings, const struct found *found)
{
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct found *has = &findings->found[i];
        if (has->kind == found->kind && is(has->request, found->request) &&
            is(has->text, found->text))
            return true;
    }
    return false;
}

/* The last one of the same rule and endpoint, if there are enough of them, or no room. */
static struct found *fold_of(struct gate_findings *findings, const struct found *found)
{
    struct found *last = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < findings->count; i++) {
        if (findings->found[i].what != found->what)
            continue;
        last = &findings->found[i];
        count++;
    }
    return count >= GATE_FINDINGS_EACH || findings->count == GATE_FINDINGS_MAX ? last : NULL;
}

/* It stands at the latest time: by that it is tied to what the pod did. */
static void fold(struct found *into, const struct found *found)
{
    into->count++;
    into->first_ms = found->first_ms;
    memcpy(into->request, found->request, sizeof(into->request));
}

static void add(struct gate_findings *findings, const struct found *found)
{
    struct found *into = fold_of(findings, found);
    findings->counted++;
    if (is_known(findings, found)) {
        findings->deduplicated++;
    } else if (into != NULL) {
        fold(into, found);
        findings->deduplicated++;
    } else if (findings->count < GATE_FINDINGS_MAX)
        findings->found[findings->count++] = *found;
    else
        findings->dropped++;
}

void gate_findings_take(void *of, const struct document_node *alert)
{
    struct gate_findings *findings = of;
    const struct document_node *list = child_of(alert, "findings", DOCUMENT_SEQUENCE);
    uint32_t taken = 0; /* kinds: the first finding of each part says enough */
    for (const struct document_node *finding = list != NULL ? list->first : NULL; finding != NULL;
         finding = finding->next) {
        struct found found = {.kind = GUARD_POD_KINDS};
        if (finding->kind == DOCUMENT_MAPPING)
            found.kind = kind_of(findings, alert, finding);
        if (found.kind == GUARD_POD_KINDS || (taken >> found.kind & 1) != 0)
            continue;
        taken |= 1U << found.kind;
        fill(&found, alert, finding);
        add(findings, &found);
    }
}

/* --- records --- */

static uint64_t fill_features(const struct gate_findings *findings,
                              struct guard_pod_feature *features, uint64_t now_ms)
{
    uint64_t from_ms = now_ms;
    for (uint32_t i = 0; i < findings->count; i++) {
        const struct found *found = &findings->found[i];
        uint64_t first_ms = found->first_ms < now_ms ? found->first_ms : now_ms;
        if (now_ms - first_ms > GUARD_POD_INTERVAL_MAX_MS)
            first_ms = now_ms - GUARD_POD_INTERVAL_MAX_MS; /* the gate's clock, or a long one */
        features[i] = (struct guard_pod_feature){.kind = found->kind,
                                                 .text = span(found->text),
                                                 .detail = span(found->detail),
                                                 .request = span(found->request),
                                                 .count = found->count,
                                                 .first_ms = first_ms};
        from_ms = first_ms < from_ms ? first_ms : from_ms;
    }
    return from_ms;
}

static bool is_lately(uint64_t then_ms, uint64_t now_ms)
{
    return now_ms >= then_ms && now_ms - then_ms < GATE_FINDINGS_FOLD_MS;
}

static bool is_told(const struct gate_findings *findings, uint64_t what, uint64_t now_ms)
{
    for (uint32_t i = 0; i < TOLD_MAX; i++) {
        const struct told *told = &findings->told[i];
        if (told->what == what && is_lately(told->time_ms, now_ms))
            return true;
    }
    return false;
}

static void note_told(struct gate_findings *findings, uint64_t what, uint64_t now_ms)
{
    struct told *place = NULL;
    for (uint32_t i = 0; i < TOLD_MAX && place == NULL; i++) {
        if (findings->told[i].what == what)
            place = &findings->told[i];
    }
    if (place == NULL)
        place = &findings->told[findings->told_next++ % TOLD_MAX];
    *place = (struct told){what, now_ms};
}

static bool has_news(const struct gate_findings *findings, uint64_t now_ms)
{
    for (uint32_t i = 0; i < findings->count; i++) {
        if (!is_told(findings, findings->found[i].what, now_ms))
            return true;
    }
    return false;
}

static void write_record(struct gate_findings *findings, uint64_t now_ms)
{
    const uint32_t sees =
        1U << GUARD_POD_OUTBOUND | 1U << GUARD_POD_RESPONSE | 1U << GUARD_POD_REQUEST;
    struct guard_pod_feature features[GATE_FINDINGS_MAX];
    struct guard_err err;
    struct guard_pod_record record = {
        .id = sense_spec_identity(findings->spec),
        .source = GUARD_POD_GATE,
        .origin = {pod_producer("gate", findings->spec->pod, findings->spec->container),
                   findings->incarnation, ++findings->sequence},
        .blind = ((1U << GUARD_POD_KINDS) - 1) & ~sees,
        .from_ms = fill_features(findings, features, now_ms),
        .until_ms = now_ms,
        .counted = findings->counted,
        .received = findings->count,
        .deduplicated = findings->deduplicated,
        .dropped = findings->dropped,
        .features = features,
        .feature_count = findings->count,
    };
    enum guard_rc rc = pod_files_add(&findings->files, &record, &err);
    if (rc == GUARD_OK)
        rc = pod_files_flush(&findings->files, &err);
    if (rc != GUARD_OK && !findings->failing)
        log_event("alarm", "pod-record-not-written", no_service, "of the gate: %s", err.text);
    findings->failing = rc != GUARD_OK;
    for (uint32_t i = 0; i < findings->count; i++)
        note_told(findings, findings->found[i].what, now_ms);
    findings->count = 0;
    findings->counted = findings->deduplicated = findings->dropped = 0;
    findings->written_ms = now_ms;
}

void gate_findings_tick(struct gate_findings *findings, uint64_t now_ms)
{
    if (findings == NULL || findings->counted == 0)
        return;
    if (!is_lately(findings->paced_ms, now_ms)) {
        pod_pace_interval(&findings->pace);
        findings->paced_ms = now_ms;
    }
    bool urgent = has_news(findings, now_ms) || findings->count == GATE_FINDINGS_MAX;
    if (!is_lately(findings->written_ms, now_ms) ||
        (urgent && pod_pace_allows(&findings->pace, now_ms)))
        write_record(findings, now_ms);
}

void gate_findings_close(struct gate_findings *findings, uint64_t now_ms)
{
    if (findings == NULL)
        return;
    if (findings->counted > 0)
        write_record(findings, now_ms);
    pod_files_close(&findings->files);
    free(findings);
}
