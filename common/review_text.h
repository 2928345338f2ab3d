/* SPDX-License-Identifier: Apache-2.0 */
/* Things that wait for people, in words and as JSON: alike on the command line and in the API. */
#ifndef GUARD_COMMON_REVIEW_TEXT_H
#define GUARD_COMMON_REVIEW_TEXT_H

#include "common/json_writer.h"
#include "common/review.h"

enum { REVIEW_LINE_MAX = 4096, REVIEW_LACKS_MAX = 64 };

/* "GET /users query q: character =". Returns out, clean. */
const char *review_title(char out[REVIEW_LINE_MAX], const struct guard_review_element *element);
/* "1 more epoch", "3 of 4 clients". support: D of the service. Returns out. */
const char *review_lacks(char out[REVIEW_LACKS_MAX], uint32_t support,
                         const struct guard_review_pending *pending);
/* "service", "id", "kind", "method", "path", "response", "in", "name", "element", into an object
 * that is open. */
void review_json_element(struct json_writer *json, struct guard_span service,
                         const struct guard_review_element *element);

#endif
