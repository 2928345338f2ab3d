/* SPDX-License-Identifier: Apache-2.0 */
/* Whether one-line rules on what must not matter (line ends, headers, dates) tell attacks from
 * benign exchanges. Where they do, the data gives its attacks away and its figures prove little. */
#ifndef GUARD_CLI_EVAL_PROBE_H
#define GUARD_CLI_EVAL_PROBE_H

#include "eval_label.h"
#include "eval_table.h"

#include <guard/exchange.h>

enum eval_feature {
    EVAL_FEATURE_ORDER,  /* the headers' names in their order */
    EVAL_FEATURE_HEADER, /* whether one header is there: the best of all */
    EVAL_FEATURE_LINES,  /* line ends of the body, and at its end */
    EVAL_FEATURE_VERSION,
    EVAL_FEATURE_METHOD,
    EVAL_FEATURE_LENGTH, /* whether Content-Length tells the body's length */
    EVAL_FEATURE_HOUR,
    EVAL_FEATURE_MINUTES,  /* of five minutes */
    EVAL_FEATURE_CLIENT,   /* whether a client is named */
    EVAL_FEATURE_RESPONSE, /* whether there is a response, and its class of status */
    EVAL_FEATURES
};
const char *eval_feature_name(enum eval_feature feature);

enum { EVAL_PROBE_VALUES_MAX = 1 << 20, EVAL_PROBE_HEADERS_MAX = 1024 };

struct eval_probe {
    struct eval_table table;         /* index into values, from 1 */
    struct eval_probe_value *values; /* of a feature at a service */
    uint32_t count;
    uint32_t cap;
    uint64_t totals[2][2]; /* side, attack */
    struct eval_table service_table;
    struct eval_probe_value *services;
    uint32_t service_count;
    uint32_t service_cap;
};

/* Half of the exchanges make a rule and the other half try it, then the other way round; an attack
 * stays on the side of the exchange that it was made of. */
void eval_probe_add(struct eval_probe *probe, const struct guard_exchange *exchange,
                    struct guard_span service, const struct eval_label *label);
/* Balanced accuracy: 0.5 is chance. NAN when one of the classes is missing. */
double eval_probe_accuracy(const struct eval_probe *probe, enum eval_feature feature);
void eval_probe_free(struct eval_probe *probe);

#endif
