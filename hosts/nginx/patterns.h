/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker knows of patterns: the expressions that it has compiled, and the database that
 * guardd made for this machine, of which all services share one. */
#ifndef NGX_HTTP_GUARD_PATTERNS_H
#define NGX_HTTP_GUARD_PATTERNS_H

#include "module.h"

#include "common/patterns/regexes.h"

struct gate_patterns_info {
    bool loaded;  /* there is a database in force */
    bool refused; /* the file that is there isn't the one in force */
    uint8_t name[GUARD_DIGEST_BYTES];
    uint32_t patterns;
    uint32_t unfiltered;
    size_t bytes; /* of memory */
    struct regexes_counts expressions;
};

/* Before policies are loaded: what is there is in force for the first request. */
void gate_patterns_init(ngx_log_t *log);
/* One bounded slice of work; false: there is nothing to do until the file changes. */
bool gate_patterns_slice(ngx_log_t *log);
void gate_patterns_close(void);
/* For transactions; lives as long as the worker. NULL: there was no memory. */
const struct guard_matcher *gate_patterns_matcher(void);
/* Before each decision on an exchange: what it may take begins anew, and the database is asked only
 * when it knows all patterns of its policy. */
void gate_patterns_begin(const gate_exchange_t *exchange);
void gate_patterns_info(struct gate_patterns_info *out);

#endif
