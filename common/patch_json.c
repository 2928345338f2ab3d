/* SPDX-License-Identifier: Apache-2.0 */
/* Patches as JSON. */
#include "common/patch_json.h"

#include "common/file.h"
#include "common/guardian_patch_words.h"

#include <string.h>

enum patch_standing patch_standing(const struct guard_patch *patch, uint64_t now_ms)
{
    if (patch->expires_ms == 0 || patch->mode == GUARD_PATCH_OFF)
        return PATCH_IN_FORCE;
    if (patch->expires_ms <= now_ms)
        return PATCH_EXPIRED;
    return patch->expires_ms - now_ms <= PATCH_SOON_MS ? PATCH_EXPIRES_SOON : PATCH_IN_FORCE;
}

const char *patch_standing_word(enum patch_standing standing)
{
    static const char *const words[] = {"in-force", "expires-soon", "expired"};
    return words[standing];
}

bool patch_fixed(const struct guard_patch *patch, struct guard_span revision)
{
    return patch->mode != GUARD_PATCH_OFF && patch->fixed_in.len > 0 &&
           patch->fixed_in.len == revision.len &&
           memcmp(patch->fixed_in.ptr, revision.ptr, revision.len) == 0;
}

void patch_json(struct json_writer *json, const struct guard_patch *patch, uint64_t now_ms)
{
    char expires[CLOCK_TEXT_MAX];
    json_string(json, "id", patch->id);
    json_string(json, "title", patch->title);
    json_text(json, "part", patch_part_word(patch->part));
    json_text(json, "mode", patch_mode_word(patch->mode));
    json_text(json, "action", patch_action_word(patch->action));
    json_bool(json, "mandatory", patch->mandatory);
    if (patch->expires_ms > 0 && clock_text(expires, (double)patch->expires_ms))
        json_text(json, "expires", expires);
    else
        json_null(json, "expires");
    json_text(json, "standing", patch_standing_word(patch_standing(patch, now_ms)));
    json_string(json, "fixed_in", patch->fixed_in);
    json_string(json, "author", patch->author);
    json_string(json, "reason", patch->reason);
    json_open(json, "references", '[');
    for (uint32_t i = 0; i < patch->reference_count; i++)
        json_string(json, NULL, patch->references[i]);
    json_close(json, ']');
}
