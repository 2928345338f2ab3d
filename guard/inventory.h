/* SPDX-License-Identifier: Apache-2.0 */
/* An inventory of software (CycloneDX) held against the patches that come with Guard. */
#ifndef GUARD_CLI_INVENTORY_H
#define GUARD_CLI_INVENTORY_H

#include "shipped_patches.h"

enum { INVENTORY_FOUND_MAX = 4096, INVENTORY_TOLD_MAX = 20 };

/* A component that a patch is for, or may be. Spans are the inventory's. */
struct inventory_found {
    uint32_t patch; /* index */
    enum version_answer answer;
    struct guard_span name; /* the package URL, or the product's name */
    struct guard_span version;
    const char *place;
    const struct shipped_affected *by;
};

struct inventory {
    const struct shipped_patches *shipped;
    struct inventory_found *found; /* each patch and component once */
    uint32_t count;
    uint32_t left_out; /* more than that */
    uint32_t components;
    uint32_t nameless;   /* with neither a package URL nor a product's name */
    uint32_t unreadable; /* with a package URL that is none */
    struct guard_span told[INVENTORY_TOLD_MAX]; /* names of the first nameless ones */
    struct guard_arena arena;
    uint8_t *bytes;
};

/* Package URLs that are none are told with their place. False after a message. inventory_close in
 * any case. */
GUARD_MUST_USE bool inventory_read(struct inventory *out, const char *path,
                                   const struct shipped_patches *shipped);
void inventory_close(struct inventory *inventory);
/* VERSION_INSIDE when one component says so, else VERSION_UNKNOWN when one may. */
enum version_answer inventory_answer(const struct inventory *inventory, uint32_t patch);

#endif
