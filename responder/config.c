/* SPDX-License-Identifier: Apache-2.0 */
/* Reads responder.yaml. A member that isn't known is an error: what was meant to hold the responder
 * back must not be overlooked. */
#include "config.h"

#include "config_steps.h"
#include "config_values.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/guardian_words.h"
#include "common/pods/orders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DAY_S = 86400,
    HOUR_S = 3600,
    ORDER_MS = 600 * 1000,
    PER_HOUR = 10,
    MIB = 1 << 20,
    REPLICAS_MAX = 100,
};

#define FAIL(reading, node, rc, ...)                                                               \
    document_fail_member((reading)->document, node, rc, (reading)->err, __VA_ARGS__)

static enum guard_rc read_allow(const struct reading *reading, const struct document_node *node,
                                struct responder_cfg *cfg)
{
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(reading, node, GUARD_E_SYNTAX, "must be a list of destinations");
    for (const struct document_node *one = node->first; one != NULL; one = one->next) {
        if (cfg->allow_count == CONFIG_ALLOW_MAX)
            return FAIL(reading, one, GUARD_E_LIMIT, "more than %d destinations", CONFIG_ALLOW_MAX);
        GUARD_TRY(read_destination(reading, one, &cfg->allow[cfg->allow_count++]));
    }
    return GUARD_OK;
}

static enum guard_rc read_containment(const struct reading *reading,
                                      const struct document_node *member, void *ctx)
{
    static const char *const names[] = {"deny", "freeze", "denyOrFreeze"};
    struct responder_cfg *cfg = ctx;
    if (is_word(member->key, "allow"))
        return read_allow(reading, member, cfg);
    if (is_word(member->key, "holdSeconds"))
        return read_seconds(reading, member, 1, DAY_S, &cfg->hold_ms);
    if (!is_word(member->key, "by"))
        return unknown_member(reading, member);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        cfg->by = (enum contain_by)i;
        if (is_word(member, names[i]))
            return GUARD_OK;
    }
    return FAIL(reading, member, GUARD_E_RANGE, "must be deny, freeze or denyOrFreeze");
}

static enum guard_rc read_capture(const struct reading *reading, const struct document_node *member,
                                  void *ctx)
{
    struct responder_cfg *cfg = ctx;
    uint32_t mebibytes;
    if (is_word(member->key, "processes"))
        return read_count(reading, member, 1, 4096, &cfg->capture_processes);
    if (is_word(member->key, "keep"))
        return read_count(reading, member, 1, 1000, &cfg->capture_keep);
    if (!is_word(member->key, "mebibytes"))
        return unknown_member(reading, member);
    GUARD_TRY(read_count(reading, member, 1, 1024, &mebibytes));
    cfg->capture_bytes = (uint64_t)mebibytes * MIB;
    return GUARD_OK;
}

static enum guard_rc read_budget(const struct reading *reading, const struct document_node *member,
                                 void *ctx)
{
    struct guard_pod_budget_cfg *budget = ctx;
    enum { MONTH_S = 30 * DAY_S };
    if (is_word(member->key, "windowSeconds"))
        return read_seconds(reading, member, 1, MONTH_S, &budget->window_ms);
    if (is_word(member->key, "backoffFirstSeconds"))
        return read_seconds(reading, member, 1, MONTH_S, &budget->backoff_first_ms);
    if (is_word(member->key, "backoffMaxSeconds"))
        return read_seconds(reading, member, 1, MONTH_S, &budget->backoff_max_ms);
    if (is_word(member->key, "calmSeconds"))
        return read_seconds(reading, member, 1, MONTH_S, &budget->calm_ms);
    if (!is_word(member->key, "share"))
        return unknown_member(reading, member);
    char *end = NULL;
    const char *text = member->kind == DOCUMENT_SCALAR ? (const char *)member->text.ptr : "";
    budget->share = strtod(text, &end);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0'
               ? GUARD_OK
               : FAIL(reading, member, GUARD_E_RANGE, "must be a number such as 0.1");
}

