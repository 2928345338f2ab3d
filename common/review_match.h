/* SPDX-License-Identifier: Apache-2.0 */
/* Which of what waits an alert tells of: what would have to become normal for it not to come
 * again. */
#ifndef GUARD_COMMON_REVIEW_MATCH_H
#define GUARD_COMMON_REVIEW_MATCH_H

#include <guard/review.h>
#include <guard/verdict.h>

/* A finding of an alert, in the words of the log. */
struct review_seen {
    const char *method; /* of the alert */
    const char *path;   /* its template */
    const char *part;
    const char *location;
    const char *name;
    const char *rule;
    const char *observed; /* as review_observed leaves it */
};

/* Of values only what the rule found in them: "= in aa=00" becomes "=". Cut to fit. */
void review_observed(char *out, size_t cap, const char *text);

/* Whether the finding tells of the element, of the same service. */
bool review_tells_of(const struct review_seen *seen, const struct guard_review_element *element);

/* Why nothing that waits would teach a finding. */
enum review_untaught {
    REVIEW_OF_PEOPLE,   /* a patch */
    REVIEW_OF_CLIENT,   /* how a client behaves, or a verdict on it */
    REVIEW_OF_LIMIT,    /* a length, a count, a time: nothing of it waits by itself */
    REVIEW_NOT_WAITING, /* it could, but doesn't */
};
enum review_untaught review_untaught(const struct review_seen *seen);
/* For people. Static text. */
const char *review_untaught_text(enum review_untaught why);

#endif
