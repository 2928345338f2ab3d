/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a workload: what each is done by. */
#include "config_steps.h"

#include "config_values.h"

#include "common/pods/orders.h"

#include <string.h>

enum { HOUR_S = 3600, EVERY_MS = 2000, KEEP = 2 };
#define OURS "guard.security/"

#define FAIL(reading, node, rc, ...)                                                               \
    document_fail_member((reading)->document, node, rc, (reading)->err, __VA_ARGS__)

bool step_by_cluster(const struct step_cfg *step)
{
    return step->label_count > 0 || step->evict || step->replacement;
}

void steps_default(struct workload_cfg *workload)
{
    for (int step = 0; step < GUARD_POD_STEPS; step++)
        workload->steps[step] = (struct step_cfg){.every_ms = EVERY_MS, .keep = KEEP};
}

struct step_place {
    struct workload_cfg *workload;
    enum guard_pod_step step;
};

/* The steps that may have a member; 0: none, it isn't known. */
static uint32_t steps_with(const char *name)
{
    enum { LOOKS = 1u << GUARD_POD_WAIT_READY | 1u << GUARD_POD_VERIFY };
    static const struct {
        const char *name;
        uint32_t steps;
    } members[] = {
        {"seconds", (1u << GUARD_POD_STEPS) - 1},
        {"command",
         LOOKS | 1u << GUARD_POD_OUT_OF_SERVICE | 1u << GUARD_POD_REMOVE | 1u << GUARD_POD_TELL},
        {"everySeconds", LOOKS},
        {"watchSeconds", 1u << GUARD_POD_VERIFY},
        {"kill", 1u << GUARD_POD_REMOVE},
        {"evict", 1u << GUARD_POD_REMOVE},
        {"replacement", 1u << GUARD_POD_WAIT_READY},
        {"relabel", 1u << GUARD_POD_OUT_OF_SERVICE},
        {"keep", 1u << GUARD_POD_OUT_OF_SERVICE},
        {"denyPolicy", 1u << GUARD_POD_OUT_OF_SERVICE},
    };
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (strcmp(members[i].name, name) == 0)
            return members[i].steps;
    }
    return 0;
}

/* {app: "", tier: quarantined}: what is empty is taken away. */
static enum guard_rc read_label(const struct reading *reading, const struct document_node *member,
                                void *ctx)
{
    struct step_cfg *step = ctx;
    struct pod_label label = {(const char *)member->key->text.ptr, NULL};
    if (step->label_count == CONFIG_LABELS_MAX)
        return FAIL(reading, member, GUARD_E_LIMIT, "more than %d labels", CONFIG_LABELS_MAX);
    if (member->kind != DOCUMENT_SCALAR)
        return FAIL(reading, member, GUARD_E_SYNTAX, "must be a text; an empty one takes it away");
    if (member->text.len > 0)
        label.value = (const char *)member->text.ptr;
    if (!pod_label_valid(&label) || strncmp(label.name, OURS, sizeof(OURS) - 1) == 0)
        return FAIL(reading, member, GUARD_E_RANGE, "is no label of Kubernetes, or one of ours");
    step->labels[step->label_count++] = label;
    return GUARD_OK;
}

static enum guard_rc read_step_member(const struct reading *reading,
                                      const struct document_node *member, void *ctx)
{
    const struct step_place *place = ctx;
    struct step_cfg *step = &place->workload->steps[place->step];
    if ((steps_with((const char *)member->key->text.ptr) >> place->step & 1) == 0)
        return unknown_member(reading, member);
    if (is_word(member->key, "seconds"))
        return read_seconds(reading, member, 1, HOUR_S,
                            &place->workload->plan.timeout_ms[place->step]);
    if (is_word(member->key, "command"))
        return read_command(reading, member, &step->command);
    if (is_word(member->key, "everySeconds"))
        return read_seconds(reading, member, 1, HOUR_S, &step->every_ms);
    if (is_word(member->key, "watchSeconds"))
        return read_seconds(reading, member, 1, HOUR_S, &step->watch_ms);
    if (is_word(member->key, "relabel"))
        return read_mapping(reading, member, read_label, step);
    if (is_word(member->key, "keep"))
        return read_count(reading, member, 1, 100, &step->keep);
    return read_truth(reading, member,
                      is_word(member->key, "kill")          ? &step->kill
                      : is_word(member->key, "evict")       ? &step->evict
                      : is_word(member->key, "replacement") ? &step->replacement
                                                            : &step->deny);
}

/* What the step is done by must be said, once. */
static enum guard_rc check_step(const struct reading *reading, const struct document_node *node,
                                const struct step_place *place)
{
    const struct step_cfg *step = &place->workload->steps[place->step];
    bool command = step->command != NULL;
    switch (place->step) {
    case GUARD_POD_OUT_OF_SERVICE:
        if (step->label_count == 0 && step->deny)
            return FAIL(reading, node, GUARD_E_SYNTAX, "denyPolicy needs relabel");
        return command != (step->label_count > 0)
                   ? GUARD_OK
                   : FAIL(reading, node, GUARD_E_SYNTAX, "either command or relabel is needed");
    case GUARD_POD_WAIT_READY:
        return command != step->replacement ? GUARD_OK
                                            : FAIL(reading, node, GUARD_E_SYNTAX,
                                                   "either command or replacement: true is needed");
    case GUARD_POD_REMOVE:
        return command + step->kill + step->evict == 1
                   ? GUARD_OK
                   : FAIL(reading, node, GUARD_E_SYNTAX,
                          "one of command, kill: true and evict: true is needed");
    case GUARD_POD_VERIFY:
        if (step->watch_ms >= place->workload->plan.timeout_ms[GUARD_POD_VERIFY])
            return FAIL(reading, node, GUARD_E_RANGE, "watchSeconds must be less than seconds");
        return command || step->watch_ms > 0
                   ? GUARD_OK
                   : FAIL(reading, node, GUARD_E_SYNTAX, "command or watchSeconds is needed");
    case GUARD_POD_CONTAIN:
    case GUARD_POD_CAPTURE:
    case GUARD_POD_TELL:
    case GUARD_POD_STEPS:
        break;
    }
    return GUARD_OK;
}

enum guard_rc read_steps(const struct reading *reading, const struct document_node *member,
                         void *ctx)
{
    struct step_place place = {ctx, GUARD_POD_CONTAIN};
    while (place.step < GUARD_POD_STEPS && !is_word(member->key, pod_report_step_name(place.step)))
        place.step++;
    if (place.step == GUARD_POD_STEPS)
        return unknown_member(reading, member);
    place.workload->plan.steps |= 1u << place.step;
    GUARD_TRY(read_mapping(reading, member, read_step_member, &place));
    return check_step(reading, member, &place);
}

enum guard_rc check_cluster_steps(const struct reading *reading, const struct document_node *node,
                                  const struct workload_cfg *workload)
{
    const struct pod_label from = {OURS "quarantined-from", workload->workload};
    bool relabels = workload->steps[GUARD_POD_OUT_OF_SERVICE].label_count > 0;
    if (relabels && !pod_label_valid(&from))
        return FAIL(reading, node, GUARD_E_RANGE,
                    "relabel: the workload's name is no value of a label: 63 bytes at most");
    if (workload->steps[GUARD_POD_WAIT_READY].replacement && !relabels)
        return FAIL(reading, node, GUARD_E_SYNTAX,
                    "waitReady: replacement needs outOfService: relabel: without it none begins "
                    "before the pod is removed");
    return GUARD_OK;
}