static enum guard_rc read_workload_member(const struct reading *reading,
                                          const struct document_node *member, void *ctx)
{
    struct workload_cfg *workload = ctx;
    if (is_word(member->key, "namespace"))
        return read_name(reading, member, &workload->name_space);
    if (is_word(member->key, "workload"))
        return read_name(reading, member, &workload->workload);
    if (is_word(member->key, "container"))
        return read_name(reading, member, &workload->container);
    if (is_word(member->key, "dryRun"))
        return read_truth(reading, member, &workload->plan.dry_run);
    if (is_word(member->key, "replicasMax"))
        return read_count(reading, member, 2, 100000, &workload->replicas_max);
    if (is_word(member->key, "tries"))
        return read_count(reading, member, 1, 20, &workload->plan.tries_max);
    if (is_word(member->key, "retrySeconds"))
        return read_seconds(reading, member, 1, HOUR_S, &workload->plan.retry_ms);
    if (is_word(member->key, "steps"))
        return read_mapping(reading, member, read_steps, workload);
    if (!is_word(member->key, "budget"))
        return unknown_member(reading, member);
    GUARD_TRY(read_mapping(reading, member, read_budget, &workload->budget));
    struct guard_err why;
    return guard_pod_budget_check(&workload->budget, &why) == GUARD_OK
               ? GUARD_OK
               : FAIL(reading, member, GUARD_E_RANGE, "%s", why.text);
}

static bool overlaps(const struct workload_cfg *a, const struct workload_cfg *b)
{
    return strcmp(a->name_space, b->name_space) == 0 && strcmp(a->workload, b->workload) == 0 &&
           (a->container == NULL || b->container == NULL ||
            strcmp(a->container, b->container) == 0);
}

static enum guard_rc read_workload(const struct reading *reading, const struct document_node *node,
                                   struct responder_cfg *cfg)
{
    struct workload_cfg *workload = &cfg->workloads[cfg->workload_count];
    *workload = (struct workload_cfg){.replicas_max = REPLICAS_MAX};
    guard_pod_plan_default(&workload->plan);
    guard_pod_budget_default(&workload->budget);
    steps_default(workload);
    GUARD_TRY(read_mapping(reading, node, read_workload_member, workload));
    if (workload->name_space == NULL || workload->workload == NULL)
        return FAIL(reading, node, GUARD_E_SYNTAX, "namespace and workload are needed");
    GUARD_TRY(check_cluster_steps(reading, node, workload));
    for (uint32_t i = 0; i < cfg->workload_count; i++) {
        if (overlaps(&cfg->workloads[i], workload))
            return FAIL(reading, node, GUARD_E_RANGE, "%.100s/%.100s is there twice",
                        workload->name_space, workload->workload);
    }
    cfg->workload_count++;
    return GUARD_OK;
}

static enum guard_rc read_workloads(const struct reading *reading, const struct document_node *node,
                                    struct responder_cfg *cfg)
{
    if (node->kind != DOCUMENT_SEQUENCE)
        return FAIL(reading, node, GUARD_E_SYNTAX, "must be a list");
    if (node->count > CONFIG_WORKLOADS_MAX)
        return FAIL(reading, node, GUARD_E_LIMIT, "more than %d workloads", CONFIG_WORKLOADS_MAX);
    for (const struct document_node *one = node->first; one != NULL; one = one->next)
        GUARD_TRY(read_workload(reading, one, cfg));
    return GUARD_OK;
}

/* In a pod, or the file that says where the cluster is and who we are there. */
static enum guard_rc read_kubernetes(const struct reading *reading,
                                     const struct document_node *member, const char **out)
{
    if (!is_word(member, "in-cluster"))
        return read_path(reading, member, out);
    *out = (const char *)member->text.ptr;
    return GUARD_OK;
}

/* A cluster that isn't named can't be asked. */
static enum guard_rc check_cluster(const struct reading *reading, const struct document_node *root,
                                   const struct responder_cfg *cfg)
{
    for (uint32_t i = 0; i < cfg->workload_count && cfg->kubernetes == NULL; i++) {
        for (int step = 0; step < GUARD_POD_STEPS; step++) {
            if (step_by_cluster(&cfg->workloads[i].steps[step]))
                return document_fail(reading->document, root, GUARD_E_SYNTAX, reading->err,
                                     "kubernetes is needed for %s of %.60s/%.60s",
                                     pod_report_step_name((enum guard_pod_step)step),
                                     cfg->workloads[i].name_space, cfg->workloads[i].workload);
        }
    }
    return GUARD_OK;
}

