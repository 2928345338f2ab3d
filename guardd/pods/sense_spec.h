/* SPDX-License-Identifier: Apache-2.0 */
/* Who the unprivileged sensor watches, as an option says it. */
#ifndef GUARDD_PODS_SENSE_SPEC_H
#define GUARDD_PODS_SENSE_SPEC_H

#include <guard/pod.h>

enum { SENSE_VALUE_CAP = 256, SENSE_INTERVAL_S = 10, SENSE_INTERVAL_MAX_S = 600 };

struct sense_spec {
    char service[SENSE_VALUE_CAP], name_space[SENSE_VALUE_CAP], workload[SENSE_VALUE_CAP];
    char pod[SENSE_VALUE_CAP], container[SENSE_VALUE_CAP], image[SENSE_VALUE_CAP];
    char hash[SENSE_VALUE_CAP], node[SENSE_VALUE_CAP], uid[SENSE_VALUE_CAP];
    char cgroup[SENSE_VALUE_CAP];    /* "": none */
    char processes[SENSE_VALUE_CAP]; /* "": not looked at */
    char records[SENSE_VALUE_CAP];   /* where records go; "": where guardd itself reads them */
    char interval[SENSE_VALUE_CAP];  /* as it was said, in seconds */
    uint32_t interval_ms;
};

/* GUARD_E_SYNTAX: not key=value,...; GUARD_E_RANGE: a value that a name can't be. */
GUARD_MUST_USE enum guard_rc sense_spec_read(struct sense_spec *out, const char *text,
                                             struct guard_err *err);
/* Spans point into spec. */
struct guard_pod_identity sense_spec_identity(const struct sense_spec *spec);

#endif
