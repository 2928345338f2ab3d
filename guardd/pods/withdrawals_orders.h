/* SPDX-License-Identifier: Apache-2.0 */
/* Withdrawals that orders ask for, at a root. */
#ifndef GUARDD_PODS_WITHDRAWALS_ORDERS_H
#define GUARDD_PODS_WITHDRAWALS_ORDERS_H

#include <stdint.h>

struct service;
struct services;

/* Each is carried out once, also when it was lifted: it is remembered for as long as orders are
 * carried out. */
void withdrawals_follow_orders(struct services *services, uint64_t now_ms);
/* Ends one of those that are over, of a service that has a table. */
void withdrawals_end_those_over(struct services *services, struct service *service,
                                uint64_t now_ms);

#endif
