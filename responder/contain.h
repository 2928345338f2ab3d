/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping a pod's group from new destinations and new programs, by programs in the kernel. Nothing
 * is pinned: when this process ends or is killed the kernel takes them away. */
#ifndef RESPONDER_CONTAIN_H
#define RESPONDER_CONTAIN_H

#include "contain_rules.h"

#include <guard/types.h>

struct containing; /* the programs, loaded once */

/* Loads what this kernel takes and attaches nothing. allow: at most CONTAIN_ALLOW_MAX, copied.
 * GUARD_E_IO: the kernel refuses one of them, or this build has none; err says which. */
GUARD_MUST_USE enum guard_rc containing_open(struct containing **out,
                                             const struct contain_allow *allow, size_t count,
                                             struct guard_err *err);
/* Lets all go. */
void containing_close(struct containing *containing);
/* group: a directory of the second version's hierarchy; number: its inode. All or nothing; a group
 * that is contained stays so. GUARD_E_LIMIT: CONTAIN_GROUPS_MAX are; GUARD_E_IO. */
GUARD_MUST_USE enum guard_rc contain(struct containing *containing, int group, uint64_t number,
                                     struct guard_err *err);
void contain_end(struct containing *containing, uint64_t number);
/* Zeros when it isn't contained. */
void contain_counts(const struct containing *containing, uint64_t number,
                    struct contain_counts *out);

#endif
