/* SPDX-License-Identifier: Apache-2.0 */
/* The steps by what a node has: its control groups, the kernel's hooks, and commands that the
 * operator configured. Nothing here comes from an order but texts in a command's environment. */
#include "actor.h"

#include "alerts.h"
#include "capture.h"
#include "cluster_steps.h"
#include "config_steps.h"
#include "contain.h"
#include "environment.h"

#include "common/audit.h"
#include "common/log.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EXIT_LATER = 75 /* EX_TEMPFAIL */, EXIT_SAME = 10, ALERTS_EVERY_MS = 1000 };

typedef char text_out[ACTED_TEXT_MAX + 1];

static void say(char *out, const char *format, ...) GUARD_PRINTF(2, 3);
static void say(char *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out, ACTED_TEXT_MAX + 1, format, args);
    va_end(args);
}

/* --- the group --- */

/* The one that was found first, or none: a pod that came back under the same uid is another. */
static enum guard_rc find_group(const struct linux_actor *linux_ctx, struct response *response,
                                struct guard_err *err)
{
    struct pod_group found;
    if (response->group.fd >= 0 && pod_group_lives(&response->group))
        return GUARD_OK;
    pod_group_close(&response->group);
    GUARD_TRY(pod_group_find(&found, linux_ctx->cfg->cgroup_root, response->order.uid, err));
    if (response->group_number != 0 && response->group_number != found.number) {
        pod_group_close(&found);
        return guard_fail(err, GUARD_E_STATE, "the pod's control group is another one now");
    }
    response->group = found;
    response->group_number = found.number;
    return GUARD_OK;
}

/* --- contain --- */

static enum guard_rc deny(const struct linux_actor *linux_ctx, struct response *response,
                          struct guard_err *err)
{
    if (linux_ctx->containing == NULL)
        return guard_fail(err, GUARD_E_IO, "%s", linux_ctx->why_not);
    GUARD_TRY(contain(linux_ctx->containing, response->group.fd, response->group.number, err));
    response->contained = true;
    return GUARD_OK;
}

static enum guard_rc freeze(struct response *response, struct guard_err *err)
{
    GUARD_TRY(pod_group_freeze(&response->group, true, err));
    response->frozen = true;
    return GUARD_OK;
}

/* The kernel doesn't thaw by itself: whoever finds the note does. */
static void foresee(void *ctx, struct response *response, uint64_t now_ms)
{
    const struct linux_actor *linux_ctx = ctx;
    if (response->machine.step != GUARD_POD_CONTAIN || linux_ctx->cfg->by == CONTAIN_BY_DENY)
        return;
    response->frozen = true;
    response->held_ms = now_ms + linux_ctx->cfg->hold_ms;
}

static enum guard_rc hold(const struct linux_actor *linux_ctx, struct response *response,
                          struct guard_err *err)
{
    enum guard_rc rc = GUARD_E_IO;
    bool foreseen = response->frozen;
    response->frozen = false;
    GUARD_TRY(find_group(linux_ctx, response, err));
    if (linux_ctx->cfg->by != CONTAIN_BY_FREEZE)
        rc = deny(linux_ctx, response, err);
    if (rc != GUARD_OK && linux_ctx->cfg->by != CONTAIN_BY_DENY)
        rc = freeze(response, err);
    /* Another run may have frozen it before it was killed. */
    if (foreseen && !response->frozen)
        (void)!pod_group_freeze(&response->group, false, NULL);
    return rc;
}

static enum acted act_contain(const struct linux_actor *linux_ctx, struct response *response,
                              char *detail, uint64_t now_ms)
{
    struct guard_err err;
    if (hold(linux_ctx, response, &err) != GUARD_OK) {
        say(detail, "%s", err.text);
        return ACTED_FAILED;
    }
    response->held_ms = now_ms + linux_ctx->cfg->hold_ms;
    if (response->frozen)
        say(detail, "frozen: it stands still and answers nobody; for %" PRIu64 " s at most",
            linux_ctx->cfg->hold_ms / 1000);
    else
        say(detail,
            "no new destinations but loopback and %u listed, no new programs; for %" PRIu64
            " s at most",
            linux_ctx->cfg->allow_count, linux_ctx->cfg->hold_ms / 1000);
    return ACTED_DONE;
}

static enum guard_rc uphold(void *ctx, struct response *response, struct guard_err *err)
{
    const struct linux_actor *linux_ctx = ctx;
    GUARD_TRY(find_group(linux_ctx, response, err));
    return response->frozen ? pod_group_freeze(&response->group, true, err)
                            : deny(linux_ctx, response, err);
}

