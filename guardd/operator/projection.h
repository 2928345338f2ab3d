/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned of a service as the member "learned" of a GuardianProfile: shapes and rough
 * counts, no values. */
#ifndef GUARDD_OPERATOR_PROJECTION_H
#define GUARDD_OPERATOR_PROJECTION_H

#include "common/json_writer.h"

#include <guard/model.h>

enum {
    PROJECTION_BYTES = 256 * 1024, /* the whole object */
    /* As the definition (tools/crds.py) bounds them; what is beyond is counted. */
    PROJECTION_ENDPOINTS = 1024,
    PROJECTION_PARAMETERS = 256,
    PROJECTION_TEMPLATE_LEN = 1024,
    PROJECTION_NAME_LEN = 256,
    PROJECTION_MEDIA_TYPES = 32,
    PROJECTION_MEDIA_LEN = 128,
};

/* Only what is trusted: it is words of many clients, never of one. The same model, and one that
 * differs by how much was seen only (below a power of ten), give the same text. json: of
 * PROJECTION_BYTES, with at most 4096 in it; never overflows. */
void projection_write(struct json_writer *json, const struct guard_model *model);

#endif
