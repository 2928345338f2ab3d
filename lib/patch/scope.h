/* SPDX-License-Identifier: Apache-2.0 */
/* Which messages a patch is for. */
#ifndef GD_PATCH_SCOPE_H
#define GD_PATCH_SCOPE_H

#include "patch/program.h"

/* Of the request that the message is or answers. */
struct gd_patch_scope {
    struct guard_span method;
    struct guard_span path;  /* decoded */
    struct guard_span plain; /* and without dot segments and empty ones; "" without memory */
    struct guard_span media; /* of the message's body, lower case */
};

bool gd_patch_in_scope(const struct gd_patch_set *set, const struct gd_patch_entry *entry,
                       const struct gd_patch_scope *scope);
/* Whether a template as "/users/{}" or "/static/{*}" stands for a path. */
bool gd_template_fits(struct guard_span template_text, struct guard_span path);
/* Path and plain of a target as it was sent. */
void gd_patch_scope_path(struct gd_patch_scope *scope, struct guard_span target,
                         struct guard_arena *arena);

#endif
