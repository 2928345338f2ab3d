/* SPDX-License-Identifier: Apache-2.0 */
/* A step says how it went by its exit, and by a line for people; before one of LATER stands after
 * how many seconds the server wants to be asked again. */
#include "cluster_steps.h"

#include "cluster_view.h"
#include "config_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_LATER = 75, EXIT_NOT_YET = 76 };
enum { EXIT_AGAIN = -1 }; /* at once, and nothing is said; no process ends by it */
enum { LOOK_AGAIN_S = 1, LATER_MAX_S = 3600 };

struct job {
    const char *kubernetes;
    const char *workload;
    struct pod_ref pod;
    const struct step_cfg *step;
};

/* --- in the child --- */

static int ends(int status, const char *text, const char *more)
{
    printf("%s%s\n", text, more);
    return status;
}

enum refusal { REFUSED, REFUSED_FOR_NOW, REFUSED_BEFORE_READY };

/* A token that is over is replaced by a kubelet. A server that has just begun to answer refuses
 * everybody, also what everybody may; that it is ready now says nothing of what it refused before
 * it was asked. */
static enum refusal refusal_of(struct cluster *cluster)
{
    enum { UNAUTHORIZED = 401, FORBIDDEN = 403 };
    const struct pod_result result = cluster->result;
    enum refusal refusal = result.status == UNAUTHORIZED ? REFUSED_FOR_NOW : REFUSED;
    if (result.status == FORBIDDEN && !cluster->ready)
        refusal = cluster_ready(cluster) ? REFUSED_BEFORE_READY : REFUSED_FOR_NOW;
    cluster->result = result;
    return refusal;
}

/* What isn't done, by why. */
static int ends_without(struct cluster *cluster, const char *what)
{
    const struct pod_result *result = &cluster->result;
    switch (result->outcome) {
    case POD_LATER:
        printf("%u %s%s: %s\n", result->retry_after_s, what,
               result->budget ? ": the disruption budget is spent" : "", result->message);
        return EXIT_LATER;
    case POD_FAILED:
        printf("0 %s: no answer of use from the API server: %s\n", what, result->message);
        return EXIT_LATER;
    case POD_DONE:
    case POD_GONE:
    case POD_REFUSED:
        break;
    }
    enum refusal refusal = refusal_of(cluster);
    if (refusal == REFUSED_BEFORE_READY)
        return EXIT_AGAIN;
    printf("%s%s: %s\n", refusal == REFUSED_FOR_NOW ? "0 " : "", what, result->message);
    return refusal == REFUSED_FOR_NOW ? EXIT_LATER : EXIT_FAILED;
}

/* Servers before 1.22 don't know the first form, those from 1.25 on not the second. */
static enum pod_outcome evict(struct cluster *cluster, const struct pod_ref *pod, bool dry)
{
    enum { BAD_REQUEST = 400 };
    struct guard_err err;
    enum pod_outcome outcome = cluster_wait(
        cluster, pod_evict(cluster->client, &cluster->action, pod, EVICTION_V1, dry, &err), &err);
    if (outcome != POD_REFUSED || cluster->result.status != BAD_REQUEST)
        return outcome;
    return cluster_wait(
        cluster, pod_evict(cluster->client, &cluster->action, pod, EVICTION_V1BETA1, dry, &err),
        &err);
}

/* An eviction that was accepted is no end: until the pod is gone its processes may go on, and what
 * contains them must not be let go. */
static int wait_until_gone(struct cluster *cluster, const struct job *job)
{
    const struct timespec pause = {.tv_sec = LOOK_AGAIN_S};
    struct pod_view pod;
    while (true) {
        switch (cluster_look(cluster, &job->pod, &pod)) {
        case POD_GONE:
            return ends(EXIT_DONE, "evicted, and gone", "");
        case POD_REFUSED:
            return ends_without(cluster, "evicted; whether it is gone isn't known");
        case POD_DONE:
        case POD_LATER:
        case POD_FAILED:
            break;
        }
        nanosleep(&pause, NULL);
    }
}

static int run_evict(struct cluster *cluster, const struct job *job)
{
    struct pod_view pod;
    enum pod_outcome outcome = cluster_look(cluster, &job->pod, &pod);
    if (outcome == POD_GONE)
        return ends(EXIT_DONE, "gone already: ", cluster->result.message);
    if (outcome != POD_DONE)
        return ends_without(cluster, "can't look at it");
    if (strcmp(pod.workload, job->workload) != 0 && strcmp(pod.quarantined, pod.uid) != 0)
        return ends(EXIT_FAILED, "isn't touched: the API server says that it is of ", pod.workload);
    outcome = pod.leaving ? POD_DONE : evict(cluster, &job->pod, false);
    /* 409 is said of other things than the uid, too. */
    if (outcome == POD_GONE && cluster_look(cluster, &job->pod, &pod) == POD_DONE) {
        cluster->result = (struct pod_result){.outcome = POD_LATER, .message = "a conflict"};
        outcome = POD_LATER;
    }
    return outcome == POD_DONE || outcome == POD_GONE ? wait_until_gone(cluster, job)
                                                      : ends_without(cluster, "not evicted");
}

