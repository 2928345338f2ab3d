/* SPDX-License-Identifier: Apache-2.0 */
/* A finding as verdicts and alerts write it: one home for its members, so that who reads both
 * needs one reader. */
#ifndef GUARD_COMMON_FINDING_JSON_H
#define GUARD_COMMON_FINDING_JSON_H

#include "common/json_writer.h"

#include <guard/verdict.h>

enum finding_form {
    /* The contract of `guard check`: "configured" only where it is true, and certain then: p 0. */
    FINDING_OF_VERDICT,
    /* "configured" always. */
    FINDING_OF_ALERT,
};

/* {"part","location","name","rule","observed","expected","p","configured"}, an array's element. */
void finding_json(struct json_writer *json, const struct guard_finding *finding,
                  enum finding_form form);

#endif
