/* SPDX-License-Identifier: Apache-2.0 */
/* Words for what is normal. */
#include "common/model_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *ptr;
    size_t len;
};

static void put(struct text *text, const char *format, ...) GUARD_PRINTF(2, 3);

static void put(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = MODEL_TEXT_MAX - text->len;
    int len = vsnprintf(text->ptr + text->len, room, format, args);
    va_end(args);
    if (len > 0)
        text->len += (size_t)len < room ? (size_t)len : room - 1;
}

static void put_types(struct text *text, uint32_t types)
{
    const char *comma = "";
    for (int type = 0; type < GUARD_TYPE_COUNT; type++) {
        if ((types >> type & 1) != 0) {
            put(text, "%s%s", comma, guard_type_name((enum guard_type)type));
            comma = "|";
        }
    }
    if (types == 0)
        put(text, "no type yet");
}

static void put_classes(struct text *text, const char *label, uint64_t classes)
{
    if (classes == 0)
        return;
    put(text, "%s", label);
    for (int cls = 0; cls < GUARD_CLASS_COUNT; cls++) {
        if ((classes >> cls & 1) != 0) {
            char name[16];
            guard_class_name((enum guard_class)cls, name);
            put(text, " %s", name);
        }
    }
}

static void put_norm(struct text *text, const struct guard_model_field *field)
{
    put_types(text, field->types);
    put_classes(text, ";", field->classes);
    if (field->length_max > 0)
        put(text, "; %" PRIu32 "..%" PRIu32 " bytes", field->length_min, field->length_max);
    if (field->items_max > 1)
        put(text, "; up to %" PRIu32 " items", field->items_max);
    if (field->closed)
        put(text, "; one of %" PRIu32 " values", field->literal_count);
    if (field->required)
        put(text, "; required");
}

void model_field_norm(const struct guard_model_field *field, char out[MODEL_TEXT_MAX])
{
    struct text text = {out, 0};
    out[0] = '\0';
    if (!field->trusted)
        put(&text, "pending");
    else
        put_norm(&text, field);
}

void model_field_text(const struct guard_model_field *field, char out[MODEL_TEXT_MAX])
{
    struct text text = {out, 0};
    out[0] = '\0';
    if (!field->trusted)
        put(&text, "pending: ");
    put_norm(&text, field);
    put_classes(&text, "; pending", field->pending_classes);
    put(&text, "; %" PRIu64 " values from %" PRIu32 " clients", field->values, field->clients);
}