static enum guard_rc read_head(const struct reading *reading, const struct document_node *member,
                               void *ctx)
{
    struct responder_cfg *cfg = ctx;
    if (is_word(member->key, "state"))
        return read_path(reading, member, &cfg->state);
    if (is_word(member->key, "guardState"))
        return read_path(reading, member, &cfg->guard);
    if (is_word(member->key, "cgroupRoot"))
        return read_path(reading, member, &cfg->cgroup_root);
    if (is_word(member->key, "kubernetes"))
        return read_kubernetes(reading, member, &cfg->kubernetes);
    if (is_word(member->key, "dryRun"))
        return read_truth(reading, member, &cfg->dry_run);
    if (is_word(member->key, "resumes"))
        return read_truth(reading, member, &cfg->resumes);
    if (is_word(member->key, "orderSeconds"))
        return read_seconds(reading, member, 1, HOUR_S, &cfg->order_ms);
    if (is_word(member->key, "perHour"))
        return read_count(reading, member, 1, 1000, &cfg->per_hour);
    if (is_word(member->key, "containment"))
        return read_mapping(reading, member, read_containment, cfg);
    if (is_word(member->key, "capture"))
        return read_mapping(reading, member, read_capture, cfg);
    if (is_word(member->key, "workloads"))
        return read_workloads(reading, member, cfg);
    if (is_word(member->key, "apiVersion"))
        return is_word(member, GUARDIAN_VERSION)
                   ? GUARD_OK
                   : FAIL(reading, member, GUARD_E_VERSION, "must be " GUARDIAN_VERSION);
    if (is_word(member->key, "kind"))
        return is_word(member, "Responder")
                   ? GUARD_OK
                   : FAIL(reading, member, GUARD_E_SYNTAX, "must be Responder");
    return unknown_member(reading, member);
}

enum guard_rc config_parse(struct responder_cfg *out, const char *name, struct guard_span bytes,
                           struct guard_arena *arena, struct guard_err *err)
{
    static const char *const needed[] = {"apiVersion", "kind", "state", "guardState", "cgroupRoot"};
    struct document document;
    struct reading reading = {&document, err};
    *out = (struct responder_cfg){.dry_run = true,
                                  .resumes = true,
                                  .order_ms = ORDER_MS,
                                  .per_hour = PER_HOUR,
                                  .hold_ms = (uint64_t)HOUR_S * 1000,
                                  .capture_bytes = 16 * (uint64_t)MIB,
                                  .capture_processes = 512,
                                  .capture_keep = 32};
    GUARD_TRY(document_parse(&document, name, bytes, arena, err));
    if (document.root->kind != DOCUMENT_MAPPING)
        return document_fail(&document, document.root, GUARD_E_SYNTAX, err, "must be a mapping");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        if (member_of(document.root, needed[i]) == NULL)
            return document_fail(&document, document.root, GUARD_E_SYNTAX, err, "%s is needed",
                                 needed[i]);
    }
    GUARD_TRY(read_mapping(&reading, document.root, read_head, out));
    return check_cluster(&reading, document.root, out);
}

/* --- whose files they are --- */

static enum guard_rc check_owner(const char *path, struct guard_err *err)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return guard_fail(err, GUARD_E_IO, "%s: %s", path, strerror(errno));
    if ((info.st_uid != 0 && info.st_uid != geteuid()) || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return guard_fail(err, GUARD_E_IO,
                          "%s: others may write it; it must be root's, writable by nobody else",
                          path);
    return GUARD_OK;
}

static enum guard_rc check_commands(const struct responder_cfg *cfg, struct guard_err *err)
{
    for (uint32_t i = 0; i < cfg->workload_count; i++) {
        for (int step = 0; step < GUARD_POD_STEPS; step++) {
            char **command = cfg->workloads[i].steps[step].command;
            if (command != NULL)
                GUARD_TRY(check_owner(command[0], err));
        }
    }
    /* Who may write it says which server is asked and believed. */
    if (cfg->kubernetes != NULL && cfg->kubernetes[0] == '/')
        GUARD_TRY(check_owner(cfg->kubernetes, err));
    return GUARD_OK;
}

enum guard_rc config_load(struct responder_cfg *out, const char *path, struct guard_arena *arena,
                          struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    GUARD_TRY(check_owner(path, err));
    GUARD_TRY(file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = config_parse(out, path, (struct guard_span){bytes, len}, arena, err);
    free(bytes);
    return rc == GUARD_OK ? check_commands(out, err) : rc;
}

const struct workload_cfg *config_workload(const struct responder_cfg *cfg, const char *name_space,
                                           const char *workload, const char *container)
{
    for (uint32_t i = 0; i < cfg->workload_count; i++) {
        const struct workload_cfg *one = &cfg->workloads[i];
        if (strcmp(one->name_space, name_space) == 0 && strcmp(one->workload, workload) == 0 &&
            (one->container == NULL || strcmp(one->container, container) == 0))
            return one;
    }
    return NULL;
}
