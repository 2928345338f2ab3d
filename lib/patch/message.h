/* SPDX-License-Identifier: Apache-2.0 */
/* A message as patches see it: its values, each in the forms that further decoding gives, and what
 * of it couldn't be seen. */
#ifndef GD_PATCH_MESSAGE_H
#define GD_PATCH_MESSAGE_H

#include "patch/program.h"
#include "profile/leaves.h"
#include "profile/profile.h"

enum { GD_PATCH_ROUNDS = 4 }; /* of decoding */

struct gd_patch_value {
    struct guard_span name;
    struct guard_span text;
    uint32_t places;
    uint32_t flags; /* enum gd_capture_flag */
    uint32_t types; /* as its grammar says, else 0 */
    uint32_t field;
    uint32_t form_first; /* in forms */
    uint32_t form_count;
};

struct gd_patch_message {
    struct gd_capture *capture;
    const struct gd_profile *profile;
    struct gd_patch_value *values; /* NULL: not put together yet */
    uint32_t count;
    bool whole; /* the whole body is asked for, however it is read */
    struct guard_span *forms;
    uint32_t form_count;
    uint32_t form_cap;
    struct gd_capture_text decoded; /* all forms, with line feeds between */
    /* What becomes of the texts and of the body when they are decoded, round by round. */
    struct guard_span streams[2 * GD_PATCH_ROUNDS];
    uint32_t stream_count;
    bool decodes;     /* there is something to decode, and a patch asks for it */
    bool body_used;   /* the whole body is one of the values */
    bool body_unread; /* it was read as nothing else */
    bool endless;     /* of messages, whose names are written once */
    uint32_t cut;     /* places whose values may be in a wild value only */
    uint32_t coming;  /* places of which more may come */
    uint32_t unseen;  /* places of which something was seen by nobody */
    uint32_t missed;  /* and those of which it wasn't kept: see gd_capture */
};

/* set: what is asked for; coming: places of which more may come. Everything lives in the capture's
 * arena. All streams are there then, the values only when they are asked for. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_patch_message_fill(struct gd_patch_message *message,
                                                   struct gd_capture *capture,
                                                   const struct gd_profile *profile,
                                                   const struct gd_patch_set *set, uint32_t coming);
/* Puts the values together, in all their forms: those of JSON documents only if such places are
 * asked for. Once. GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc gd_patch_message_values(struct gd_patch_message *message,
                                                     uint32_t places);
/* The value's name; of trees it is put together when it is asked for first. */
struct guard_span gd_patch_name_of(struct gd_patch_message *message, struct gd_patch_value *value);

#endif
