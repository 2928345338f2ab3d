/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd told of other pods since an order: it gives no further order for what a second pod
 * does too, but an alert. */
#ifndef RESPONDER_ALERTS_H
#define RESPONDER_ALERTS_H

#include "common/pods/orders.h"

/* Whether an alert behind the order's decision says that another pod of its workload did what the
 * order's evidence says. guard: guardd's state directory. The log's last ALERTS_LOOK bytes count;
 * what can't be read is as if nothing was told. */
enum { ALERTS_LOOK = 512 * 1024 };
bool alerts_tell_of_another(const char *guard, const struct pod_order *order);

#endif
