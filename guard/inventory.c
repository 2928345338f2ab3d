/* SPDX-License-Identifier: Apache-2.0 */
/* Each component against each patch: a hundred thousand against some hundred are done in a second.
 */
#include "inventory.h"

#include "command.h"
#include "common/file.h"

#include <stdlib.h>
#include <string.h>

enum { ARENA_MAX = 128 << 20 };

static bool same(struct guard_span a, struct guard_span b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool is_known(const struct inventory *inventory, const struct inventory_found *found)
{
    for (uint32_t i = 0; i < inventory->count; i++) {
        const struct inventory_found *other = &inventory->found[i];
        if (other->patch == found->patch && same(other->name, found->name) &&
            same(other->version, found->version))
            return true;
    }
    return false;
}

static bool keep(struct inventory *inventory, struct inventory_found found,
                 const struct cyclonedx_component *component)
{
    if (is_known(inventory, &found))
        return true;
    if (inventory->count == INVENTORY_FOUND_MAX) {
        inventory->left_out++;
        return true;
    }
    size_t len = strlen(component->place) + 1;
    char *place = guard_arena_get(&inventory->arena, len);
    if (place == NULL)
        return false;
    memcpy(place, component->place, len);
    found.place = place;
    inventory->found[inventory->count++] = found;
    return true;
}

/* NULL: there is none, or it is none, which is told. */
static const struct purl *read_purl(struct inventory *inventory, struct purl *purl,
                                    const struct cyclonedx_component *component)
{
    char name[512];
    struct guard_err err;
    if (component->purl.len == 0)
        return NULL;
    if (purl_read(purl, component->purl, &err) == GUARD_OK)
        return purl;
    if (inventory->unreadable++ < INVENTORY_TOLD_MAX)
        complain(0, "note: %s.purl: %s: \"%s\"", component->place, err.text,
                 clean(name, sizeof(name), (const char *)component->purl.ptr, component->purl.len));
    return NULL;
}

static bool take(void *ctx, const struct cyclonedx_component *component)
{
    struct inventory *inventory = ctx;
    struct purl room;
    inventory->components++;
    const struct purl *purl = read_purl(inventory, &room, component);
    if (component->purl.len == 0 && component->cpe.len == 0 &&
        inventory->nameless++ < INVENTORY_TOLD_MAX)
        inventory->told[inventory->nameless - 1] = component->name;
    for (uint32_t i = 0; i < inventory->shipped->count; i++) {
        const struct shipped_affected *by = NULL;
        enum version_answer answer =
            shipped_patch_applies(&inventory->shipped->patches[i], component, purl, &by);
        if (answer == VERSION_OUTSIDE)
            continue;
        struct inventory_found found = {.patch = i,
                                        .answer = answer,
                                        .name = by->is_package ? component->purl : component->cpe,
                                        .version = component->version,
                                        .by = by};
        if (!keep(inventory, found, component))
            return false;
    }
    return true;
}

bool inventory_read(struct inventory *out, const char *path, const struct shipped_patches *shipped)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_err err;
    size_t len = 0;
    *out = (struct inventory){.shipped = shipped};
    guard_arena_init(&out->arena, &heap, ARENA_MAX);
    out->found = guard_arena_get(&out->arena, INVENTORY_FOUND_MAX * sizeof(*out->found));
    if (out->found == NULL)
        return complain(0, "no memory") != 0;
    if (file_read(path, CYCLONEDX_BYTES_MAX, &out->bytes, &len, &err) != GUARD_OK ||
        cyclonedx_read(path, (struct guard_span){out->bytes, len}, &out->arena, take, out, &err) !=
            GUARD_OK)
        return complain(0, "%s", err.text) != 0;
    return true;
}

void inventory_close(struct inventory *inventory)
{
    free(inventory->bytes);
    guard_arena_reset(&inventory->arena);
}

enum version_answer inventory_answer(const struct inventory *inventory, uint32_t patch)
{
    enum version_answer best = VERSION_OUTSIDE;
    for (uint32_t i = 0; i < inventory->count; i++) {
        if (inventory->found[i].patch != patch)
            continue;
        if (inventory->found[i].answer == VERSION_INSIDE)
            return VERSION_INSIDE;
        best = VERSION_UNKNOWN;
    }
    return best;
}
