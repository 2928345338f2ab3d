/* SPDX-License-Identifier: Apache-2.0 */
/* What the gate beside this guardd is told of withdrawals: withdrawn/SERVICE.json, which gates
 * follow by themselves and which ends by itself, whatever becomes of guardd. */
#ifndef GUARDD_PODS_WITHDRAWN_SELF_H
#define GUARDD_PODS_WITHDRAWN_SELF_H

#include <stdint.h>

struct service;
struct services;

/* At the start: what the table says of our own pod was told before, and isn't told again, lest what
 * a person ended at the gate begin anew. */
void withdrawn_self_known(const struct services *services, struct service *service);
/* Holds the table against our own pod, and changes the file when that changed. A person's own
 * withdrawal there is left alone, but for one that ends sooner. */
void withdrawn_self_tick(const struct services *services, struct service *service, uint64_t now_ms);

#endif
