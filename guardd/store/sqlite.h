/* SPDX-License-Identifier: Apache-2.0 */
/* The store in a file, for one guardd. */
#ifndef GUARDD_STORE_SQLITE_H
#define GUARDD_STORE_SQLITE_H

#include "guardd/store.h"

/* As store_open. */
GUARD_MUST_USE enum guard_rc sqlite_open(struct store **out, const char *path, bool *damaged,
                                         struct guard_err *err);

#endif
