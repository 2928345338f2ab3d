/* SPDX-License-Identifier: Apache-2.0 */
/* What a value that stands for all that its parser left out may be: any value whose name it has. */
#ifndef GD_PATCH_WILD_H
#define GD_PATCH_WILD_H

#include "patch/message.h"

/* Whether a value of one of the node's names may be in the text: all that isn't '*' (of a
 * tree's name no bracket or dot, either) of such a name stands in the text itself or in one of its
 * decodings, in any order. A text that wasn't decoded, but could be, may have any name. */
bool gd_wild_may_name(const struct gd_patch_message *message, const struct gd_patch_value *value,
                      const struct gd_patch_set *set, const struct gd_patch_node *node);

#endif
