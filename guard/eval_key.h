/* SPDX-License-Identifier: Apache-2.0 */
/* When two requests count as one: same service, method, path template, parameters in any order,
 * and body. Duplicates flatter every rate of false positives. */
#ifndef GUARD_CLI_EVAL_KEY_H
#define GUARD_CLI_EVAL_KEY_H

#include <guard/exchange.h>

/* The arena is scratch. Never 0; without memory a request is distinct from those it equals. */
uint64_t eval_request_key(const struct guard_exchange *exchange, struct guard_span service,
                          struct guard_arena *arena);
/* The hash of a text under a purpose. */
uint64_t eval_hash(uint64_t seed, struct guard_span text);
/* Percent-decodes into out, which has 3 bytes for each of text; '+' becomes a blank when plus; what
 * isn't UTF-8 then becomes U+FFFD. */
size_t eval_unquote(uint8_t *out, struct guard_span text, bool plus);

#endif
