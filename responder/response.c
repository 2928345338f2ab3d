/* SPDX-License-Identifier: Apache-2.0 */
/* Each change goes: note what is begun, act, note the outcome with its line, report the line. A
 * line that was noted is reported once, whenever the program was killed. */
#include "response.h"

#include "common/file.h"
#include "common/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { STEPS_AT_ONCE = 2 * GUARD_POD_STEPS };

typedef char text_out[ACTED_TEXT_MAX + 1];

static struct guard_span service_of(const struct response *response)
{
    const char *service = response->order.service;
    return (struct guard_span){(const uint8_t *)service, strlen(service)};
}

bool responder_save(struct responder *responder)
{
    struct guard_err err;
    if (responder->broken[0] != '\0')
        return false;
    responder->state_file.stale = true;
    if (ledger_write(&responder->ledger, responder->cfg.state, &err) == GUARD_OK)
        return true;
    snprintf(responder->broken, sizeof(responder->broken), "%s", err.text);
    log_event("alarm", "acting-stopped", (struct guard_span){NULL, 0}, "%s", err.text);
    return false;
}

/* --- reports --- */

static void note_line(struct response *response, const char *detail, uint64_t now_ms)
{
    struct pod_report_line *line = &response->line;
    snprintf(line->id, sizeof(line->id), "%s", response->order.id);
    line->at_ms = now_ms;
    pod_order_text(line->detail, sizeof(line->detail),
                   (struct guard_span){(const uint8_t *)detail, strlen(detail)});
    response->telling = true;
}

static void tell_line(struct responder *responder, struct response *response)
{
    const struct pod_report_line *line = &response->line;
    struct guard_err err;
    if (!response->telling)
        return;
    response->telling = false;
    const char *what =
        line->ended ? pod_report_end_name(line->end) : pod_report_outcome_name(line->outcome);
    log_event(line->ended ? "alarm" : "info", line->ended ? "pod-response-ended" : "pod-response",
              service_of(response), "%s: pod %s: %s: %s: %.300s", line->id, response->order.uid,
              line->ended ? "end" : pod_report_step_name(line->step), what, line->detail);
    if (mailbox_report(&responder->mailbox, line, &err) != GUARD_OK)
        log_event("alarm", "not-reported", service_of(response), "%s: %s", line->id, err.text);
}

/* The outcome is kept before it is told. */
static void conclude(struct responder *responder, struct response *response)
{
    if (responder_save(responder))
        tell_line(responder, response);
}

void responder_refuse(struct responder *responder, const char *id, const char *detail)
{
    struct pod_report_line line = {
        .at_ms = clock_unix_ms(), .ended = true, .end = GUARD_POD_UNTOUCHED};
    struct guard_err err;
    snprintf(line.id, sizeof(line.id), "%s", id);
    pod_order_text(line.detail, sizeof(line.detail),
                   (struct guard_span){(const uint8_t *)detail, strlen(detail)});
    log_event("alarm", "pod-order-refused", (struct guard_span){NULL, 0}, "%s: %s", id, detail);
    if (mailbox_report(&responder->mailbox, &line, &err) != GUARD_OK)
        log_event("alarm", "not-reported", (struct guard_span){NULL, 0}, "%s: %s", id, err.text);
    mailbox_remove(&responder->mailbox, id);
}

/* --- the end --- */

static void release(struct responder *responder, struct response *response, text_out text)
{
    text[0] = '\0';
    if (response->contained || response->frozen)
        responder->actor.release(responder->actor.ctx, response, text);
}

/* Only when nothing of it is held any more. */
static void forget(struct responder *responder, struct response *response)
{
    char id[POD_ORDER_ID_MAX + 1];
    memcpy(id, response->order.id, sizeof(id));
    pod_group_close(&response->group);
    *response = (struct response){.group = {.fd = -1}, .child = {.out = -1}};
    if (responder_save(responder))
        ledger_drop_order(responder->cfg.state, id);
}

static void end_budget(struct responder *responder, const struct response *response,
                       uint64_t now_ms)
{
    struct guard_pod_budget *budget =
        ledger_budget(&responder->ledger, response->order.name_space, response->order.workload);
    if (budget == NULL || response->dry_run)
        return;
    guard_pod_budget_end(budget, now_ms);
    if (response->machine.end == GUARD_POD_USELESS)
        ledger_stop(&responder->ledger, &response->order, POD_STOP_REPLACEMENT, now_ms);
    else if (response->others)
        ledger_stop(&responder->ledger, &response->order, POD_STOP_SAME_EVIDENCE, now_ms);
}

