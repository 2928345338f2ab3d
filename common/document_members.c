/* SPDX-License-Identifier: Apache-2.0 */
/* Members by name; what isn't there reads as nothing. */
#include "common/document_members.h"

#include "common/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct document_node *member_of(const struct document_node *mapping, const char *name)
{
    if (mapping == NULL || mapping->kind != DOCUMENT_MAPPING)
        return NULL;
    for (const struct document_node *node = mapping->first; node != NULL; node = node->next) {
        if (strcmp((const char *)node->key->text.ptr, name) == 0)
            return node;
    }
    return NULL;
}

const struct document_node *child_of(const struct document_node *mapping, const char *name,
                                     enum document_kind kind)
{
    const struct document_node *node = member_of(mapping, name);
    return node != NULL && node->kind == kind ? node : NULL;
}

bool true_in(const struct document_node *mapping, const char *name)
{
    const struct document_node *node = child_of(mapping, name, DOCUMENT_SCALAR);
    return node != NULL && !node->quoted && strcmp((const char *)node->text.ptr, "true") == 0;
}

const char *text_of(const struct document_node *mapping, const char *name)
{
    const struct document_node *node = member_of(mapping, name);
    return node != NULL && node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
}

double number_of(const struct document_node *mapping, const char *name)
{
    return strtod(text_of(mapping, name), NULL);
}

int64_t whole_of(const struct document_node *mapping, const char *name)
{
    double number = number_of(mapping, name);
    if (number != number)
        return 0;
    /* 2^63 is a double, the greatest int64_t isn't. */
    if (number >= 9223372036854775808.0)
        return INT64_MAX;
    return number < -9223372036854775808.0 ? INT64_MIN : (int64_t)number;
}

enum guard_rc document_load(struct document *out, const char *path, struct guard_arena *arena,
                            struct guard_err *err)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    errno = 0;
    GUARD_TRY(file_read(path, DOCUMENT_BYTES_MAX, &bytes, &len, err));
    enum guard_rc rc = document_parse(out, path, (struct guard_span){bytes, len}, arena, err);
    free(bytes);
    errno = 0;
    return rc;
}
