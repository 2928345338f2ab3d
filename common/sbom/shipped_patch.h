/* SPDX-License-Identifier: Apache-2.0 */
/* Which packages a shipped patch is for: the member `affects` of its document. The patch itself is
 * read as every other one (common/guardian_patch.h). */
#ifndef GUARD_COMMON_SBOM_SHIPPED_PATCH_H
#define GUARD_COMMON_SBOM_SHIPPED_PATCH_H

#include "common/document.h"
#include "common/sbom/cyclonedx.h"
#include "common/sbom/purl.h"

enum { SHIPPED_AFFECTS_MAX = 64 };

/* A package, or a product as inventories name those that no ecosystem has. */
struct shipped_affected {
    bool is_package;
    struct purl package;      /* without a version */
    struct guard_span cpe;    /* "a:vendor:product" */
    struct guard_span text;   /* as it stands there */
    struct guard_span ranges; /* versions; checked */
};

struct shipped_patch {
    struct guard_span id;
    struct guard_span title;
    const struct shipped_affected *affected;
    uint32_t affected_count;
};

/* The only patch of the document, whose arena holds everything. GUARD_E_SYNTAX ("file:line:column:
 * what (at affects[0].versions)"), GUARD_E_LIMIT, GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc shipped_patch_read(const struct document *document,
                                                struct shipped_patch *out, struct guard_err *err);

/* purl: the component's, read; NULL: it has none. The member that says so in *by. */
enum version_answer shipped_patch_applies(const struct shipped_patch *patch,
                                          const struct cyclonedx_component *component,
                                          const struct purl *purl,
                                          const struct shipped_affected **by);

#endif