static void finish(struct responder *responder, struct response *response, uint64_t now_ms)
{
    text_out text, detail;
    bool kept = response->machine.end == GUARD_POD_KEPT && !response->dry_run &&
                (response->contained || response->frozen);
    text[0] = '\0';
    if (!kept)
        release(responder, response, text);
    response->ended = true;
    response->line = (struct pod_report_line){.ended = true, .end = response->machine.end};
    if (response->dry_run) {
        response->line.end = GUARD_POD_UNTOUCHED;
        snprintf(detail, sizeof(detail), "a dry run: nothing was done");
    } else if (kept) {
        snprintf(detail, sizeof(detail), "stays contained for %" PRIu64 " s",
                 response->held_ms > now_ms ? (response->held_ms - now_ms) / 1000 : 0);
    } else if (response->machine.end == GUARD_POD_KEPT) {
        snprintf(detail, sizeof(detail), "isn't contained any more; %.300s", text);
    } else {
        snprintf(detail, sizeof(detail), "%s%s%s",
                 text[0] != '\0' ? text : guard_pod_end_name(response->machine.end),
                 response->others ? "; another pod does the same: nothing more is done for the "
                                    "workload until a person says so"
                                  : "",
                 response->given_up ? "; given up" : "");
    }
    note_line(response, detail, now_ms);
    end_budget(responder, response, now_ms);
    conclude(responder, response);
    if (!kept)
        forget(responder, response);
}

/* A pod that was kept is let go when its time is over, or it has ended itself. */
static void watch_held(struct responder *responder, struct response *response, uint64_t now_ms)
{
    text_out text;
    if (now_ms < response->held_ms && response->group.fd >= 0 && pod_group_lives(&response->group))
        return;
    release(responder, response, text);
    log_event("alarm", "pod-let-go", service_of(response), "%s: pod %s: %s", response->order.id,
              response->order.uid, text);
    forget(responder, response);
}

/* --- the steps --- */

static void note_step(struct response *response, enum guard_pod_step step, uint32_t outcome,
                      const char *detail, uint64_t now_ms)
{
    response->acting = false;
    response->line = (struct pod_report_line){.step = step, .outcome = outcome};
    note_line(response, detail[0] != '\0' ? detail : "done", now_ms);
}

static void dry_step(struct responder *responder, struct response *response, uint64_t now_ms)
{
    text_out detail = "";
    enum guard_pod_step step = response->machine.step;
    responder->actor.plan(responder->actor.ctx, response, detail);
    guard_pod_response_did(&response->machine, GUARD_POD_DONE, now_ms);
    note_step(response, step, POD_REPORT_DRY_RUN, detail, now_ms);
    conclude(responder, response);
}

/* Steps that would take a pod away aren't done when it isn't the only one that does so. */
static const char *reason_to_stop(const struct responder *responder,
                                  const struct response *response)
{
    enum guard_pod_step step = response->machine.step;
    if (step >= GUARD_POD_VERIFY)
        return NULL;
    if (response->others)
        return "another pod of the workload does the same";
    if (response->given_up)
        return "given up: it isn't configured or contained any more";
    return responder->stopped ? "stopped by a person" : NULL;
}

/* False: nothing more can be done now. */
static bool act(struct responder *responder, struct response *response, bool again, uint64_t now_ms)
{
    text_out detail = "";
    enum guard_pod_step step = response->machine.step;
    const char *stop = reason_to_stop(responder, response);
    enum acted acted = ACTED_FAILED;
    if (!response->acting) {
        response->acting = true;
        response->acting_ms = now_ms;
        if (stop == NULL)
            responder->actor.foresee(responder->actor.ctx, response, now_ms);
        if (!responder_save(responder))
            return false;
    }
    if (stop != NULL) {
        responder->actor.stop(responder->actor.ctx, response);
        snprintf(detail, sizeof(detail), "%s", stop);
    } else {
        acted = responder->actor.act(responder->actor.ctx, response, again, detail, now_ms);
    }
    if (acted == ACTED_RUNS)
        return false;
    guard_pod_response_did(&response->machine, (enum guard_pod_outcome)acted, now_ms);
    if (acted == ACTED_LATER && response->machine.step == step &&
        response->machine.next_ms < response->later_ms)
        response->machine.next_ms = response->later_ms;
    response->later_ms = 0;
    note_step(response, step, (uint32_t)acted, detail, now_ms);
    conclude(responder, response);
    return responder->broken[0] == '\0';
}

