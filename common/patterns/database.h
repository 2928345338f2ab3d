/* SPDX-License-Identifier: Apache-2.0 */
/* All patterns of all patches at once: a Hyperscan database, which a scan asks for the patterns
 * that a stream of values may hold. It never says what is blocked: it only tells what needn't be
 * looked at. Its bytes are for the processor and library they were made with and must be trusted
 * (sealed.h); the library believes them. */
#ifndef GUARD_COMMON_PATTERNS_DATABASE_H
#define GUARD_COMMON_PATTERNS_DATABASE_H

#include <guard/patch.h>

enum {
    PATTERN_DATABASE_PATTERNS = 131072,         /* at most */
    PATTERN_DATABASE_BYTES = 128 * 1024 * 1024, /* at most */
    PATTERN_DATABASE_TEXTS = 64 * 1024 * 1024,  /* at most, of all patterns */
};

struct pattern_database;

struct pattern_database_info {
    uint32_t patterns;
    uint32_t unfiltered; /* patterns that it can't look for: each scan names them */
    size_t bytes;        /* of memory, with the scratch of its scans */
};

/* Whether this processor runs databases at all. */
bool pattern_database_possible(void);
/* The library and what of the processor matters, as a text; a static one. */
const char *pattern_platform(void);

/* Sorts by id and drops what is there twice; the new count. */
size_t patterns_sort(struct guard_pattern *patterns, size_t count);
/* What a database of these (sorted) patterns is called: of their contents, the library and the
 * processor. */
void patterns_digest(uint8_t out[GUARD_DIGEST_BYTES], const struct guard_pattern *patterns,
                     size_t count);

/* What a build did. */
struct pattern_build {
    uint32_t unfiltered;
    uint32_t approximate; /* found more often than they are there */
};

/* patterns: sorted. *out is malloc'd, for pattern_database_open. What the library refuses is told
 * by each scan. doubtful: NULL, or which patterns aren't given to the library at all. Takes as much
 * time and memory as the expressions want: in a process of its own. GUARD_E_LIMIT, GUARD_E_NOMEM,
 * GUARD_E_STATE: not on this processor, or not by this library; GUARD_E_RANGE: the library refuses
 * all of it. */
GUARD_MUST_USE enum guard_rc pattern_database_build(const struct guard_pattern *patterns,
                                                    size_t count, const bool *doubtful,
                                                    uint8_t **out, size_t *len,
                                                    struct pattern_build *told,
                                                    struct guard_err *err);

/* bytes: of pattern_database_build, trusted; only read meanwhile. For one thread. Frees by
 * pattern_database_close. GUARD_E_SYNTAX, GUARD_E_VERSION (another library or processor,
 * or one that misses what is there), GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc pattern_database_open(struct pattern_database **out,
                                                   struct guard_span bytes, struct guard_err *err);
void pattern_database_close(struct pattern_database *database);
void pattern_database_info(const struct pattern_database *database,
                           struct pattern_database_info *out);
/* Whether a scan tells of it. */
bool pattern_database_has(const struct pattern_database *database, uint64_t pattern);
/* As guard_matcher's scan. */
bool pattern_database_scan(struct pattern_database *database, struct guard_span stream,
                           guard_pattern_hit *hit, void *hit_ctx);

#endif
