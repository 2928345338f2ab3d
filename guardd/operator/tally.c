/* SPDX-License-Identifier: Apache-2.0 */
/* "Not in the path" is said of what answered without a proof; of what didn't answer nothing is
 * said. */
#include "tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool tallies_begin(struct tallies *tallies)
{
    *tallies = (struct tallies){.list = calloc(TALLIES_MAX, sizeof(*tallies->list))};
    return tallies->list != NULL;
}

void tallies_free(struct tallies *tallies)
{
    free(tallies->list);
    *tallies = (struct tallies){.list = NULL};
}

void tallies_add(struct tallies *tallies, const char *name, bool keyed)
{
    if (tallies->count == TALLIES_MAX || strlen(name) >= PATH_NAME_CAP)
        return;
    struct tally *tally = &tallies->list[tallies->count++];
    *tally = (struct tally){.keyed = keyed};
    snprintf(tally->name, sizeof(tally->name), "%s", name);
}

/* --- whose --- */

static uint32_t find(const struct tallies *tallies, const char *name)
{
    for (uint32_t i = 0; i < tallies->count; i++) {
        if (strcmp(tallies->list[i].name, name) == 0)
            return i;
    }
    return TALLY_NOBODY;
}

void tallies_own(const struct tallies *tallies, struct paths *paths)
{
    uint32_t by_pods[PATHS_SERVICES];
    memset(by_pods, 0xff, sizeof(by_pods));
    for (uint32_t i = 0; i < paths->target_count; i++) {
        struct path_target *target = &paths->targets[i];
        const char *service = paths->services[target->service].name;
        if (target->pod == PATH_NO_POD) { /* behind all pods */
            target->owner = find(tallies, service);
            if (target->owner == TALLY_NOBODY)
                target->owner = by_pods[target->service];
            continue;
        }
        target->owner = find(tallies, paths->pods[target->pod].workload);
        if (target->owner == TALLY_NOBODY)
            target->owner = find(tallies, service);
        if (by_pods[target->service] == TALLY_NOBODY)
            by_pods[target->service] = target->owner;
    }
}

void tallies_carry(struct tallies *tallies, const struct tallies *before)
{
    for (uint32_t i = 0; i < tallies->count; i++) {
        struct tally *tally = &tallies->list[i];
        uint32_t at = find(before, tally->name);
        bool keyed = tally->keyed && at != TALLY_NOBODY && before->list[at].keyed;
        if (at != TALLY_NOBODY)
            *tally = before->list[at];
        tally->keyed = keyed;
    }
}

bool tallies_asks(const struct tallies *tallies, const struct path_target *target)
{
    return target->owner != TALLY_NOBODY && tallies->list[target->owner].keyed;
}

/* --- results --- */

/* Names of machines may be cut to 63 letters, and have their domain behind. */
static bool is_called(const char *host, const char *said)
{
    size_t len = strlen(host);
    return strncasecmp(host, said, len) == 0 && (said[len] == '\0' || said[len] == '.');
}

void tally_result(const struct paths *paths, struct path_target *target,
                  const struct canary_result *result)
{
    const char *host = target->pod != PATH_NO_POD ? paths->pods[target->pod].host : "";
    target->status = (uint16_t)(result->status < 1000 ? result->status : 0);
    if (result->outcome == CANARY_SILENT)
        target->result = TARGET_SILENT;
    else if (result->outcome == CANARY_BARE)
        target->result = TARGET_BARE;
    else if (host[0] == '\0' || is_called(host, result->gate.pod))
        target->result = TARGET_PROVED;
    else
        target->result = TARGET_OTHER;
}

static void name_pod(struct tally *tally, uint32_t before, const struct path_pod *pod,
                     const struct path_target *target)
{
    size_t len = strlen(tally->named);
    char how[48] = "";
    if (target->result == TARGET_OTHER)
        snprintf(how, sizeof(how), " (another pod's gate answered)");
    else if (target->status != 0)
        snprintf(how, sizeof(how), " (port %u, status %u)", target->number, target->status);
    if (before < TALLY_NAMED && len + strlen(pod->name) + strlen(how) + 8 < sizeof(tally->named))
        snprintf(tally->named + len, sizeof(tally->named) - len, "%s%s%s", len > 0 ? ", " : "",
                 pod->name, how);
    else if (len > 0 && tally->named[len - 1] != '.')
        snprintf(tally->named + len, sizeof(tally->named) - len, ", ...");
}

