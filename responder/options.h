/* SPDX-License-Identifier: Apache-2.0 */
/* The responder's command line. */
#ifndef RESPONDER_OPTIONS_H
#define RESPONDER_OPTIONS_H

#include <stdbool.h>

struct options {
    const char *config;
    bool check;         /* only the configuration */
    bool let_go;        /* thaw what a killed one left frozen */
    const char *resume; /* NAMESPACE/WORKLOAD; NULL: none */
};

/* False: *status is what the program ends with. */
bool options_read(struct options *out, int argc, char **argv, int *status);

#endif