struct census {
    const struct job *job;
    uint32_t kept;                /* other pods that were taken out of it */
    char newest[VIEW_MOMENT_CAP]; /* of the workload's */
};

static bool count_kept(void *ctx, const struct pod_view *pod)
{
    struct census *census = ctx;
    census->kept += strcmp(pod->uid, census->job->pod.uid) != 0;
    return true;
}

static bool find_newest(void *ctx, const struct pod_view *pod)
{
    struct census *census = ctx;
    if (strcmp(pod->workload, census->job->workload) == 0 &&
        strcmp(pod->created, census->newest) > 0)
        memcpy(census->newest, pod->created, sizeof(census->newest));
    return true;
}

static enum pod_outcome deny(struct cluster *cluster, const struct job *job)
{
    const struct pod_label label = {QUARANTINED, job->pod.uid};
    struct guard_err err;
    return cluster_wait(
        cluster, pod_deny(cluster->client, &cluster->action, job->pod.namespace, &label, &err),
        &err);
}

static int relabel(struct cluster *cluster, const struct job *job, const char *newest)
{
    const struct step_cfg *step = job->step;
    struct pod_label labels[POD_LABELS_MAX] = {{QUARANTINED, job->pod.uid},
                                               {QUARANTINED_FROM, job->workload},
                                               {QUARANTINED_AFTER, newest}};
    struct pod_view pod;
    struct guard_err err;
    memcpy(labels + CONFIG_LABELS_OURS, step->labels, step->label_count * sizeof(labels[0]));
    enum pod_outcome outcome =
        cluster_wait(cluster,
                     pod_relabel(cluster->client, &cluster->action, &job->pod, labels,
                                 CONFIG_LABELS_OURS + step->label_count, &err),
                     &err);
    if (outcome == POD_GONE && cluster_look(cluster, &job->pod, &pod) == POD_DONE) {
        cluster->result = (struct pod_result){.outcome = POD_LATER, .message = "a conflict"};
        outcome = POD_LATER;
    }
    if (outcome == POD_GONE)
        return ends(EXIT_DONE, "gone already: ", cluster->result.message);
    if (outcome != POD_DONE)
        return ends_without(cluster, "not relabelled");
    return ends(EXIT_DONE,
                step->deny ? "relabelled, and a policy denies it all traffic: " : "relabelled: ",
                "kept for people as " QUARANTINED);
}

/* A pod without its labels is out of its disruption budget's sight, so that budget is asked before,
 * and no more pods are kept than the configuration says. */
static int run_relabel(struct cluster *cluster, const struct job *job)
{
    struct census census = {.job = job};
    struct pod_view pod;
    char kept[96];
    enum pod_outcome outcome = cluster_look(cluster, &job->pod, &pod);
    if (outcome == POD_GONE)
        return ends(EXIT_DONE, "gone already: ", cluster->result.message);
    if (outcome != POD_DONE)
        return ends_without(cluster, "can't look at it");
    if (strcmp(pod.quarantined, pod.uid) == 0)
        return ends(EXIT_DONE, "relabelled already", "");
    if (strcmp(pod.workload, job->workload) != 0)
        return ends(EXIT_FAILED, "isn't touched: the API server says that it is of ", pod.workload);
    if (cluster_list(cluster, job->pod.namespace, QUARANTINED_FROM, job->workload, count_kept,
                     &census) != POD_DONE ||
        cluster_list(cluster, job->pod.namespace, pod.hash[0] != '\0' ? pod.hash_label : "",
                     pod.hash, find_newest, &census) != POD_DONE)
        return ends_without(cluster, "can't look at the workload's pods");
    if (census.kept >= job->step->keep) {
        snprintf(kept, sizeof(kept), "not relabelled: %u pods of the workload are kept already",
                 census.kept);
        return ends(EXIT_FAILED, kept, ", look at them and delete them");
    }
    outcome = evict(cluster, &job->pod, true);
    if (outcome != POD_DONE && outcome != POD_GONE)
        return ends_without(cluster, "not relabelled");
    if (job->step->deny && deny(cluster, job) != POD_DONE)
        return ends_without(cluster, "no policy could be made, and it isn't relabelled");
    return relabel(cluster, job, census.newest);
}

struct search {
    const struct job *job;
    const char *after;
    struct pod_view found;
};

static bool find_replacement(void *ctx, const struct pod_view *pod)
{
    struct search *search = ctx;
    if (!pod->ready || pod->leaving || pod->quarantined[0] != '\0' ||
        strcmp(pod->workload, search->job->workload) != 0 ||
        strcmp(pod->created, search->after) <= 0)
        return true;
    search->found = *pod;
    return false;
}

