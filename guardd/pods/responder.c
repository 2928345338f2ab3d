/* SPDX-License-Identifier: Apache-2.0 */
/* Times are reckoned anew whenever somebody looks: the responder says its books only when they
 * change, and a window or a pause ends by itself. */
#include "responder.h"

#include "guardd/service.h"

#include "common/log.h"
#include "common/pods/resumes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LOOK_MS = 1000 };

static void forget(struct pod_responder *responder)
{
    free(responder->state);
    responder->state = NULL;
}

static void read_state(struct pod_responder *responder, uint64_t now_ms)
{
    struct guard_err err = {.text = "no memory"};
    if (responder->state == NULL)
        responder->state = malloc(sizeof(*responder->state));
    errno = 0;
    if (responder->state != NULL &&
        responder_state_load(responder->state, &responder->seen_ms, responder->dir, now_ms, &err) ==
            GUARD_OK) {
        responder->complained = false;
        return;
    }
    forget(responder);
    if (errno != ENOENT && !responder->complained) {
        log_event("alarm", "pod-responder-unreadable", (struct guard_span){NULL, 0},
                  "pods/responder/state.json: %s", err.text);
        responder->complained = true;
    }
}

void pod_responder_tick(struct pod_responder *responder, uint64_t now_ms)
{
    char path[STATE_PATH_MAX];
    struct stat info;
    if (now_ms >= responder->looked_ms && now_ms - responder->looked_ms < LOOK_MS)
        return;
    responder->looked_ms = now_ms;
    int len = snprintf(path, sizeof(path), "%s/pods/responder/state.json", responder->dir);
    if (len < 0 || len >= STATE_PATH_MAX || lstat(path, &info) != 0) {
        forget(responder);
        responder->stamp = 0;
        return;
    }
    if (file_stamp(&info) == responder->stamp)
        return;
    responder->stamp = file_stamp(&info);
    read_state(responder, now_ms);
}

void pod_responder_close(struct pod_responder *responder)
{
    forget(responder);
}

static bool lives(const struct pod_responder *responder, uint64_t now_ms)
{
    return responder->state != NULL &&
           responder_lives(responder->state, responder->seen_ms, now_ms);
}

uint32_t pod_responder_stopped(const struct pod_responder *responder, uint64_t now_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; lives(responder, now_ms) && i < responder->state->workload_count; i++)
        count += responder->state->workloads[i].budget.stopped;
    return count;
}

uint32_t pod_responder_contained(const struct pod_responder *responder, uint64_t now_ms)
{
    return lives(responder, now_ms) ? responder->state->contained_count : 0;
}

enum pod_going pod_responder_going(const struct pod_responder *responder, const char *name_space,
                                   const char *workload, uint64_t now_ms)
{
    const struct guard_span names[] = {{(const uint8_t *)name_space, strlen(name_space)},
                                       {(const uint8_t *)workload, strlen(workload)}};
    if (responder == NULL || !lives(responder, now_ms))
        return POD_GOING_UNKNOWN;
    const struct responder_workload *of = responder_state_of(responder->state, names[0], names[1]);
    return of == NULL ? POD_GOING_UNKNOWN : of->budget.stopped ? POD_GOING_STOPPED : POD_GOING_ON;
}

/* --- showing --- */

static void time_or_null(struct json_writer *json, const char *name, uint64_t time_ms)
{
    if (time_ms == 0)
        json_null(json, name);
    else
        json_integer(json, name, (int64_t)time_ms);
}

void pod_responder_json(struct json_writer *json, const struct pod_responder *responder,
                        uint64_t now_ms)
{
    const struct responder_state *state = responder != NULL ? responder->state : NULL;
    if (state == NULL) {
        json_null(json, "responder");
        return;
    }
    json_open(json, "responder", '{');
    json_integer(json, "seen_ms", (int64_t)responder->seen_ms);
    json_bool(json, "lives", lives(responder, now_ms));
    json_bool(json, "dry_run", state->dry_run);
    json_bool(json, "stopped", state->stopped);
    if (state->broken[0] != '\0')
        json_text(json, "broken", state->broken);
    else
        json_null(json, "broken");
    json_bool(json, "resumes", state->resumes);
    json_open(json, "hour", '{');
    json_integer(json, "allowed", state->per_hour);
    time_or_null(json, "next_ms", state->hour_until_ms > now_ms ? state->hour_until_ms : 0);
    json_close(json, '}');
    json_close(json, '}');
}

static void write_budget(struct json_writer *json, const struct responder_workload *of,
                         uint32_t replicas, uint64_t now_ms)
{
    struct guard_pod_budget_look look;
    uint32_t counted = replicas < of->replicas_max ? replicas : of->replicas_max;
    uint32_t ready = replicas > 0 ? replicas - 1 : 0;
    guard_pod_budget_look(&of->budget, &of->cfg, counted, now_ms, &look);
    enum guard_pod_permit permit =
        guard_pod_budget_ask(&of->budget, &of->cfg, counted, ready, now_ms);
    json_open(json, "budget", '{');
    json_integer(json, "allowed", look.allowed);
    json_integer(json, "spent", look.spent);
    json_integer(json, "window_seconds", (int64_t)(of->cfg.window_ms / 1000));
    json_bool(json, "in_flight", of->budget.in_flight);
    json_integer(json, "backoff_seconds",
                 look.pause_until_ms != 0
                     ? (int64_t)((look.pause_until_ms - of->budget.last_ms) / 1000)
                     : 0);
    time_or_null(json, "next_ms", guard_pod_budget_until(&of->budget, &of->cfg, counted, now_ms));
    json_text(json, "permit", guard_pod_permit_name(permit));
    json_close(json, '}');
}

static void write_stopped(struct json_writer *json, const struct responder_workload *of)
{
    if (!of->budget.stopped) {
        json_null(json, "stopped");
        return;
    }
    json_open(json, "stopped", '{');
    time_or_null(json, "since_ms", of->stopped_ms);
    json_text(json, "reason", of->stopped);
    json_close(json, '}');
}

static void write_contained(struct json_writer *json, const struct responder_state *state,
                            const struct responder_workload *of)
{
    json_open(json, "contained", '[');
    for (uint32_t i = 0; i < state->contained_count; i++) {
        const struct responder_contained *one = &state->contained[i];
        if (strcmp(one->name_space, of->name_space) != 0 ||
            strcmp(one->workload, of->workload) != 0)
            continue;
        json_open(json, NULL, '{');
        json_text(json, "pod", one->pod);
        json_text(json, "uid", one->uid);
        json_text(json, "order", one->order);
        json_integer(json, "until_ms", (int64_t)one->until_ms);
        json_bool(json, "frozen", one->frozen);
        json_close(json, '}');
    }
    json_close(json, ']');
}

void pod_responder_workload_json(struct json_writer *json, const struct pod_responder *responder,
                                 struct guard_span name_space, struct guard_span workload,
                                 uint32_t replicas, uint64_t now_ms)
{
    const struct responder_workload *of =
        responder != NULL && responder->state != NULL
            ? responder_state_of(responder->state, name_space, workload)
            : NULL;
    if (of == NULL) {
        json_null(json, "responder");
        return;
    }
    json_open(json, "responder", '{');
    json_bool(json, "dry_run", of->dry_run || responder->state->dry_run);
    write_budget(json, of, replicas, now_ms);
    write_stopped(json, of);
    write_contained(json, responder->state, of);
    json_bool(json, "resume_pending",
              pod_resume_pending(responder->dir, of->name_space, of->workload));
    json_close(json, '}');
}
