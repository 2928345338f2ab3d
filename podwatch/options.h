/* SPDX-License-Identifier: Apache-2.0 */
/* What podwatch's command line says, checked. */
#ifndef PODWATCH_OPTIONS_H
#define PODWATCH_OPTIONS_H

#include "programs.h"

struct podwatch_cfg {
    const char *records; /* the directory that guardd reads */
    const char *status;  /* NULL: none */
    const char *pods;    /* NULL: none */
    const char *falco;   /* NULL: none */
    const char *node;
    uint64_t interval_ms;
    struct programs_cfg programs;
};

/* True: podwatch is to do what cfg says; otherwise it is to end with *status, and what is wrong or
 * was asked for was printed. */
bool options_read(struct podwatch_cfg *cfg, int argc, char **argv, int *status);

#endif
