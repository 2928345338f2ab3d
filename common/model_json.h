/* SPDX-License-Identifier: Apache-2.0 */
/* What was learned as JSON: sets as lists of their words, fields, endpoints, how numbers are
 * spread; alike wherever it is told. Of values no text, only how many different ones there are. */
#ifndef GUARD_COMMON_MODEL_JSON_H
#define GUARD_COMMON_MODEL_JSON_H

#include "common/json_writer.h"

#include <guard/model.h>

enum {
    MODEL_JSON_BUCKET_MAX = 96,          /* bytes of one */
    MODEL_JSON_LENGTHS_MAX = 128,        /* buckets of a number, of depths 256 */
    MODEL_JSON_FIELD_MAX = 64 * 1024,    /* one field with all of its numbers */
    MODEL_JSON_ENDPOINT_MAX = 128 * 1024 /* an endpoint or response without fields */
};

/* Bits per enum guard_type, enum guard_class, enum guard_likeness. */
void model_json_types(struct json_writer *json, const char *name, uint32_t types);
void model_json_classes(struct json_writer *json, const char *name, uint64_t classes);
void model_json_likeness(struct json_writer *json, const char *name, uint32_t likeness);
/* An object of an array. in_force: the same in the model that gates enforce, or NULL. support: D of
 * the service. */
void model_json_field(struct json_writer *json, const struct guard_model_field *field,
                      const struct guard_model_field *in_force, uint32_t support);
/* The members of an endpoint, into an object that is open; its fields and responses apart. */
void model_json_endpoint(struct json_writer *json, const struct guard_model_endpoint *endpoint,
                         const struct guard_model_endpoint *in_force);
/* A response, as an object of an array. */
void model_json_answer(struct json_writer *json, const struct guard_model_endpoint *answer,
                       const struct guard_model_endpoint *in_force);

#endif
