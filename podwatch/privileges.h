/* SPDX-License-Identifier: Apache-2.0 */
/* What podwatch may do: as little as its programs need. */
#ifndef PODWATCH_PRIVILEGES_H
#define PODWATCH_PRIVILEGES_H

#include <guard/types.h>

/* Gives up for good whatever isn't BPF, PERFMON or NET_ADMIN, and the way to get it back. Without
 * one of them it warns of what will be missing. GUARD_E_IO: the kernel refused to take something
 * away. */
GUARD_MUST_USE enum guard_rc privileges_drop(struct guard_err *err);

#endif
