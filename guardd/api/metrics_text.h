/* SPDX-License-Identifier: Apache-2.0 */
/* Prometheus' text format, written into a buffer; what doesn't fit is left out. */
#ifndef GUARDD_API_METRICS_TEXT_H
#define GUARDD_API_METRICS_TEXT_H

#include "api.h"

enum { METRICS_MAX = 8 << 20 };

struct text {
    char *ptr; /* METRICS_MAX bytes */
    size_t len;
};

void put(struct text *text, const char *format, ...) GUARD_PRINTF(2, 3);
void head(struct text *text, const char *name, const char *type, const char *help);
/* A metric without labels. */
void put_number(struct text *text, const char *name, const char *type, const char *help,
                double value);

/* metrics_traffic.c: exchanges of services that who asks may see, as gates told of them; alerts,
 * rings. */
void put_traffic(struct text *text, const struct api *api, const struct api_request *request);
/* metrics_gates.c: what gates tell of themselves. */
void put_gates(struct text *text, const struct api *api, const struct api_request *request);
/* metrics_pods.c: records of pods, what was told, orders. */
void put_pods(struct text *text, const struct api *api);
/* metrics_process.c: outputs, the store, guardd's own process. */
void put_outputs(struct text *text, const struct api *api);
void put_process(struct text *text, const struct api *api);

#endif
