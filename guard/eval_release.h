/* SPDX-License-Identifier: Apache-2.0 */
/* Releases made of recorded traffic, a kind of change each: what `guard eval drift` judges before
 * and after. */
#ifndef GUARD_CLI_EVAL_RELEASE_H
#define GUARD_CLI_EVAL_RELEASE_H

#include <guard/exchange.h>

enum eval_release {
    EVAL_RELEASE_PARAMETER,    /* each request has a parameter that was never there */
    EVAL_RELEASE_MISSING,      /* the first parameter isn't sent any more */
    EVAL_RELEASE_CONTENT_TYPE, /* what was JSON is JSON of another type */
    EVAL_RELEASE_STATUS,       /* 200 with its body becomes 303 with a Location */
};

enum { EVAL_RELEASE_TARGET = 64 * 1024 };

bool eval_release_read(const char *text, enum eval_release *out);
/* The name, as it stands in the target, of the parameter that the exchange would lose; empty for
 * other kinds, and where there is none. */
struct guard_span eval_release_drops(enum eval_release kind, const struct guard_exchange *exchange);
/* number: of the exchange, for values that differ. room holds the target while the exchange is
 * used; its headers are written to. What a release wouldn't change stays as it is. */
void eval_release_apply(enum eval_release kind, uint64_t number, char room[EVAL_RELEASE_TARGET],
                        struct guard_exchange *exchange);

#endif
