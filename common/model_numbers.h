/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned of the numbers of a field or an endpoint, with the limits that the model in
 * force sets to them: the same on the command line, in the API and in the console. */
#ifndef GUARD_COMMON_MODEL_NUMBERS_H
#define GUARD_COMMON_MODEL_NUMBERS_H

#include <guard/model.h>

struct number_limit {
    bool known;
    bool armed;      /* a rule fires beyond it */
    uint32_t at;     /* the outermost number that isn't unusual */
    uint64_t beyond; /* exchanges that were learned from, in buckets wholly beyond it */
};

struct number_view {
    enum guard_number number;
    const struct guard_histogram *histogram;
    struct number_limit limits[2]; /* by enum guard_end */
};

/* in_force: the same field in the model that gates enforce; NULL: it isn't in it. False: there is
 * nothing to show of the number. */
bool number_of_field(struct number_view *out, const struct guard_model_field *field,
                     const struct guard_model_field *in_force, enum guard_number number);
/* Of an endpoint or response: numbers from GUARD_NUMBER_BODY on. */
bool number_of_endpoint(struct number_view *out, const struct guard_model_endpoint *endpoint,
                        const struct guard_model_endpoint *in_force, enum guard_number number);

/* The same in another model, NULL when it isn't there. Searching begins at *hint, which is moved
 * behind what was found: models are written in one order. */
const struct guard_model_endpoint *model_same_endpoint(const struct guard_model *model,
                                                       const struct guard_model_endpoint *endpoint);
const struct guard_model_field *model_same_field(const struct guard_model *model,
                                                 const struct guard_model_endpoint *of,
                                                 const struct guard_model_field *field,
                                                 uint32_t *hint);

#endif
