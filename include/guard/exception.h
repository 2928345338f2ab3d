/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions: for a while, what a person knows to be no attack is told instead of blocked. Their
 * form in memory; documents in common/guardian_exception.h, what they mean in
 * docs/adr/0017-exceptions.md. */
#ifndef GUARD_EXCEPTION_H
#define GUARD_EXCEPTION_H

#include <guard/verdict.h>

enum {
    GUARD_EXCEPTIONS_MAX = 64,      /* of a Guardian */
    GUARD_EXCEPTION_LIST_MAX = 64,  /* entries of each list of a scope */
    GUARD_EXCEPTION_ID_MAX = 64,    /* of [A-Za-z0-9._-], the first one no '-' or '.' */
    GUARD_EXCEPTION_TEXT_MAX = 512, /* bytes of reason and author */
    GUARD_EXCEPTION_NAME_MAX = 192, /* bytes of a name, a path template, a method */
    GUARD_EXCEPTION_DAYS_MAX = 366, /* from created to expires */
    GUARD_EXCEPTION_RULES = 128,    /* numbers of enum guard_rule are below */
};

/* All addresses whose first bits are those; what is behind them is zero. */
struct guard_address_prefix {
    uint8_t address[16];
    uint8_t address_len; /* 4 or 16 */
    uint8_t bits;        /* 1 to 8 * address_len */
};

/* Spans and arrays are the owner's of the Guardian or document they were read from. A finding is
 * covered when all that the scope says holds of it and of its exchange; what isn't said isn't
 * asked, but for patches and verdicts on clients, which are only covered by name. */
struct guard_exception {
    struct guard_span id;     /* unique in a Guardian */
    struct guard_span author; /* who */
    struct guard_span reason; /* why */
    uint64_t created_ms;      /* Unix time, as the next */
    uint64_t expires_ms;      /* from then on it counts no more */
    /* Scope. count 0, bits 0: not said. */
    const struct guard_span *endpoints; /* path templates as of patches; the decoded path must fit
                                           as it came and as servers simplify it */
    uint32_t endpoint_count;
    const struct guard_span *methods;
    uint32_t method_count;
    const struct guard_address_prefix *clients;
    uint32_t client_count;
    uint32_t locations;             /* bit per enum guard_location */
    const struct guard_span *names; /* '*' in one stands for any bytes */
    uint32_t name_count;
    uint64_t rules[GUARD_EXCEPTION_RULES / 64]; /* bit per enum guard_rule */
    const struct guard_span *patches;           /* ids; then nothing but their findings is covered,
                                                   and rules, locations and names aren't said */
    uint32_t patch_count;
};

/* The rules that documents and compilers hold exceptions to, in one place: id, author and reason
 * said, a bounded time, a scope that isn't everything. GUARD_E_LIMIT, GUARD_E_SYNTAX,
 * GUARD_E_RANGE, with "scope.names[0]: what" in err. */
GUARD_API GUARD_MUST_USE enum guard_rc
guard_exception_check(const struct guard_exception *exception, struct guard_err *err);
/* Whether an exception may name the rule: patches are named by their ids. */
GUARD_API bool guard_exception_rule(enum guard_rule rule);

#endif
