/* SPDX-License-Identifier: Apache-2.0 */
/* Both forms by tables. What the state says of budgets is held to what budgets may be, so that
 * nobody reckons with what can't be. */
#include "common/pods/responder_state.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/pods/fields.h"

#include <string.h>

enum { VERSION = 1, ARENA_MAX = 16 << 20, COUNT_MAX = 1000000, STREAK_MAX = 1000000000 };

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))
#define FAIL(node, rc, ...) document_fail_member(document, node, rc, err, __VA_ARGS__)

static const struct pod_field state_fields[] = {
    {"version", POD_FIELD_VERSION, 0, 0, VERSION},
    POD_FIELD("writtenMs", POD_FIELD_TIME, responder_state, written_ms, 0),
    POD_FIELD("running", POD_FIELD_BOOL, responder_state, running, 0),
    POD_FIELD("dryRun", POD_FIELD_BOOL, responder_state, dry_run, 0),
    POD_FIELD("stopped", POD_FIELD_BOOL, responder_state, stopped, 0),
    POD_FIELD("resumes", POD_FIELD_BOOL, responder_state, resumes, 0),
    POD_FIELD("broken", POD_FIELD_TEXT, responder_state, broken, 0),
    POD_FIELD("perHour", POD_FIELD_COUNT, responder_state, per_hour, COUNT_MAX),
    POD_FIELD("hourUntilMs", POD_FIELD_TIME, responder_state, hour_until_ms, 0),
};
static const struct pod_field workload_fields[] = {
    POD_FIELD("namespace", POD_FIELD_NAME, responder_workload, name_space, 0),
    POD_FIELD("workload", POD_FIELD_NAME, responder_workload, workload, 0),
    POD_FIELD("dryRun", POD_FIELD_BOOL, responder_workload, dry_run, 0),
    POD_FIELD("share", POD_FIELD_SHARE, responder_workload, cfg.share, 0),
    POD_FIELD("windowMs", POD_FIELD_TIME, responder_workload, cfg.window_ms, 0),
    POD_FIELD("backoffFirstMs", POD_FIELD_TIME, responder_workload, cfg.backoff_first_ms, 0),
    POD_FIELD("backoffMaxMs", POD_FIELD_TIME, responder_workload, cfg.backoff_max_ms, 0),
    POD_FIELD("calmMs", POD_FIELD_TIME, responder_workload, cfg.calm_ms, 0),
    POD_FIELD("replicasMax", POD_FIELD_COUNT, responder_workload, replicas_max, COUNT_MAX),
    POD_FIELD("streak", POD_FIELD_COUNT, responder_workload, budget.streak, STREAK_MAX),
    POD_FIELD("lastMs", POD_FIELD_TIME, responder_workload, budget.last_ms, 0),
    POD_FIELD("inFlight", POD_FIELD_BOOL, responder_workload, budget.in_flight, 0),
    POD_FIELD("stopped", POD_FIELD_TEXT, responder_workload, stopped, 0),
    POD_FIELD("stoppedMs", POD_FIELD_TIME, responder_workload, stopped_ms, 0),
};
static const struct pod_field contained_fields[] = {
    POD_FIELD("namespace", POD_FIELD_NAME, responder_contained, name_space, 0),
    POD_FIELD("workload", POD_FIELD_NAME, responder_contained, workload, 0),
    POD_FIELD("pod", POD_FIELD_NAME, responder_contained, pod, 0),
    POD_FIELD("uid", POD_FIELD_TEXT, responder_contained, uid, 0),
    POD_FIELD("order", POD_FIELD_ID, responder_contained, order, 0),
    POD_FIELD("untilMs", POD_FIELD_TIME, responder_contained, until_ms, 0),
    POD_FIELD("frozen", POD_FIELD_BOOL, responder_contained, frozen, 0),
};
static const struct pod_field resume_fields[] = {
    {"version", POD_FIELD_VERSION, 0, 0, VERSION},
    POD_FIELD("id", POD_FIELD_ID, pod_resume, id, 0),
    POD_FIELD("askedMs", POD_FIELD_TIME, pod_resume, asked_ms, 0),
    POD_FIELD("service", POD_FIELD_SERVICE, pod_resume, service, 0),
    POD_FIELD("namespace", POD_FIELD_NAME, pod_resume, name_space, 0),
    POD_FIELD("workload", POD_FIELD_NAME, pod_resume, workload, 0),
    POD_FIELD("by", POD_FIELD_TEXT, pod_resume, by, 0),
    POD_FIELD("reason", POD_FIELD_TEXT, pod_resume, reason, 0),
};