static void release(void *ctx, struct response *response, text_out text)
{
    const struct linux_actor *linux_ctx = ctx;
    struct contain_counts counts;
    struct guard_err err;
    contain_counts(linux_ctx->containing, response->group_number, &counts);
    say(text, "it had tried %llu connections, %llu programs", counts.denied, counts.killed);
    contain_end(linux_ctx->containing, response->group_number);
    if (response->frozen && find_group(linux_ctx, response, &err) == GUARD_OK &&
        pod_group_freeze(&response->group, false, &err) != GUARD_OK)
        log_event("alarm", "not-thawed", (struct guard_span){NULL, 0}, "%s", err.text);
    response->contained = response->frozen = false;
}

/* --- commands --- */

enum command_end { COMMAND_GOOD, COMMAND_RUNS, COMMAND_LATER, COMMAND_SAME, COMMAND_BAD };

static void tell_status(const struct child *child, enum child_state how, int status, char *detail)
{
    if (child->len > 0)
        say(detail, "%s (%s %d)", child->text, how == CHILD_EXITED ? "exit" : "signal", status);
    else
        say(detail, "%s %d", how == CHILD_EXITED ? "exit" : "signal", status);
}

static enum command_end look_command(struct response *response, char *detail)
{
    int status = 0;
    enum child_state how = child_look(&response->child, &status);
    if (how == CHILD_RUNS)
        return COMMAND_RUNS;
    if (how == CHILD_EXITED && status == 0) {
        say(detail, "%s", response->child.len > 0 ? response->child.text : "done");
        return COMMAND_GOOD;
    }
    tell_status(&response->child, how, status, detail);
    return how == CHILD_EXITED && status == EXIT_LATER  ? COMMAND_LATER
           : how == CHILD_EXITED && status == EXIT_SAME ? COMMAND_SAME
                                                        : COMMAND_BAD;
}

static enum command_end run_command(const struct linux_actor *linux_ctx, struct response *response,
                                    char *const *argv, char *detail)
{
    static struct environment environment;
    struct guard_err err;
    if (response->child.pid > 0)
        return look_command(response, detail);
    environment_of(&environment, linux_ctx->cfg, response);
    if (child_command(&response->child, argv, environment.list, &err) == GUARD_OK)
        return COMMAND_RUNS;
    say(detail, "%s", err.text);
    return COMMAND_BAD;
}

/* A command that changes something. Whether one that this program didn't see the end of did, nobody
 * knows: it isn't run again. */
static enum acted act_command(const struct linux_actor *linux_ctx, struct response *response,
                              bool again, char *detail)
{
    const struct step_cfg *step = &response->cfg->steps[response->machine.step];
    if (again) {
        say(detail, "%s was interrupted; whether it was done isn't known, it isn't done again",
            step->command[0]);
        return ACTED_FAILED;
    }
    switch (run_command(linux_ctx, response, step->command, detail)) {
    case COMMAND_GOOD:
        return ACTED_DONE;
    case COMMAND_RUNS:
        return ACTED_RUNS;
    case COMMAND_LATER:
        return ACTED_LATER;
    case COMMAND_SAME:
    case COMMAND_BAD:
        break;
    }
    return ACTED_FAILED;
}

/* A command that only looks: again and again until it says yes or the step's time is over. */
static enum acted act_look(const struct linux_actor *linux_ctx, struct response *response,
                           char *detail, uint64_t now_ms)
{
    const struct step_cfg *step = &response->cfg->steps[response->machine.step];
    if (response->child.pid == 0 && now_ms < response->next_ms)
        return ACTED_RUNS;
    switch (run_command(linux_ctx, response, step->command, detail)) {
    case COMMAND_GOOD:
        return ACTED_DONE;
    case COMMAND_SAME:
        if (response->machine.step == GUARD_POD_VERIFY)
            return ACTED_SAME_AGAIN;
        break;
    case COMMAND_RUNS:
        return ACTED_RUNS;
    case COMMAND_LATER:
    case COMMAND_BAD:
        break;
    }
    response->next_ms = now_ms + step->every_ms;
    return ACTED_RUNS;
}

/* --- capture --- */

static uint32_t folders_in(const char *path)
{
    uint32_t count = 0;
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    if (dir != NULL)
        closedir(dir);
    return count;
}

struct capture_job {
    struct capture_cfg cfg;
    char partial[STATE_PATH_MAX], whole[STATE_PATH_MAX];
};

