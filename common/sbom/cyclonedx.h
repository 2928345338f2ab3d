/* SPDX-License-Identifier: Apache-2.0 */
/* The components of a CycloneDX document in JSON (1.2 to 1.7), those within components and the
 * described one among them. Read without a tree: inventories have many megabytes of which little is
 * wanted. */
#ifndef GUARD_COMMON_SBOM_CYCLONEDX_H
#define GUARD_COMMON_SBOM_CYCLONEDX_H

#include <guard/types.h>

enum {
    CYCLONEDX_BYTES_MAX = 64 << 20,
    CYCLONEDX_COMPONENTS_MAX = 100000,
    CYCLONEDX_DEPTH_MAX = 16, /* of components in components */
    CYCLONEDX_PLACE_MAX = 256,
};

/* "": not said. Borrowed of the document and the arena. */
struct cyclonedx_component {
    struct guard_span group;
    struct guard_span name;
    struct guard_span version;
    struct guard_span purl;
    struct guard_span cpe;
    char place[CYCLONEDX_PLACE_MAX]; /* "components[3].components[0]" */
};

/* False ends the reading with GUARD_E_NOMEM. The component is the caller's for the call. */
typedef bool cyclonedx_take(void *ctx, const struct cyclonedx_component *component);

/* Components within a component come before it. What is wrong is told as "name:line:column: what"
 * before any component when the document isn't CycloneDX or no JSON: GUARD_E_SYNTAX,
 * GUARD_E_VERSION; GUARD_E_LIMIT for more than the maxima, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc cyclonedx_read(const char *name, struct guard_span bytes,
                                            struct guard_arena *arena, cyclonedx_take *take,
                                            void *ctx, struct guard_err *err);

#endif
