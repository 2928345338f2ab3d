/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of a model as lists of their words, alike wherever what was learned is told. */
#ifndef GUARDD_MODEL_JSON_H
#define GUARDD_MODEL_JSON_H

#include "common/json_writer.h"

#include <stdint.h>

/* Bits per enum guard_type, enum guard_class, enum guard_likeness. */
void model_json_types(struct json_writer *json, const char *name, uint32_t types);
void model_json_classes(struct json_writer *json, const char *name, uint64_t classes);
void model_json_likeness(struct json_writer *json, const char *name, uint32_t likeness);

#endif
