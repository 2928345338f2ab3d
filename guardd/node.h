/* SPDX-License-Identifier: Apache-2.0 */
/* What a guardd is called among those that share a database. */
#ifndef GUARDD_NODE_H
#define GUARDD_NODE_H

#include <guard/types.h>

enum { NODE_NAME_CAP = 17 };

/* Reads STATE/node.id or makes it: 16 hexadecimal digits by chance, so that no two directories have
 * the same, whatever machines are called. GUARD_E_IO, GUARD_E_SYNTAX. */
GUARD_MUST_USE enum guard_rc node_name(char out[NODE_NAME_CAP], const char *state,
                                       struct guard_err *err);

#endif
