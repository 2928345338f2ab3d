/* SPDX-License-Identifier: Apache-2.0 */
/* The store in a PostgreSQL database that several guardds may share. */
#ifndef GUARDD_STORE_POSTGRES_H
#define GUARDD_STORE_POSTGRES_H

#include "guardd/store.h"

/* As store_open. Waits some seconds for the database; later on, while it is away, store_begin fails
 * at once and goes on connecting. No statement is waited for longer than two seconds. */
GUARD_MUST_USE enum guard_rc postgres_open(struct store **out, const char *where, const char *node,
                                           struct guard_err *err);

#endif
