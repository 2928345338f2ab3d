/* SPDX-License-Identifier: Apache-2.0 */
/* In the order of their numbers, so that the same set is the same text. */
#include "model_json.h"

#include <guard/likeness.h>
#include <guard/model.h>

void model_json_types(struct json_writer *json, const char *name, uint32_t types)
{
    json_open(json, name, '[');
    for (int i = 0; i < GUARD_TYPE_COUNT; i++) {
        if ((types >> i & 1) != 0)
            json_text(json, NULL, guard_type_name((enum guard_type)i));
    }
    json_close(json, ']');
}

void model_json_classes(struct json_writer *json, const char *name, uint64_t classes)
{
    json_open(json, name, '[');
    for (int i = 0; i < GUARD_CLASS_COUNT; i++) {
        char text[16];
        if ((classes >> i & 1) == 0)
            continue;
        guard_class_name((enum guard_class)i, text);
        json_text(json, NULL, text);
    }
    json_close(json, ']');
}

void model_json_likeness(struct json_writer *json, const char *name, uint32_t likeness)
{
    json_open(json, name, '[');
    for (int i = 0; i < GUARD_LIKENESS_COUNT; i++) {
        if ((likeness >> i & 1) != 0)
            json_text(json, NULL, guard_likeness_name((enum guard_likeness)i));
    }
    json_close(json, ']');
}
