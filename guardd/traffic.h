/* SPDX-License-Identifier: Apache-2.0 */
/* What gates told of a service's exchanges, counted for metrics: verdicts, kinds of answers and how
 * long they took. */
#ifndef GUARDD_TRAFFIC_H
#define GUARDD_TRAFFIC_H

#include <guard/txn.h>

enum { TRAFFIC_BOUNDS = 12, TRAFFIC_VERDICTS = 3, TRAFFIC_CLASSES = 6 };

/* Upper bounds in seconds; what took longer is in the count only. */
extern const double traffic_bounds[TRAFFIC_BOUNDS];

struct traffic {
    uint64_t verdicts[TRAFFIC_VERDICTS]; /* pass, alert, block: what was decided */
    uint64_t classes[TRAFFIC_CLASSES];   /* of the answer's status, [2] for 2xx; [0]: none */
    uint64_t within[TRAFFIC_BOUNDS];     /* each exchange in one of them at most */
    uint64_t timed;                      /* exchanges with a time */
    uint64_t time_us;                    /* the sum of these */
};

void traffic_observe(struct traffic *traffic, const struct guard_record_head *head);
void traffic_add(struct traffic *to, const struct traffic *from);
uint64_t traffic_exchanges(const struct traffic *traffic);
/* Seconds that such a share of the exchanges took at most, as if those of a bound were spread
 * evenly below it; the last bound where it was more. Only where some are timed. */
double traffic_quantile(const struct traffic *traffic, double share);

#endif
