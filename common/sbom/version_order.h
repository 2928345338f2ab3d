/* SPDX-License-Identifier: Apache-2.0 */
/* Which of two versions is the older one, and whether one lies in the ranges that an advisory
 * names. Simple on purpose, and bounded: versions that don't look like one are told, never guessed.
 */
#ifndef GUARD_COMMON_SBOM_VERSION_ORDER_H
#define GUARD_COMMON_SBOM_VERSION_ORDER_H

#include <guard/types.h>

enum { VERSION_BYTES_MAX = 128, VERSION_RANGES_BYTES_MAX = 1024 };

enum version_scheme {
    /* npm, Cargo, NuGet, Go: numbers with dots (any number of them), and behind the first '-'
     * identifiers of what comes before that release. */
    VERSION_SEMVER,
    /* Maven and everything else: parts between . - _ ~ and where digits meet letters. Numbers by
     * value; alpha, beta, milestone, rc, snapshot and the like are older than the release; final,
     * ga and release are it; other words are younger, and so are revisions ("-3"), but less than a
     * further number. A missing part is 0, or the release. */
    VERSION_DOTTED,
};

enum version_answer {
    VERSION_OUTSIDE,
    VERSION_INSIDE,
    VERSION_UNKNOWN, /* it isn't a version that can be compared: empty, a range, a branch's name */
};

/* Can it be compared? A digit first (after a 'v'), then letters, digits and . - _ + ~ : */
bool version_comparable(struct guard_span version);
/* < 0: a is older; 0: the same. Both comparable. "+build" and an epoch ("1:") don't count. */
int version_compare(enum version_scheme scheme, struct guard_span a, struct guard_span b);

/* "A B || C": ranges of which one has to hold, each of which holds when all of its bounds do. A
 * bound is < <= > >= or = and a version, without a blank between them. GUARD_E_SYNTAX with what is
 * wrong in err. */
GUARD_MUST_USE enum guard_rc version_ranges_check(struct guard_span ranges, struct guard_err *err);
/* ranges have been checked. */
enum version_answer version_in(enum version_scheme scheme, struct guard_span version,
                               struct guard_span ranges);

#endif
