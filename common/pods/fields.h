/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a JSON object and their places in a structure: what guardd and the responder tell each
 * other is read and written by the same table, so that the one side reads what the other writes. */
#ifndef GUARD_COMMON_PODS_FIELDS_H
#define GUARD_COMMON_PODS_FIELDS_H

#include "common/document.h"
#include "common/json_writer.h"

#include <stddef.h>

enum pod_field_form {
    POD_FIELD_VERSION, /* max, and no other one */
    POD_FIELD_ID,      /* char[]: as an order's */
    POD_FIELD_NAME,    /* char[]: as in pod records */
    POD_FIELD_SERVICE, /* char[] */
    POD_FIELD_TEXT,    /* char[]: UTF-8 without control characters, or empty */
    POD_FIELD_COUNT,   /* uint32_t up to max */
    POD_FIELD_TIME,    /* uint64_t: milliseconds, of a time or since 1970, up to the year 9999 */
    POD_FIELD_SHARE,   /* double: 0 to 1 */
    POD_FIELD_BOOL,
};

struct pod_field {
    const char *name;
    enum pod_field_form form;
    size_t at, size; /* offsetof, and room of a text with its NUL */
    uint32_t max;
};

#define POD_FIELD(name, form, type, member, max)                                                   \
    {                                                                                              \
        name, form, offsetof(struct type, member), sizeof(((struct type *)0)->member), max         \
    }

/* Hostile input: each field must be there. others: members that no field has are passed over, else
 * refused. GUARD_E_SYNTAX, GUARD_E_RANGE, GUARD_E_VERSION with the place. */
GUARD_MUST_USE enum guard_rc pod_fields_read(const struct document *document,
                                             const struct document_node *node,
                                             const struct pod_field *fields, size_t count,
                                             bool others, void *out, struct guard_err *err);
/* A whole number of milliseconds, as POD_FIELD_TIME. */
GUARD_MUST_USE enum guard_rc pod_fields_time(const struct document *document,
                                             const struct document_node *node, uint64_t *out,
                                             struct guard_err *err);
/* Into an object that is open; what can't be read again becomes nothing worse than refused there.
 */
void pod_fields_write(struct json_writer *json, const struct pod_field *fields, size_t count,
                      const void *from);

#endif
