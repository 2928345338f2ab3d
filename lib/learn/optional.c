/* SPDX-License-Identifier: Apache-2.0 */
/* Names that a protocol lets anyone leave out: selections of GraphQL and fields of protocol
 * buffers. */
#include "learn/optional.h"

#include "profile/profile.h"

static bool begins(const struct gd_draft_field *field, const char *any)
{
    struct guard_span name = field->group.sum.text;
    return name.len > 0 && strchr(any, name.ptr[0]) != NULL;
}

/* The operation stands at the top as "query" and the like; fragments stand there, too. */
static bool is_selection(const struct gd_draft_field *field)
{
    struct guard_span name = field->group.sum.text;
    if (field->parent == NULL)
        return name.len > 9 && memcmp(name.ptr, "fragment ", 9) == 0;
    for (const struct gd_draft_field *at = field; at != NULL; at = at->parent) {
        if (begins(at, "($"))
            return false;
    }
    return true;
}

bool gd_field_optional(const struct gd_draft_field *field)
{
    uint8_t location = field->group.sum.location;
    return location == GUARD_LOCATION_PROTOBUF ||
           (location == GUARD_LOCATION_GRAPHQL && is_selection(field));
}
