/* SPDX-License-Identifier: Apache-2.0 */
/* How often an operator writes to the cluster and asks gates. */
#ifndef GUARDD_OPERATOR_PACE_H
#define GUARDD_OPERATOR_PACE_H

#include <stdint.h>

enum {
    OPERATOR_WRITE_MS = 30000,
    OPERATOR_CANARY_MS = 60000,
};

struct operator_pace {
    uint64_t
        write_ms; /* between two writes of a Guardian's status, its profile, one of its events */
    uint64_t canary_ms; /* between two rounds of canaries in a namespace */
};

#endif