static int run_capture(void *ctx, int kept)
{
    const struct capture_job *job = ctx;
    return capture_run(&job->cfg, kept);
}

static void name_capture(const struct linux_actor *linux_ctx, const struct response *response,
                         struct capture_job *job)
{
    const char *state = linux_ctx->cfg->state;
    snprintf(job->whole, sizeof(job->whole), "%.800s/captures/%s", state, response->order.id);
    snprintf(job->partial, sizeof(job->partial), "%.800s/captures/%s.partial", state,
             response->order.id);
    job->cfg = (struct capture_cfg){.folder = job->partial,
                                    .order = &response->order,
                                    .group = &response->group,
                                    .bytes = linux_ctx->cfg->capture_bytes,
                                    .processes = linux_ctx->cfg->capture_processes};
}

/* Said before it is made. */
static enum guard_rc audit_capture(const struct linux_actor *linux_ctx,
                                   const struct response *response, const struct capture_job *job,
                                   struct guard_err *err)
{
    const struct audit_who who = {"guard-responder", (int64_t)getuid(), "responder", NULL, NULL};
    const char *service = response->order.service;
    return audit_append(linux_ctx->cfg->state, &who,
                        (struct guard_span){(const uint8_t *)service, strlen(service)},
                        "pod-capture", "", job->whole, response->order.reason, err);
}

static enum acted begin_capture(const struct linux_actor *linux_ctx, struct response *response,
                                bool again, char *detail)
{
    char folder[STATE_PATH_MAX];
    struct capture_job job;
    struct guard_err err;
    name_capture(linux_ctx, response, &job);
    snprintf(folder, sizeof(folder), "%.800s/captures", linux_ctx->cfg->state);
    if (access(job.whole, F_OK) == 0) {
        say(detail, "is in %s", job.whole);
        return ACTED_DONE;
    }
    if (again && access(job.partial, F_OK) == 0) {
        say(detail, "was interrupted; what there is is in %s", job.partial);
        return ACTED_FAILED;
    }
    if (folders_in(folder) >= linux_ctx->cfg->capture_keep) {
        say(detail, "%s holds %u captures already: nothing is thrown away, and no more is kept",
            folder, linux_ctx->cfg->capture_keep);
        return ACTED_FAILED;
    }
    enum guard_rc rc = find_group(linux_ctx, response, &err);
    if (rc == GUARD_OK)
        rc = audit_capture(linux_ctx, response, &job, &err);
    if (rc == GUARD_OK)
        rc = child_run(&response->child, run_capture, &job, response->group.fd, &err);
    if (rc == GUARD_OK)
        return ACTED_RUNS;
    say(detail, "%s", err.text);
    return ACTED_FAILED;
}

static enum acted act_capture(const struct linux_actor *linux_ctx, struct response *response,
                              bool again, char *detail)
{
    struct capture_job job;
    int status = 0;
    if (response->child.pid == 0)
        return begin_capture(linux_ctx, response, again, detail);
    enum child_state how = child_look(&response->child, &status);
    if (how == CHILD_RUNS)
        return ACTED_RUNS;
    name_capture(linux_ctx, response, &job);
    if (how == CHILD_EXITED && status == 0 && rename(job.partial, job.whole) == 0) {
        say(detail, "%s: %s", job.whole, response->child.text);
        return ACTED_DONE;
    }
    tell_status(&response->child, how, status, detail);
    return ACTED_FAILED;
}

/* --- remove --- */

static enum acted act_kill(const struct linux_actor *linux_ctx, struct response *response,
                           bool again, char *detail)
{
    struct guard_err err;
    enum guard_rc rc = find_group(linux_ctx, response, &err);
    if (rc == GUARD_E_STATE) {
        say(detail, "the pod is gone");
        return ACTED_DONE;
    }
    struct pod_group_tasks tasks = {true, true};
    if (rc == GUARD_OK)
        tasks = pod_group_look(&response->group, response->acting_ms);
    if (rc == GUARD_OK && (!tasks.any || (again && !tasks.older))) {
        say(detail, "its processes are gone");
        return ACTED_DONE;
    }
    if (rc == GUARD_OK)
        rc = pod_group_kill(&response->group, &err);
    say(detail, "%s", rc == GUARD_OK ? "all processes of the pod were killed" : err.text);
    return rc == GUARD_OK ? ACTED_DONE : ACTED_FAILED;
}

/* --- verify and tell --- */

