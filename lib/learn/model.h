/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a model down from a tree of cells: what guard_learn does once it knows whose pile it is.
 */
#ifndef GD_LEARN_MODEL_H
#define GD_LEARN_MODEL_H

#include "learn/cell.h"

#include <guard/model.h>

struct gd_model_source {
    const struct gd_cell *root;
    struct guard_span service;
    uint8_t key_id[8];
    bool keyed; /* false: nobody could tell a literal or a client again, so no set of them is closed
                 */
    uint8_t literal_key[16];
    uint8_t client_key[16];
    uint8_t digest[GUARD_DIGEST_BYTES];
    uint64_t anonymous;
    uint32_t epochs;
};

/* As guard_learn. The source is not needed afterwards. */
GUARD_MUST_USE enum guard_rc gd_model_build(struct guard_model **out,
                                            const struct gd_model_source *source,
                                            const struct guard_learn_cfg *cfg,
                                            struct guard_err *err);

#endif
