/* SPDX-License-Identifier: Apache-2.0 */
/* Judging one exchange by a policy outside of a gate: what the command line does with recorded
 * traffic, and what proposals of patches are held against. */
#ifndef GUARD_COMMON_JUDGE_H
#define GUARD_COMMON_JUDGE_H

#include "common/patterns/regexes.h"

#include <guard/exchange.h>
#include <guard/guardian.h>
#include <guard/model.h>
#include <guard/policy.h>
#include <guard/txn.h>

/* Memory of the exchange in hand, used again for each, and the expressions of patches. */
struct judge {
    struct guard_arena arena;
    struct regexes *regexes;
    struct guard_matcher matcher;
};

/* GUARD_E_NOMEM. The caller closes it in any case; zeroed, it is closed. */
GUARD_MUST_USE enum guard_rc judge_open(struct judge *judge);
void judge_close(struct judge *judge);

/* The client as a transaction wants it: an address gives PREFIX, another text SUBJECT, nothing
 * ANONYMOUS. Borrowed from the exchange. */
struct guard_client judge_client(const struct guard_exchange *exchange);

/* How exchanges are judged beside what the Guardian says. */
struct judge_options {
    double alpha; /* 0: the Guardian's budget */
    bool likeness;
    bool signatures; /* false: the Guardian's patches don't count */
};
/* The Guardian as checking takes it: everything in mode block, but what only people switch on. */
void judge_guardian(struct guard_guardian *guardian);
/* The policy as the gate would get it. model NULL: configured criteria only. *bytes is malloc'd,
 * lives as long as the policy and is freed after it, also after a failure. Errors as those of
 * guard_policy_compile and guard_policy_load. */
GUARD_MUST_USE enum guard_rc judge_compile(struct guard_policy **out,
                                           const struct guard_guardian *guardian,
                                           const struct guard_model *model,
                                           const struct judge_options *options, uint8_t **bytes,
                                           size_t *len, struct guard_err *err);
/* Plays the exchange; cfg as for guard_txn_begin, but time, seed and matcher are set here. The
 * verdict and *txn live until the next call. NULL without memory. */
const struct guard_verdict *judge_play(struct judge *judge, const struct guard_txn_cfg *cfg,
                                       const struct guard_exchange *exchange,
                                       struct guard_txn **txn);

#endif
