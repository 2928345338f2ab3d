/* SPDX-License-Identifier: Apache-2.0 */
/* What guardd's command line says, checked: nothing behind it meets a value out of its bounds. */
#ifndef GUARDD_OPTIONS_H
#define GUARDD_OPTIONS_H

#include "operator/pace.h"
#include "pods/orders.h"
#include "tree/role.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts are those of the command line. */
struct daemon_cfg {
    const char *state;
    const char *store;       /* NULL: the file in the state directory */
    const char *task;        /* NULL: until SIGTERM */
    const char *api_group;   /* NULL: none */
    const char *signing_key; /* NULL: in the state directory */
    const char *kubernetes;  /* NULL: no operator; else as kubernetes_config_load */
    struct operator_pace operator_pace;
    const char *token_reviews; /* NULL: no cluster's tokens are taken */
    uint64_t token_keep_ms;
    const char *node_agents; /* "NAMESPACE/ACCOUNT" that speaks for its node's pods; NULL: none */
    const char *access_reviews; /* NULL: no cluster's users come */
    uint64_t access_keep_ms;
    bool api;
    bool api_front;
    uint64_t release_window_ms; /* for how long what is new in a revision isn't blocked */
    uint64_t policy_valid_ms;   /* 0: for ever */
    uint64_t keep_ms;
    uint64_t keep_bytes;
    const char *pod_sensor; /* whom the unprivileged sensor watches; NULL: nobody */
    enum pod_orders_mode pod_orders;
    const char *pod; /* that this guardd stands beside; NULL: none */
    struct tree_cfg tree;
};

/* Reads the command line over the defaults. True: guardd is to do what cfg says. False: it is to
 * end with *status; help, the version or what is wrong with which option was printed. */
bool options_read(struct daemon_cfg *cfg, int argc, char **argv, int *status);

#endif
