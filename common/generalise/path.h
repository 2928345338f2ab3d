/* SPDX-License-Identifier: Apache-2.0 */
/* The path of an exploit: the endpoint that is vulnerable, or syntax in the path itself. */
#ifndef GUARD_COMMON_GENERALISE_PATH_H
#define GUARD_COMMON_GENERALISE_PATH_H

#include "common/generalise/message.h"

struct path {
    struct guard_span text;          /* decoded */
    struct guard_span template_text; /* "" when the path holds syntax */
    bool ignore_case;                /* servers of this kind of page don't mind */
    bool wild;                       /* the template has a segment that is free */
    bool generic;                    /* many services have it */
    /* Of a path with syntax; NULL else. */
    struct guard_patch_condition *syntax;
    bool recognised; /* the syntax is traversal, or reads like an attack */
};

/* False after failing. */
bool path_read(struct work *work, uint32_t request, const struct message *message,
               struct path *out);
/* That the request is to one of these paths, which hold no syntax. */
struct guard_patch_condition *path_condition(struct work *work, const struct path *const *paths,
                                             uint32_t count);

#endif