static int run_look(struct cluster *cluster, const struct job *job)
{
    struct search search = {.job = job};
    struct pod_view pod;
    enum pod_outcome outcome = cluster_look(cluster, &job->pod, &pod);
    if (outcome == POD_GONE)
        return ends(EXIT_FAILED, "the pod is gone, and with it what says which pods are newer: ",
                    cluster->result.message);
    search.after = pod.after;
    if (outcome == POD_DONE && pod.after[0] == '\0')
        return ends(EXIT_FAILED, "somebody took the label " QUARANTINED_AFTER " away", "");
    if (outcome == POD_DONE)
        outcome =
            cluster_list(cluster, job->pod.namespace, pod.hash[0] != '\0' ? pod.hash_label : "",
                         pod.hash, find_replacement, &search);
    if (outcome != POD_DONE)
        return ends_without(cluster, "can't look for a replacement");
    return search.found.name[0] != '\0' ? ends(EXIT_DONE, "ready: ", search.found.name)
                                        : ends(EXIT_NOT_YET, "none is ready", "");
}

static int run_step(struct cluster *cluster, const struct job *job)
{
    if (job->step->label_count > 0)
        return run_relabel(cluster, job);
    return job->step->evict ? run_evict(cluster, job) : run_look(cluster, job);
}

static int run(void *ctx, int kept)
{
    static struct cluster cluster;
    const struct job *job = ctx;
    struct guard_err err;
    (void)kept;
    int status = EXIT_AGAIN;
    if (cluster_open(&cluster, job->kubernetes, &err) != GUARD_OK) {
        /* A token or a certificate that is being replaced may be there a moment later. */
        printf("0 %s\n", err.text);
        status = EXIT_LATER;
    }
    while (status == EXIT_AGAIN) /* once: the server is ready before the second time */
        status = run_step(&cluster, job);
    cluster_close(&cluster);
    fflush(stdout);
    return status;
}

/* --- in the responder --- */

const char *cluster_plan(const struct step_cfg *step)
{
    return step->evict         ? "would evict it"
           : step->replacement ? "would wait for a new pod of its workload"
           : step->deny        ? "would relabel it, and deny it all traffic"
                               : "would relabel it";
}

/* Whoever asks again before the time that the server said is in its way. */
static enum acted later(struct response *response, const char *text, char *detail, uint64_t now_ms)
{
    char *rest;
    unsigned long wait_s = strtoul(text, &rest, 10);
    snprintf(detail, ACTED_TEXT_MAX + 1, "%s", *rest == ' ' ? rest + 1 : rest);
    response->later_ms = now_ms + 1000 * (uint64_t)(wait_s < LATER_MAX_S ? wait_s : LATER_MAX_S);
    return ACTED_LATER;
}

static enum acted look(struct response *response, char *detail, uint64_t now_ms)
{
    const struct step_cfg *step = &response->cfg->steps[response->machine.step];
    int status = 0;
    enum child_state how = child_look(&response->child, &status);
    if (how == CHILD_RUNS)
        return ACTED_RUNS;
    snprintf(detail, ACTED_TEXT_MAX + 1, "%s", response->child.text);
    if (how == CHILD_EXITED && status == EXIT_DONE)
        return ACTED_DONE;
    bool waits = how == CHILD_EXITED && (status == EXIT_NOT_YET || status == EXIT_LATER);
    if (waits && step->replacement) { /* it only looks: until the step's time is over */
        response->next_ms = now_ms + step->every_ms;
        return ACTED_RUNS;
    }
    if (how == CHILD_EXITED && status == EXIT_LATER)
        return later(response, response->child.text, detail, now_ms);
    if (response->child.len == 0)
        snprintf(detail, ACTED_TEXT_MAX + 1, "%s %d", how == CHILD_EXITED ? "exit" : "signal",
                 status);
    return ACTED_FAILED;
}

enum acted cluster_act(const struct responder_cfg *cfg, struct response *response,
                       char detail[ACTED_TEXT_MAX + 1], uint64_t now_ms)
{
    const struct pod_order *order = &response->order;
    struct job job = {.kubernetes = cfg->kubernetes,
                      .workload = response->cfg->workload,
                      .pod = {order->name_space, order->pod, order->uid},
                      .step = &response->cfg->steps[response->machine.step]};
    struct guard_err err;
    if (response->child.pid > 0)
        return look(response, detail, now_ms);
    if (now_ms < response->next_ms)
        return ACTED_RUNS;
    if (child_run(&response->child, run, &job, -1, &err) == GUARD_OK)
        return ACTED_RUNS;
    snprintf(detail, ACTED_TEXT_MAX + 1, "%s", err.text);
    return ACTED_FAILED;
}