static void took_too_long(struct responder *responder, struct response *response,
                          enum guard_pod_step step, uint64_t now_ms)
{
    text_out detail;
    responder->actor.stop(responder->actor.ctx, response);
    snprintf(detail, sizeof(detail), "took longer than %" PRIu64 " s",
             response->machine.plan.timeout_ms[step] / 1000);
    note_step(response, step, GUARD_POD_FAILED, detail, now_ms);
    conclude(responder, response);
}

/* again: of the first look after a start. */
static void advance(struct responder *responder, struct response *response, bool again,
                    uint64_t now_ms)
{
    for (int i = 0; i < STEPS_AT_ONCE && responder->broken[0] == '\0'; i++) {
        enum guard_pod_step step = response->machine.step;
        enum guard_pod_action action = guard_pod_response_next(&response->machine, now_ms);
        if (response->machine.step != step) {
            took_too_long(responder, response, step, now_ms);
            continue;
        }
        if (action == GUARD_POD_ENDED) {
            finish(responder, response, now_ms);
            return;
        }
        if (action == GUARD_POD_WAIT)
            return;
        if (response->dry_run)
            dry_step(responder, response, now_ms);
        else if (!act(responder, response, again && response->acting, now_ms))
            return;
        again = false;
    }
}

void response_begin(struct response *room, const struct pod_order *order,
                    const struct workload_cfg *cfg, bool dry_run, uint64_t now_ms)
{
    *room = (struct response){.used = true,
                              .order = *order,
                              .dry_run = dry_run,
                              .cfg = cfg,
                              .group = {.fd = -1},
                              .child = {.out = -1}};
    guard_pod_response_begin(&room->machine, &cfg->plan, now_ms);
}

/* However far the response is: nothing is contained for longer than that. */
static void let_go_in_time(struct responder *responder, struct response *response, uint64_t now_ms)
{
    text_out text;
    if ((!response->contained && !response->frozen) || now_ms < response->held_ms)
        return;
    release(responder, response, text);
    response->given_up = true;
    log_event("alarm", "pod-let-go", service_of(response), "%s: pod %s: %s", response->order.id,
              response->order.uid, text);
}

void response_run(struct responder *responder, struct response *response, uint64_t now_ms)
{
    if (responder->broken[0] != '\0') {
        let_go_in_time(responder, response, now_ms);
    } else if (response->ended) {
        watch_held(responder, response, now_ms);
    } else {
        let_go_in_time(responder, response, now_ms);
        advance(responder, response, false, now_ms);
    }
}

void response_see_others(struct response *response)
{
    if (!response->ended)
        response->others = true;
}

static void uphold(struct responder *responder, struct response *response)
{
    struct guard_err err;
    text_out text;
    if (!response->contained && !response->frozen)
        return;
    if (responder->actor.uphold(responder->actor.ctx, response, &err) == GUARD_OK)
        return;
    log_event("alarm", "not-contained-again", service_of(response), "%s: %s", response->order.id,
              err.text);
    release(responder, response, text);
}

void response_resume(struct responder *responder, struct response *response, uint64_t now_ms)
{
    static const struct workload_cfg nothing = {.name_space = ""};
    const struct pod_order *order = &response->order;
    response->cfg =
        config_workload(&responder->cfg, order->name_space, order->workload, order->container);
    response->given_up |= response->cfg == NULL;
    if (response->cfg == NULL)
        response->cfg = &nothing;
    response->machine.plan = response->cfg->plan;
    /* It is told once: what stands in the report already isn't added. */
    if (response->telling) {
        tell_line(responder, response);
        (void)responder_save(responder);
    }
    if (response->ended && !response->contained && !response->frozen) {
        forget(responder, response);
        return;
    }
    uphold(responder, response);
    if (!response->ended)
        advance(responder, response, response->acting, now_ms);
}