const char *pod_stop_name(enum pod_stop stop)
{
    static const char *const names[POD_STOPS] = {"unknown", "same-evidence", "replacement"};
    return names[(uint32_t)stop < POD_STOPS ? stop : POD_STOP_UNKNOWN];
}

/* --- writing --- */

static enum guard_rc end_document(struct json_writer *json, size_t *len, struct guard_err *err)
{
    json_close(json, '}');
    *len = json->len;
    return json->overflow ? guard_fail(err, GUARD_E_LIMIT, "more than %zu bytes", json->cap)
                          : GUARD_OK;
}

/* The times alone, in no order: which of the ring's places they stand in says nothing. */
static void put_begun(struct json_writer *json, const struct guard_pod_budget *budget)
{
    uint32_t held =
        budget->begun < GUARD_POD_BUDGET_HISTORY ? budget->begun : GUARD_POD_BUDGET_HISTORY;
    json_open(json, "begunMs", '[');
    for (uint32_t i = 0; i < held; i++)
        json_integer(json, NULL, (int64_t)budget->begun_ms[i]);
    json_close(json, ']');
}

enum guard_rc responder_state_write(const struct responder_state *state, char *out, size_t size,
                                    size_t *len, struct guard_err *err)
{
    struct json_writer json;
    json_writer_init(&json, out, size);
    json_open(&json, NULL, '{');
    pod_fields_write(&json, state_fields, COUNT_OF(state_fields), state);
    json_open(&json, "workloads", '[');
    for (uint32_t i = 0; i < state->workload_count; i++) {
        json_open(&json, NULL, '{');
        pod_fields_write(&json, workload_fields, COUNT_OF(workload_fields), &state->workloads[i]);
        put_begun(&json, &state->workloads[i].budget);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_open(&json, "contained", '[');
    for (uint32_t i = 0; i < state->contained_count; i++) {
        json_open(&json, NULL, '{');
        pod_fields_write(&json, contained_fields, COUNT_OF(contained_fields), &state->contained[i]);
        json_close(&json, '}');
    }
    json_close(&json, ']');
    return end_document(&json, len, err);
}

enum guard_rc pod_resume_write(const struct pod_resume *resume, char *out, size_t size, size_t *len,
                               struct guard_err *err)
{
    struct json_writer json;
    json_writer_init(&json, out, size);
    json_open(&json, NULL, '{');
    pod_fields_write(&json, resume_fields, COUNT_OF(resume_fields), resume);
    return end_document(&json, len, err);
}

/* --- reading --- */

static enum guard_rc read_begun(const struct document *document, const struct document_node *node,
                                struct guard_pod_budget *budget, struct guard_err *err)
{
    const struct document_node *list = member_of(node, "begunMs");
    if (list == NULL || list->kind != DOCUMENT_SEQUENCE)
        return FAIL(node, GUARD_E_SYNTAX, "begunMs is no list");
    if (list->count > GUARD_POD_BUDGET_HISTORY)
        return FAIL(list, GUARD_E_LIMIT, "more than %d", GUARD_POD_BUDGET_HISTORY);
    for (const struct document_node *one = list->first; one != NULL; one = one->next)
        GUARD_TRY(pod_fields_time(document, one, &budget->begun_ms[budget->begun++], err));
    return GUARD_OK;
}

static enum guard_rc read_workload(const struct document *document,
                                   const struct document_node *node, struct responder_workload *out,
                                   struct guard_err *err)
{
    struct guard_err why;
    GUARD_TRY(pod_fields_read(document, node, workload_fields, COUNT_OF(workload_fields), true, out,
                              err));
    GUARD_TRY(read_begun(document, node, &out->budget, err));
    if (guard_pod_budget_check(&out->cfg, &why) != GUARD_OK)
        return FAIL(node, GUARD_E_RANGE, "%s", why.text);
    out->budget.stopped = out->stopped[0] != '\0';
    for (int stop = 0; out->budget.stopped && stop < POD_STOPS; stop++) {
        if (strcmp(out->stopped, pod_stop_name((enum pod_stop)stop)) == 0)
            return GUARD_OK;
    }
    return out->budget.stopped ? FAIL(node, GUARD_E_RANGE, "stopped: there is no such word")
                               : GUARD_OK;
}

static enum guard_rc read_list(const struct document *document, const char *name, uint32_t max,
                               const struct document_node **first, struct guard_err *err)
{
    const struct document_node *list = member_of(document->root, name);
    if (list == NULL || list->kind != DOCUMENT_SEQUENCE)
        return FAIL(document->root, GUARD_E_SYNTAX, "%s is no list", name);
    if (list->count > max)
        return FAIL(list, GUARD_E_LIMIT, "more than %u", max);
    *first = list->first;
    return GUARD_OK;
}

static enum guard_rc read_state(const struct document *document, struct responder_state *out,
                                struct guard_err *err)
{
    const struct document_node *one = NULL;
    GUARD_TRY(pod_fields_read(document, document->root, state_fields, COUNT_OF(state_fields), true,
                              out, err));
    GUARD_TRY(read_list(document, "workloads", RESPONDER_WORKLOADS_MAX, &one, err));
    for (; one != NULL; one = one->next)
        GUARD_TRY(read_workload(document, one, &out->workloads[out->workload_count++], err));
    GUARD_TRY(read_list(document, "contained", RESPONDER_CONTAINED_MAX, &one, err));
    for (; one != NULL; one = one->next)
        GUARD_TRY(pod_fields_read(document, one, contained_fields, COUNT_OF(contained_fields), true,
                                  &out->contained[out->contained_count++], err));
    return GUARD_OK;
}

static enum guard_rc read_resume(const struct document *document, struct pod_resume *out,
                                 struct guard_err *err)
{
    return pod_fields_read(document, document->root, resume_fields, COUNT_OF(resume_fields), false,
                           out, err);
}

enum guard_rc responder_state_read(struct responder_state *out, struct guard_span text,
                                   struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    memset(out, 0, sizeof(*out));
    if (text.len > RESPONDER_STATE_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "responder: more than %d bytes",
                          RESPONDER_STATE_BYTES_MAX);
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc rc = document_parse(&document, "responder", text, &arena, err);
    if (rc == GUARD_OK)
        rc = read_state(&document, out, err);
    guard_arena_reset(&arena);
    if (rc != GUARD_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

enum guard_rc pod_resume_read(struct pod_resume *out, struct guard_span text, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct document document;
    memset(out, 0, sizeof(*out));
    if (text.len > POD_RESUME_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "resume: more than %d bytes", POD_RESUME_BYTES_MAX);
    guard_arena_init(&arena, &heap, ARENA_MAX);
    enum guard_rc rc = document_parse(&document, "resume", text, &arena, err);
    if (rc == GUARD_OK)
        rc = read_resume(&document, out, err);
    guard_arena_reset(&arena);
    if (rc != GUARD_OK)
        memset(out, 0, sizeof(*out));
    return rc;
}

/* --- looking --- */

static bool same(const char *text, struct guard_span name)
{
    return strlen(text) == name.len && memcmp(text, name.ptr, name.len) == 0;
}

const struct responder_workload *responder_state_of(const struct responder_state *state,
                                                    struct guard_span name_space,
                                                    struct guard_span workload)
{
    for (uint32_t i = 0; i < state->workload_count; i++) {
        if (same(state->workloads[i].name_space, name_space) &&
            same(state->workloads[i].workload, workload))
            return &state->workloads[i];
    }
    return NULL;
}
