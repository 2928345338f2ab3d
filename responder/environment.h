/* SPDX-License-Identifier: Apache-2.0 */
/* What a command learns of the pod: environment variables, never words of its command line. */
#ifndef RESPONDER_ENVIRONMENT_H
#define RESPONDER_ENVIRONMENT_H

#include "ledger.h"

enum { ENVIRONMENT_VARIABLES = 16, ENVIRONMENT_TEXT = 8192 };

/* Caller storage; list points into text. */
struct environment {
    char *list[ENVIRONMENT_VARIABLES + 1];
    char text[ENVIRONMENT_TEXT];
};
void environment_of(struct environment *out, const struct responder_cfg *cfg,
                    const struct response *response);

#endif
