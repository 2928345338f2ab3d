/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned of a service as an OpenAPI 3.1 document, for people and programs that know
 * nothing of Guard. It tells what is normal; it isn't the contract that developers wrote. */
#ifndef GUARD_COMMON_OPENAPI_H
#define GUARD_COMMON_OPENAPI_H

#include "common/line_sink.h"

#include <guard/guardian.h>
#include <guard/model.h>

enum {
    OPENAPI_BYTES_MAX = 1 << 20, /* of the document without blanks; operations too many are told */
    OPENAPI_NOTES_MAX = 100,     /* lines that tell what is left out; all are counted */
};

struct openapi_cfg {
    const struct guard_model *model;
    const struct guard_guardian *guardian; /* its criteria override what was learned; may be NULL */
    bool pending;                          /* with what has no support yet, marked */
    const struct line_sink *notes;         /* what is left out, and why; may be NULL */
};

/* JSON without blanks in the arena (json_layout makes it readable); equal models and Guardians give
 * equal bytes. Everything in cfg is borrowed for the call. GUARD_E_NOMEM; GUARD_E_RANGE for a model
 * or Guardian that isn't well-formed. The arena needs up to 128 MiB for the largest model. */
GUARD_MUST_USE enum guard_rc openapi_write(const struct openapi_cfg *cfg, struct guard_arena *arena,
                                           struct guard_span *out, struct guard_err *err);

#endif
