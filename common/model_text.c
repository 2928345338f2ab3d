/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what is normal. */
#include "common/model_text.h"

#include "common/text_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void put_types(struct text_line *text, uint32_t types)
{
    const char *comma = "";
    for (int type = 0; type < GUARD_TYPE_COUNT; type++) {
        if ((types >> type & 1) != 0) {
            text_line_put(text, "%s%s", comma, guard_type_name((enum guard_type)type));
            comma = "|";
        }
    }
    if (types == 0)
        text_line_put(text, "no type yet");
}

static void put_classes(struct text_line *text, const char *label, uint64_t classes)
{
    if (classes == 0)
        return;
    text_line_put(text, "%s", label);
    for (int cls = 0; cls < GUARD_CLASS_COUNT; cls++) {
        if ((classes >> cls & 1) != 0) {
            char name[16];
            guard_class_name((enum guard_class)cls, name);
            text_line_put(text, " %s", name);
        }
    }
}

static void put_norm(struct text_line *text, const struct guard_model_field *field)
{
    put_types(text, field->types);
    put_classes(text, ";", field->classes);
    if (field->length_max > 0)
        text_line_put(text, "; %" PRIu32 "..%" PRIu32 " bytes", field->length_min,
                      field->length_max);
    if (field->items_max > 1)
        text_line_put(text, "; up to %" PRIu32 " items", field->items_max);
    if (field->closed)
        text_line_put(text, "; one of %" PRIu32 " values", field->literal_count);
    if (field->required)
        text_line_put(text, "; required");
}

void model_field_norm(const struct guard_model_field *field, char out[MODEL_TEXT_MAX])
{
    struct text_line text = {out, MODEL_TEXT_MAX, 0};
    out[0] = '\0';
    if (!field->trusted)
        text_line_put(&text, "pending");
    else
        put_norm(&text, field);
}

void model_field_text(const struct guard_model_field *field, char out[MODEL_TEXT_MAX])
{
    struct text_line text = {out, MODEL_TEXT_MAX, 0};
    out[0] = '\0';
    if (!field->trusted)
        text_line_put(&text, "pending: ");
    put_norm(&text, field);
    put_classes(&text, "; pending", field->pending_classes);
    text_line_put(&text, "; %" PRIu64 " values from %" PRIu32 " clients", field->values,
                  field->clients);
}
