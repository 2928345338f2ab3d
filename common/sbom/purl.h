/* SPDX-License-Identifier: Apache-2.0 */
/* Package URLs: which package of which ecosystem in which version, as inventories of software name
 * it ("pkg:npm/%40scope/name@1.2.3?arch=x#folder"). */
#ifndef GUARD_COMMON_SBOM_PURL_H
#define GUARD_COMMON_SBOM_PURL_H

#include "common/sbom/version_order.h"

enum { PURL_TYPE_MAX = 32, PURL_PATH_MAX = 512 };

/* Decoded; bytes that aren't text were refused. */
struct purl {
    char type[PURL_TYPE_MAX + 1];        /* in lower case */
    char path[PURL_PATH_MAX + 1];        /* name space and name: "org.example/lib" */
    char version[VERSION_BYTES_MAX + 1]; /* "": none */
};

/* Qualifiers and the path within the package are left out. GUARD_E_SYNTAX, GUARD_E_LIMIT with what
 * is wrong. */
GUARD_MUST_USE enum guard_rc purl_read(struct purl *out, struct guard_span text,
                                       struct guard_err *err);
/* The same package, whatever the versions? Capitals don't count, as most ecosystems have it. */
bool purl_same_package(const struct purl *a, const struct purl *b);
/* How its ecosystem orders versions. */
enum version_scheme purl_scheme(const struct purl *purl);

#endif
