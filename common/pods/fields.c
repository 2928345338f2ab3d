/* SPDX-License-Identifier: Apache-2.0 */
/* One reader and one writer for each form. */
#include "common/pods/fields.h"

#include "common/document_members.h"
#include "common/pods/orders.h"

#include <stdlib.h>
#include <string.h>

/* Until this the texts of times have years of four digits. */
static const uint64_t TIME_END_MS = UINT64_C(253402300800000);

#define FAIL(node, rc, ...) document_fail_member(document, node, rc, err, __VA_ARGS__)

/* Whole, without sign, fraction and exponent. */
static bool whole(const struct document_node *node, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (node->kind != DOCUMENT_SCALAR || node->quoted || node->text.len == 0 || node->text.len > 15)
        return false;
    for (size_t i = 0; i < node->text.len; i++) {
        if (node->text.ptr[i] < '0' || node->text.ptr[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(node->text.ptr[i] - '0');
    }
    *out = value;
    return value <= max;
}

static bool text_fits(enum pod_field_form form, struct guard_span text)
{
    switch (form) {
    case POD_FIELD_ID:
        return pod_order_id_valid(text);
    case POD_FIELD_NAME:
        return pod_order_name_valid(text);
    case POD_FIELD_SERVICE:
        return state_service_valid(text);
    case POD_FIELD_VERSION:
    case POD_FIELD_TEXT:
    case POD_FIELD_COUNT:
    case POD_FIELD_TIME:
    case POD_FIELD_SHARE:
    case POD_FIELD_BOOL:
        break;
    }
    return pod_order_text_valid(text);
}

static enum guard_rc read_text(const struct document *document, const struct document_node *node,
                               const struct pod_field *field, char *out, struct guard_err *err)
{
    if (node->kind != DOCUMENT_SCALAR || !node->quoted)
        return FAIL(node, GUARD_E_SYNTAX, "no text");
    if (node->text.len >= field->size)
        return FAIL(node, GUARD_E_RANGE, "too long");
    if (memchr(node->text.ptr, '\0', node->text.len) != NULL || !text_fits(field->form, node->text))
        return FAIL(node, GUARD_E_RANGE, "can't be that");
    memcpy(out, node->text.ptr, node->text.len);
    out[node->text.len] = '\0';
    return GUARD_OK;
}

static enum guard_rc read_share(const struct document *document, const struct document_node *node,
                                double *out, struct guard_err *err)
{
    char *end = NULL;
    const char *text =
        node->kind == DOCUMENT_SCALAR && !node->quoted ? (const char *)node->text.ptr : "";
    double share = strtod(text, &end);
    /* No words and no other bases: to strtod "nan", "infinity" and "0x1" are numbers. */
    if (text[strspn(text, "0123456789.eE+-")] != '\0' || text[0] < '0' || text[0] > '9' ||
        *end != '\0' || !(share >= 0 && share <= 1))
        return FAIL(node, GUARD_E_RANGE, "no number from 0 to 1");
    *out = share;
    return GUARD_OK;
}

static enum guard_rc read_bool(const struct document *document, const struct document_node *node,
                               bool *out, struct guard_err *err)
{
    const char *text =
        node->kind == DOCUMENT_SCALAR && !node->quoted ? (const char *)node->text.ptr : "";
    *out = strcmp(text, "true") == 0;
    return *out || strcmp(text, "false") == 0
               ? GUARD_OK
               : FAIL(node, GUARD_E_SYNTAX, "neither true nor false");
}

enum guard_rc pod_fields_time(const struct document *document, const struct document_node *node,
                              uint64_t *out, struct guard_err *err)
{
    return whole(node, TIME_END_MS - 1, out)
               ? GUARD_OK
               : FAIL(node, GUARD_E_RANGE, "no whole number of milliseconds");
}

static enum guard_rc read_field(const struct document *document, const struct document_node *node,
                                const struct pod_field *field, void *out, struct guard_err *err)
{
    void *place = (uint8_t *)out + field->at;
    uint64_t number = 0;
    switch (field->form) {
    case POD_FIELD_TIME:
        return pod_fields_time(document, node, place, err);
    case POD_FIELD_SHARE:
        return read_share(document, node, place, err);
    case POD_FIELD_BOOL:
        return read_bool(document, node, place, err);
    case POD_FIELD_VERSION:
        return whole(node, UINT32_MAX, &number) && number == field->max
                   ? GUARD_OK
                   : FAIL(node, GUARD_E_VERSION, "another one than %u", field->max);
    case POD_FIELD_COUNT:
        if (!whole(node, field->max, &number))
            return FAIL(node, GUARD_E_RANGE, "no whole number up to %u", field->max);
        *(uint32_t *)place = (uint32_t)number;
        return GUARD_OK;
    case POD_FIELD_ID:
    case POD_FIELD_NAME:
    case POD_FIELD_SERVICE:
    case POD_FIELD_TEXT:
        break;
    }
    return read_text(document, node, field, place, err);
}

static bool is_known(const struct document_node *member, const struct pod_field *fields,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp((const char *)member->key->text.ptr, fields[i].name) == 0)
            return true;
    }
    return false;
}

enum guard_rc pod_fields_read(const struct document *document, const struct document_node *node,
                              const struct pod_field *fields, size_t count, bool others, void *out,
                              struct guard_err *err)
{
    if (node->kind != DOCUMENT_MAPPING)
        return FAIL(node, GUARD_E_SYNTAX, "no object");
    for (size_t i = 0; i < count; i++) {
        const struct document_node *member = member_of(node, fields[i].name);
        if (member == NULL)
            return FAIL(node, GUARD_E_SYNTAX, "%s is missing", fields[i].name);
        GUARD_TRY(read_field(document, member, &fields[i], out, err));
    }
    for (const struct document_node *member = node->first; !others && member != NULL;
         member = member->next) {
        if (!is_known(member, fields, count))
            return FAIL(member, GUARD_E_RANGE, "isn't known");
    }
    return GUARD_OK;
}

void pod_fields_write(struct json_writer *json, const struct pod_field *fields, size_t count,
                      const void *from)
{
    for (size_t i = 0; i < count; i++) {
        const struct pod_field *field = &fields[i];
        const void *place = (const uint8_t *)from + field->at;
        switch (field->form) {
        case POD_FIELD_VERSION:
            json_integer(json, field->name, field->max);
            break;
        case POD_FIELD_COUNT:
            json_integer(json, field->name, *(const uint32_t *)place);
            break;
        case POD_FIELD_TIME:
            json_integer(json, field->name, (int64_t) * (const uint64_t *)place);
            break;
        case POD_FIELD_SHARE:
            json_number(json, field->name, *(const double *)place);
            break;
        case POD_FIELD_BOOL:
            json_bool(json, field->name, *(const bool *)place);
            break;
        case POD_FIELD_ID:
        case POD_FIELD_NAME:
        case POD_FIELD_SERVICE:
        case POD_FIELD_TEXT:
            json_text(json, field->name, place);
            break;
        }
    }
}
