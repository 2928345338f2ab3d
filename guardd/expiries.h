/* SPDX-License-Identifier: Apache-2.0 */
/* Patches and exceptions that expire don't do so silently: from a week before, and for as long as
 * they stand there, it is logged and alerted once a day (and when guardd is started, or the
 * document or the service's revision changes). The same goes for patches that the newest revision
 * fixes. */
#ifndef GUARDD_EXPIRIES_H
#define GUARDD_EXPIRIES_H

#include "service.h"

/* now_ms: Unix time. Nothing where a parent publishes. */
void expiries_tick(struct services *services, uint64_t now_ms);

#endif
