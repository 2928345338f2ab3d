/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of patches, exactly: searched in bytes, compiled when they are first asked
 * for and kept in bounded memory, and stopped when a text makes them hard. They are interpreted,
 * not compiled to machine code: workers needn't be allowed memory that is writable and executable,
 * and where a limit lies doesn't depend on the processor. */
#ifndef GUARD_COMMON_PATTERNS_REGEXES_H
#define GUARD_COMMON_PATTERNS_REGEXES_H

#include <guard/patch.h>

enum {
    /* What one search may take beyond what a single pass over the value takes, in steps: about 2 ms
     * on a slow processor. */
    REGEX_STEPS_MAX = 300000,
    /* And all searches since regexes_refill together, beyond their passes and with them. */
    REGEXES_STEPS_MAX = 2 * REGEX_STEPS_MAX,
    REGEXES_TOTAL_MAX = 100 * REGEX_STEPS_MAX,
};

/* Whether patches may have it: its syntax, its size, and that it has nothing that can't be searched
 * in bounded time or in a stream of values: no look-behind, back-references, recursion, conditions,
 * callouts, verbs, \A \z \Z \G \K \C \R \X \Q \p. GUARD_E_SYNTAX, GUARD_E_LIMIT: the reason in err,
 * and where in *offset, in bytes. */
GUARD_MUST_USE enum guard_rc regex_check(struct guard_span expression, bool ignore_case,
                                         size_t *offset, struct guard_err *err);

/* Whether it may be found in a value of no bytes, or between two bytes of another. False for what
 * regex_check refuses. */
bool regex_matches_empty(struct guard_span expression, bool ignore_case);

struct regexes;

struct regexes_counts {
    uint64_t compiled;
    uint64_t refused; /* expressions that this PCRE2 doesn't compile: they are never found */
    uint64_t aborted; /* searches that reached their limit */
    size_t kept;      /* expressions in memory */
    size_t bytes;     /* of their code */
};

/* For one thread. alloc is copied and gives all memory. GUARD_E_NOMEM. Frees by regexes_free. */
GUARD_MUST_USE enum guard_rc regexes_new(struct regexes **out, const struct guard_alloc *alloc);
void regexes_free(struct regexes *regexes);
/* As guard_matcher's find. An expression that can't be compiled is in no value; one for which there
 * is no memory counts as ABORTED. */
enum guard_match regexes_find(struct regexes *regexes, uint64_t pattern,
                              struct guard_span expression, bool ignore_case,
                              struct guard_span value);
/* Before a message is decided on: what came before it took no steps of its own. */
void regexes_refill(struct regexes *regexes);
void regexes_count(const struct regexes *regexes, struct regexes_counts *out);
/* A matcher without a database; lives as long as regexes. */
struct guard_matcher regexes_matcher(struct regexes *regexes);

#endif
