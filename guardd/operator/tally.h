/* SPDX-License-Identifier: Apache-2.0 */
/* What canaries proved of the Guardians of a namespace: which targets are whose, what came of each,
 * and what is concluded of it. */
#ifndef GUARDD_OPERATOR_TALLY_H
#define GUARDD_OPERATOR_TALLY_H

#include "objects.h"
#include "paths.h"

#include "common/canary_call.h"

enum {
    TALLIES_MAX = 512, /* more than a namespace has Guardians that take part */
    TALLY_NOBODY = UINT32_MAX,
    TALLY_NAMED = 8, /* pods in a message */
    TALLY_NAMES_CAP = 256,
};

/* Of a target, the worst last: of a pod's ports the worst counts. */
enum target_result {
    TARGET_PENDING,
    TARGET_PROVED,
    TARGET_SILENT,
    TARGET_OTHER, /* another pod's gate answered */
    TARGET_BARE,
};

struct tally {
    char name[PATH_NAME_CAP]; /* the Guardian's */
    bool keyed;               /* there is a policy to ask by */
    uint32_t pods, proved, silent, bare;
    enum target_result address;      /* the worst of its Services' own; PENDING: there is none */
    char address_of[PATH_LABEL_CAP]; /* the Service that is meant */
    char named[TALLY_NAMES_CAP];     /* pods that are bare, else silent ones */
};

/* All zeros at first. */
struct tallies {
    struct tally *list;
    uint32_t count;
};

/* False: no memory. tallies_free in any case. */
bool tallies_begin(struct tallies *tallies);
void tallies_free(struct tallies *tallies);
void tallies_add(struct tallies *tallies, const char *name, bool keyed);
/* Goes on with what was counted in parts before. Whose Guardian wasn't asked there waits for the
 * next round: of the pods of some parts nothing is concluded. */
void tallies_carry(struct tallies *tallies, const struct tallies *before);
/* Says of each target whose it is: of a pod the Guardian of its workload, else that of its
 * Service. */
void tallies_own(const struct tallies *tallies, struct paths *paths);
/* Whether anybody asks it. */
bool tallies_asks(const struct tallies *tallies, const struct path_target *target);

void tally_result(const struct paths *paths, struct path_target *target,
                  const struct canary_result *result);
void tally_count(struct tally *tally, uint32_t index, const struct paths *paths);
/* more: there are more pods than were asked. Bad news count when two rounds in a row bring them. */
void tally_conclude(const struct tally *tally, bool more, struct canary_state *state);
void tally_tell(const struct tally *tally, const struct canary_state *state,
                struct service_path *path);

#endif
