/* SPDX-License-Identifier: Apache-2.0 */
/* A request of an exploit as the values that a gate sees, with what of them is a throw-away token.
 */
#ifndef GUARD_COMMON_GENERALISE_MESSAGE_H
#define GUARD_COMMON_GENERALISE_MESSAGE_H

#include "common/generalise/work.h"

struct message_value {
    struct guard_value value;
    const uint8_t *tokens;      /* for each byte of the text, whether it is of one; NULL: none is */
    const uint8_t *name_tokens; /* the same of the name */
};

struct message {
    struct guard_exchange exchange;
    struct message_value *values;
    uint32_t count;
    enum guard_body_kind body_kind;
};

/* False after failing. */
bool message_read(struct work *work, const struct exploit_request *request, struct message *out);
/* NULL when there is none. */
const struct message_value *message_find(const struct message *message,
                                         enum guard_patch_place place);

#endif
