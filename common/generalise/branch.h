/* SPDX-License-Identifier: Apache-2.0 */
/* One request of an exploit as one way to recognise it. */
#ifndef GUARD_COMMON_GENERALISE_BRANCH_H
#define GUARD_COMMON_GENERALISE_BRANCH_H

#include "common/generalise/evidence.h"
#include "common/generalise/path.h"

struct branch {
    struct message message;
    struct path path;
    struct guard_patch_condition *condition; /* of the values; NULL: the endpoint says it all */
    enum generalise_narrowness narrowness;
    bool has_file; /* sends one, or is built around a text */
};

/* False after failing. */
bool branch_read(struct work *work, uint32_t request, struct branch *out);

#endif
