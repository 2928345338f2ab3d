/* SPDX-License-Identifier: Apache-2.0 */
/* What was let in as a release, and who is waited for, in the store: a restart, or a guardd that
 * takes over, blocks nothing again that was let in. */
#ifndef GUARDD_RELEASES_STORE_H
#define GUARDD_RELEASES_STORE_H

#include "service.h"

/* Into the transaction of the caller: what changed since the last one. */
GUARD_MUST_USE enum guard_rc releases_save(struct store *store, const struct service *service,
                                           struct guard_err *err);
GUARD_MUST_USE enum guard_rc releases_drop(struct store *store, const struct service *service,
                                           struct guard_err *err);
/* What the store has of the service takes the place of what is in memory; NULL: of all services.
 * What is damaged is told of and is as if it had never been. */
GUARD_MUST_USE enum guard_rc releases_load(struct services *services, struct service *service,
                                           struct guard_err *err);

#endif
