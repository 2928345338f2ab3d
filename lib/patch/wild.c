/* SPDX-License-Identifier: Apache-2.0 */
/* See wild.h. Binary bodies that only claim to be forms are full of quotes and brackets; without
 * the name that a patch is about they aren't what it is for. */
#include "patch/wild.h"

#include "detect/escapes.h"

static bool holds(struct guard_span text, struct guard_span piece)
{
    for (size_t at = 0; at + piece.len <= text.len; at++) {
        if (text.ptr[at] == piece.ptr[0] && memcmp(text.ptr + at, piece.ptr, piece.len) == 0)
            return true;
    }
    return false;
}

static bool holds_decoded(const struct gd_patch_message *message,
                          const struct gd_patch_value *value, struct guard_span piece)
{
    if (holds(value->text, piece))
        return true;
    for (uint32_t i = 0; i < value->form_count; i++) {
        if (holds(message->forms[value->form_first + i], piece))
            return true;
    }
    return false;
}

/* A tree's names are put together with dots and brackets, which don't stand in its text. */
static bool is_joint(uint8_t byte, bool tree)
{
    return byte == '*' || (tree && (byte == '.' || byte == '[' || byte == ']'));
}

static bool may_be(const struct gd_patch_message *message, const struct gd_patch_value *value,
                   struct guard_span name, bool tree)
{
    size_t begin = 0;
    for (size_t at = 0; at <= name.len; at++) {
        if (at < name.len && !is_joint(name.ptr[at], tree))
            continue;
        if (at > begin && !holds_decoded(message, value, gd_span(name.ptr + begin, at - begin)))
            return false;
        begin = at + 1;
    }
    return true;
}

bool gd_wild_may_name(const struct gd_patch_message *message, const struct gd_patch_value *value,
                      const struct gd_patch_set *set, const struct gd_patch_node *node)
{
    const uint32_t places = value->places & node->places & message->cut;
    const bool tree = (places & (GUARD_PLACE_JSON | GUARD_PLACE_GRAPHQL)) != 0;
    if (value->form_count == 0 && gd_escapes_possible(value->text))
        return true;
    for (uint32_t i = 0; i < node->names.count; i++) {
        if (may_be(message, value, gd_patch_span(set, set->texts[node->names.first + i]), tree))
            return true;
    }
    return false;
}
