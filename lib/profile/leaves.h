/* SPDX-License-Identifier: Apache-2.0 */
/* The leaves and names of a JSON document of which only the texts were captured: the body is read
 * once more, when somebody asks which value is where. */
#ifndef GD_PROFILE_LEAVES_H
#define GD_PROFILE_LEAVES_H

#include "profile/capture.h"

struct gd_leaf {
    struct guard_span name; /* of a member whatever is below it; else empty: the field's path */
    struct guard_span text;
    uint32_t field; /* of the profile, or GD_NO_FIELD */
    uint32_t types; /* that the grammar says, else 0 */
    uint32_t flags; /* GD_CAPTURE_KEY or GD_CAPTURE_TREE */
};

struct gd_leaves {
    struct gd_leaf *leaves; /* in the document's order */
    uint32_t count;
    uint32_t cap;
};

/* ended: no more of the body comes, and a value that it cuts is one. Empty where the capture has
 * the leaves as values. Where the exchange's arena was full, there may be leaves that the first
 * reading didn't come to. Everything lives in the capture's arena. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_leaves_read(struct gd_leaves *out, struct gd_capture *capture,
                                            bool ended);

#endif
