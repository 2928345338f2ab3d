/* SPDX-License-Identifier: Apache-2.0 */
/* What podwatch counted, for people and for monitoring: a JSON document in a file. */
#ifndef PODWATCH_STATUS_H
#define PODWATCH_STATUS_H

#include "falco.h"
#include "report.h"

/* pods may be NULL. GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc status_write(const char *path, const struct report *report,
                                          const struct pod_list *pods,
                                          const struct falco_counts *falco, struct guard_err *err);

#endif
