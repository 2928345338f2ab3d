/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies in HAR documents: text, base64, or posted parameters of which the body is made again. */
#ifndef GUARD_COMMON_TRAFFIC_HAR_BODY_H
#define GUARD_COMMON_TRAFFIC_HAR_BODY_H

#include "common/traffic/json_cursor.h"

struct har_body {
    bool known;
    struct guard_span bytes;
};

/* Takes the value at the cursor, a postData or a content object. */
void har_body_read(struct json_cursor *cursor, struct har_body *out);

#endif
