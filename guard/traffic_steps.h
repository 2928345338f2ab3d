/* SPDX-License-Identifier: Apache-2.0 */
/* What learning and checking do with one exchange: the same steps for `guard learn`, `guard check`
 * and `guard eval`, so that what eval reports is what the other two do. */
#ifndef GUARD_CLI_TRAFFIC_STEPS_H
#define GUARD_CLI_TRAFFIC_STEPS_H

#include "common/judge.h"
#include "traffic_file.h"

#include <guard/guardian.h>
#include <guard/model.h>
#include <guard/policy.h>

/* Memory of the exchange in hand, used again for each. */
struct traffic_room {
    struct judge judge;
    uint8_t *record;
    bool shadow; /* what is judged is of a new revision: as of guard_txn_cfg; false at first */
    uint32_t
        likeness_without; /* as of guard_txn_cfg, of all that is learned and judged; 0 at first */
};

/* False after a message when there is no memory. */
bool traffic_room_open(struct traffic_room *room);
void traffic_room_close(struct traffic_room *room);

/* A file is a producer of its own, named by its content: so learning it twice changes nothing. What
 * has no content to name it by (a pipe) is a new producer each time. False after a message. */
bool traffic_producer(const char *path, const uint8_t key[GUARD_KEY_BYTES], uint64_t *producer);

/* Transaction, record, observe. with_client is set when the exchange names one. Errors as
 * guard_pile_observe. */
GUARD_MUST_USE enum guard_rc traffic_learn(struct traffic_room *room, struct guard_pile *pile,
                                           struct guard_span service,
                                           const struct guard_exchange *exchange,
                                           const struct guard_source *source, bool outbound,
                                           bool *with_client, struct guard_err *err);

/* Whether evaluations have a column of it: they judge by what was learned and no Guardian, so
 * there are no patches. */
bool judge_has_likeness(void);
bool judge_has_signatures(void);

/* The policy as the gate would get it; NULL after a message. model NULL: configured criteria only.
 * *bytes is malloc'd, lives as long as the policy and is freed after it. */
struct guard_policy *judge_policy(const struct guard_guardian *guardian,
                                  const struct guard_model *model,
                                  const struct judge_options *options, uint8_t **bytes,
                                  size_t *len);
/* Plays the exchange; the verdict and *txn live until the room is used again. NULL without memory.
 */
const struct guard_verdict *traffic_judge(struct traffic_room *room,
                                          const struct guard_policy *policy,
                                          struct guard_span service,
                                          const struct guard_exchange *exchange, bool outbound,
                                          struct guard_txn **txn);

#endif
