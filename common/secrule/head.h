/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule's actions say of it: what to do, and what a patch's head is made of. */
#ifndef GUARD_COMMON_SECRULE_HEAD_H
#define GUARD_COMMON_SECRULE_HEAD_H

#include "common/secrule/rule.h"

/* What becomes of a request that a rule hits. */
enum secrule_effect {
    SECRULE_EFFECT_PASS, /* nothing, beyond a line in a log */
    SECRULE_EFFECT_BLOCK,
    SECRULE_EFFECT_ALLOW,
};

/* Of SecDefaultAction, by phase. */
struct secrule_defaults {
    enum secrule_effect effects[6];
};

/* 1 to 5; 2 when none is said; 0 when it isn't one. */
int secrule_phase_of(const struct secrule_actions *actions);
/* Whether the actions say what to do. */
bool secrule_effect_of(const struct secrule_actions *actions, enum secrule_effect *out);
/* Whether they say by themselves to stop the request: "block" does what the engine is set to. */
bool secrule_denies(const struct secrule_actions *actions);
/* Whether it adds to a score. */
bool secrule_is_score(const struct secrule_action *action);
/* Refuses rules that no patch is, by what their actions do; notes actions that get lost. */
bool secrule_check_actions(struct secrule_builder *builder, const struct secrule_actions *actions,
                           enum secrule_effect effect);
/* id, title, references and reason, of the first rule of a chain. */
void secrule_head(struct secrule_builder *builder, const struct secrule_actions *actions,
                  uint32_t at, struct guard_patch *patch);

#endif