static enum acted act_verify(const struct linux_actor *linux_ctx, struct response *response,
                             char *detail, uint64_t now_ms)
{
    const struct step_cfg *step = &response->cfg->steps[GUARD_POD_VERIFY];
    bool over = now_ms >= response->machine.since_ms + step->watch_ms;
    if (response->child.pid == 0 && (over || now_ms >= response->next_ms)) {
        response->others |= alerts_tell_of_another(linux_ctx->cfg->guard, &response->order);
        if (!over)
            response->next_ms = now_ms + ALERTS_EVERY_MS;
    }
    if (response->others) {
        say(detail, "another pod of the workload does the same");
        return ACTED_SAME_AGAIN;
    }
    if (!over)
        return ACTED_RUNS;
    if (step->command != NULL)
        return act_look(linux_ctx, response, detail, now_ms);
    say(detail, "nothing of the kind in %" PRIu64 " s", step->watch_ms / 1000);
    return ACTED_DONE;
}

static void tell(const struct response *response, char *detail)
{
    const struct pod_order *order = &response->order;
    if (order->exchange[0] != '\0')
        say(detail,
            "the hole is still open, in the replacement, too: exchange %s opened the door. A patch "
            "for it: guard patch from the request, if it was recorded (guard-responder keeps none)",
            order->exchange);
    else
        say(detail, "the hole is still open, in the replacement, too. No exchange is known that "
                    "opened the door, so no patch can be proposed");
}

static enum acted act_tell(const struct linux_actor *linux_ctx, struct response *response,
                           bool again, char *detail)
{
    char said[ACTED_TEXT_MAX + 1];
    tell(response, detail);
    if (response->cfg->steps[GUARD_POD_TELL].command == NULL)
        return ACTED_DONE;
    enum acted acted = act_command(linux_ctx, response, again, said);
    if (acted != ACTED_RUNS) {
        size_t len = strlen(detail);
        snprintf(detail + len, ACTED_TEXT_MAX + 1 - len, "; %s", said);
    }
    return acted;
}

static enum acted act(void *ctx, struct response *response, bool again, text_out detail,
                      uint64_t now_ms)
{
    const struct linux_actor *linux_ctx = ctx;
    if (response->machine.step < GUARD_POD_STEPS &&
        step_by_cluster(&response->cfg->steps[response->machine.step]))
        return cluster_act(linux_ctx->cfg, response, detail, now_ms);
    switch (response->machine.step) {
    case GUARD_POD_CONTAIN:
        return act_contain(linux_ctx, response, detail, now_ms);
    case GUARD_POD_CAPTURE:
        return act_capture(linux_ctx, response, again, detail);
    case GUARD_POD_OUT_OF_SERVICE:
        return act_command(linux_ctx, response, again, detail);
    case GUARD_POD_WAIT_READY:
        return act_look(linux_ctx, response, detail, now_ms);
    case GUARD_POD_REMOVE:
        return response->cfg->steps[GUARD_POD_REMOVE].kill
                   ? act_kill(linux_ctx, response, again, detail)
                   : act_command(linux_ctx, response, again, detail);
    case GUARD_POD_VERIFY:
        return act_verify(linux_ctx, response, detail, now_ms);
    case GUARD_POD_TELL:
        return act_tell(linux_ctx, response, again, detail);
    case GUARD_POD_STEPS:
        break;
    }
    say(detail, "there is no such step");
    return ACTED_FAILED;
}

static void plan(void *ctx, struct response *response, text_out detail)
{
    const struct linux_actor *linux_ctx = ctx;
    const struct step_cfg *step = &response->cfg->steps[response->machine.step];
    struct guard_err err;
    if (response->machine.step == GUARD_POD_CONTAIN)
        say(detail, "%s",
            find_group(linux_ctx, response, &err) == GUARD_OK ? response->group.path : err.text);
    else if (response->machine.step == GUARD_POD_TELL)
        tell(response, detail);
    else if (step_by_cluster(step))
        say(detail, "%s", cluster_plan(step));
    else if (step->command != NULL)
        say(detail, "would run %s", step->command[0]);
    else
        say(detail, "%s", step->kill ? "would kill all its processes" : "would be done");
}

static void stop(void *ctx, struct response *response)
{
    (void)ctx;
    child_kill(&response->child);
}

struct actor linux_actor(struct linux_actor *ctx)
{
    return (struct actor){.name = "linux",
                          .ctx = ctx,
                          .act = act,
                          .foresee = foresee,
                          .plan = plan,
                          .stop = stop,
                          .uphold = uphold,
                          .release = release};
}