static void count_pod(struct tally *tally, const struct paths *paths,
                      const struct path_target *worst)
{
    const struct path_pod *pod = &paths->pods[worst->pod];
    if (worst->result == TARGET_PENDING)
        return; /* there was no time for it */
    tally->pods++;
    if (worst->result == TARGET_PROVED) {
        tally->proved++;
    } else if (worst->result == TARGET_BARE || worst->result == TARGET_OTHER) {
        if (tally->bare == 0)
            tally->named[0] = '\0'; /* of silent ones */
        name_pod(tally, tally->bare++, pod, worst);
    } else {
        if (tally->bare == 0)
            name_pod(tally, tally->silent, pod, worst);
        tally->silent++;
    }
}

static void count_address(struct tally *tally, const struct paths *paths,
                          const struct path_target *target)
{
    if (target->result <= tally->address)
        return;
    tally->address = (enum target_result)target->result;
    snprintf(tally->address_of, sizeof(tally->address_of), "%s",
             paths->services[target->service].name);
}

void tally_count(struct tally *tally, uint32_t index, const struct paths *paths)
{
    for (uint32_t i = 0; i < paths->target_count;) {
        const struct path_target *worst = &paths->targets[i];
        uint32_t pod = worst->pod;
        if (pod == PATH_NO_POD) {
            if (worst->owner == index)
                count_address(tally, paths, worst);
            i++;
            continue;
        }
        for (; i < paths->target_count && paths->targets[i].pod == pod; i++) {
            if (paths->targets[i].result > worst->result)
                worst = &paths->targets[i];
        }
        if (worst->owner == index)
            count_pod(tally, paths, worst);
    }
}

/* --- conclusions --- */

static void set(struct canary_state *state, const char *status, const char *reason,
                const char *message)
{
    bool good = status != NULL && strcmp(status, "False") == 0;
    bool same = status == state->status ||
                (status != NULL && state->status != NULL && strcmp(status, state->status) == 0);
    if (!good && !same && !state->doubted) {
        state->doubted = true;
        return;
    }
    state->doubted = false;
    state->ours = true;
    state->status = status;
    snprintf(state->reason, sizeof(state->reason), "%s", reason);
    snprintf(state->message, sizeof(state->message), "%s", message);
}

static const char *tell_address(const struct tally *tally)
{
    static const char *const words[] = {
        [TARGET_PENDING] = "it has no address of its own",
        [TARGET_PROVED] = "so did one behind the Service's address",
        [TARGET_SILENT] =
            "the Service's address gave no answer, so that it is unknown where it leads",
        [TARGET_OTHER] = "so did one behind the Service's address",
        [TARGET_BARE] = "the Service's address answered without one",
    };
    return words[tally->address];
}

void tally_conclude(const struct tally *tally, bool more, struct canary_state *state)
{
    char text[OBJECT_WHY_CAP];
    const char *some = more ? " that were asked, of more" : "";
    if (!tally->keyed) {
        set(state, NULL, "", "its policy isn't there yet, so no canary can be made");
    } else if (tally->pods == 0) {
        set(state, NULL, "", "there is no ready pod behind a port of HTTP of a Service");
    } else if (tally->bare > 0) {
        snprintf(text, sizeof(text),
                 "%u of %u pods%s answer without a gate that has its policy: %s", tally->bare,
                 tally->pods, some, tally->named);
        set(state, "True", "PodsUnguarded", text);
    } else if (tally->address == TARGET_BARE) {
        snprintf(text, sizeof(text), "the address of Service %s answers without a gate",
                 tally->address_of);
        set(state, "True", "ServiceLeadsPast", text);
    } else if (tally->silent > 0) {
        snprintf(text, sizeof(text), "%u of %u pods%s gave no answer: %s; gates of %u did",
                 tally->silent, tally->pods, some, tally->named, tally->proved);
        set(state, "Unknown", "NoAnswer", text);
    } else {
        snprintf(text, sizeof(text), "gates of %u of %u pods%s answered; %s", tally->proved,
                 tally->pods, some, tell_address(tally));
        set(state, "False", tally->address == TARGET_SILENT ? "PodsProved" : "Proved", text);
    }
}

void tally_tell(const struct tally *tally, const struct canary_state *state,
                struct service_path *path)
{
    *path = (struct service_path){
        .asked = tally->keyed && tally->pods > 0,
        .pods = tally->pods,
        .proved = tally->proved,
        .bare = tally->bare,
        .silent = tally->silent,
        .not_in_path = state->status != NULL && strcmp(state->status, "True") == 0,
    };
    snprintf(path->message, sizeof(path->message), "%s", state->message);
}
