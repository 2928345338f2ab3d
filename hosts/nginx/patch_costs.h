/* SPDX-License-Identifier: Apache-2.0 */
/* What patches cost at this gate: how often the conditions of each were tried, how often they held,
 * how many bytes that took, and of measured exchanges (overhead.h) how long. In memory that all
 * workers see, so that it outlives them and reloads, and bounded: what has no room isn't counted.
 */
#ifndef NGX_HTTP_GUARD_PATCH_COSTS_H
#define NGX_HTTP_GUARD_PATCH_COSTS_H

#include "module.h"

enum {
    GATE_PATCH_COSTS_MAX = 4096, /* patches of all services that were ever tried */
    GATE_PATCH_COST_ROOM = 320,  /* bytes of a line */
};

ngx_int_t gate_patch_costs_add(ngx_conf_t *cf, gate_main_conf_t *conf);
/* A worker begins, and has its services. */
void gate_patch_costs_attach(void);
void gate_patch_costs_detach(void);
/* For transactions; as long as the worker. */
const struct guard_patch_meter *gate_patch_costs_meter(void);
/* Before each decision on an exchange: whose patches these are, and whether they are timed. */
void gate_patch_costs_begin(const gate_exchange_t *exchange);
/* The service's policy was switched, or the service goes. */
void gate_patch_costs_forget(struct gate_service *service);
/* How many patches were ever tried. */
size_t gate_patch_costs_count(void);
/* Lines of JSON for the service's patches that were tried, as far as there is room; bytes. */
size_t gate_patch_costs_tell(const struct gate_service *service, char *out, size_t room);

#endif
