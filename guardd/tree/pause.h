/* SPDX-License-Identifier: Apache-2.0 */
/* How long a node waits before it tries its parent again: longer and longer, each time another part
 * of it, and never shorter than it was told. */
#ifndef GUARDD_TREE_PAUSE_H
#define GUARDD_TREE_PAUSE_H

#include <stdint.h>

/* By chance from half of it to all of it. */
uint64_t uplink_jitter(uint64_t ms);
/* Milliseconds after so many failures in a row (from 1). retry_after_s: as the parent asked for, 0:
 * it didn't. */
uint64_t uplink_pause(uint32_t failures, uint32_t retry_after_s);

#endif
