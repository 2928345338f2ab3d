/* SPDX-License-Identifier: Apache-2.0 */
/* Members of patches, each refused with its place and path. */
#include "common/guardian_patch_members.h"

#include "common/traffic/timestamp.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBER_DIGITS_MAX = 15 };

enum guard_rc patch_read_members(const struct patch_reading *reading,
                                 const struct document_node *node,
                                 const struct patch_member *members, void *target)
{
    if (node->kind != DOCUMENT_MAPPING)
        return PATCH_FAIL(reading, node, GUARD_E_SYNTAX, "must be a mapping");
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        const struct patch_member *member = members;
        while (member->name != NULL && (child->key->text.len != strlen(member->name) ||
                                        strcmp((const char *)child->key->text.ptr, member->name)))
            member++;
        if (member->name == NULL)
            return PATCH_FAIL(reading, child->key, GUARD_E_SYNTAX, "unknown member");
        GUARD_TRY(member->read(reading, child, target, member->argument));
    }
    return GUARD_OK;
}

enum guard_rc patch_read_bytes(const struct patch_reading *reading,
                               const struct document_node *node, size_t max, struct guard_span *out)
{
    if (node->kind != DOCUMENT_SCALAR)
        return PATCH_FAIL(reading, node, GUARD_E_SYNTAX, "must be a text");
    if (node->bytes.len == 0 || node->bytes.len > max)
        return PATCH_FAIL(reading, node, GUARD_E_LIMIT, "must have 1 to %zu bytes", max);
    *out = node->bytes;
    return GUARD_OK;
}

enum guard_rc patch_read_text(const struct patch_reading *reading, const struct document_node *node,
                              size_t max, struct guard_span *out)
{
    GUARD_TRY(patch_read_bytes(reading, node, max, out));
    return memchr(out->ptr, '\0', out->len) == NULL
               ? GUARD_OK
               : PATCH_FAIL(reading, node, GUARD_E_RANGE, "must not have a NUL");
}

enum guard_rc patch_array(const struct patch_reading *reading, const struct document_node *node,
                          size_t size, uint32_t count, void **out)
{
    *out = guard_arena_get(reading->document->arena, size * count + 1);
    if (*out == NULL)
        return PATCH_FAIL(reading, node, GUARD_E_NOMEM, "no memory");
    memset(*out, 0, size * count + 1);
    return GUARD_OK;
}

/* The first element of a list, or what stands there for a list of one. *count: how many. */
static enum guard_rc elements(const struct patch_reading *reading, const struct document_node *node,
                              const struct document_node **first, uint32_t *count)
{
    bool list = node->kind == DOCUMENT_SEQUENCE;
    *first = list ? node->first : node;
    *count = list ? node->count : 1;
    if (*count == 0 || *count > GUARD_PATCH_LIST_MAX)
        return PATCH_FAIL(reading, node, GUARD_E_LIMIT, "must have 1 to %d elements",
                          GUARD_PATCH_LIST_MAX);
    return GUARD_OK;
}

enum guard_rc patch_read_list(const struct patch_reading *reading, const struct document_node *node,
                              const struct guard_span **out, uint32_t *count)
{
    const struct document_node *element;
    void *array = NULL;
    GUARD_TRY(elements(reading, node, &element, count));
    GUARD_TRY(patch_array(reading, node, sizeof(**out), *count, &array));
    struct guard_span *spans = array;
    *out = spans;
    for (uint32_t i = 0; i < *count; i++, element = element->next)
        GUARD_TRY(patch_read_bytes(reading, element, GUARD_PATCH_TEXT_MAX, &spans[i]));
    return GUARD_OK;
}

enum guard_rc patch_read_bits(const struct patch_reading *reading, const struct document_node *node,
                              uint32_t (*bit_of)(struct guard_span word), const char *words,
                              uint32_t *out)
{
    const struct document_node *element;
    uint32_t count = 0;
    GUARD_TRY(elements(reading, node, &element, &count));
    for (uint32_t i = 0; i < count; i++, element = element->next) {
        uint32_t bit = element->kind == DOCUMENT_SCALAR ? bit_of(element->text) : 0;
        if (bit == 0)
            return PATCH_FAIL(reading, element, GUARD_E_RANGE, "must be %s", words);
        *out |= bit;
    }
    return GUARD_OK;
}

enum guard_rc patch_read_word(const struct patch_reading *reading, const struct document_node *node,
                              int (*number_of)(struct guard_span word), const char *words, int *out)
{
    *out = node->kind == DOCUMENT_SCALAR ? number_of(node->text) : -1;
    return *out >= 0 ? GUARD_OK : PATCH_FAIL(reading, node, GUARD_E_RANGE, "must be %s", words);
}

static bool is_word(const struct document_node *node, const char *word)
{
    return node->kind == DOCUMENT_SCALAR && !node->quoted && node->text.len == strlen(word) &&
           memcmp(node->text.ptr, word, node->text.len) == 0;
}

enum guard_rc patch_read_bool(const struct patch_reading *reading, const struct document_node *node,
                              bool *out)
{
    *out = is_word(node, "true");
    return *out || is_word(node, "false")
               ? GUARD_OK
               : PATCH_FAIL(reading, node, GUARD_E_RANGE, "must be true or false");
}

enum guard_rc patch_read_number(const struct patch_reading *reading,
                                const struct document_node *node, int64_t *out)
{
    int64_t value = 0;
    bool good = node->kind == DOCUMENT_SCALAR && !node->quoted && node->text.len > 0 &&
                node->text.len <= NUMBER_DIGITS_MAX;
    for (size_t i = 0; good && i < node->text.len; i++) {
        good = node->text.ptr[i] >= '0' && node->text.ptr[i] <= '9';
        value = value * 10 + (node->text.ptr[i] - '0');
    }
    *out = value;
    return good ? GUARD_OK
                : PATCH_FAIL(reading, node, GUARD_E_RANGE,
                             "must be a whole number from 0, of at most %d digits",
                             NUMBER_DIGITS_MAX);
}

enum guard_rc patch_read_time(const struct patch_reading *reading, const struct document_node *node,
                              uint64_t *out_ms)
{
    enum { DATE_LEN = 10, TIME_MAX = 48 };
    static const char midnight[] = "T00:00:00Z";
    char text[DATE_LEN + sizeof(midnight)];
    struct guard_span said = node->text;
    if (node->kind == DOCUMENT_SCALAR && said.len == DATE_LEN) {
        memcpy(text, said.ptr, DATE_LEN);
        memcpy(text + DATE_LEN, midnight, sizeof(midnight));
        said = (struct guard_span){(const uint8_t *)text, sizeof(text) - 1};
    }
    if (node->kind != DOCUMENT_SCALAR || said.len > TIME_MAX || !timestamp_iso8601(said, out_ms) ||
        *out_ms == 0)
        return PATCH_FAIL(reading, node, GUARD_E_RANGE,
                          "must be a date (2027-01-31) or a time (2027-01-31T12:00:00Z)");
    return GUARD_OK;
}

/* --- complaints of rules --- */

static const struct document_node *child_named(const struct document_node *node, const char *name,
                                               size_t len)
{
    for (const struct document_node *child = node->first; child != NULL; child = child->next) {
        if (child->key->text.len == len && memcmp(child->key->text.ptr, name, len) == 0)
            return child;
    }
    return NULL;
}

/* Takes "when", ".all" or "[2]" off *path. Of what isn't there the node around it is meant, as of
 * "names[0]" when names is no list. */
static const struct document_node *step(const struct document_node *node, const char **path)
{
    const struct document_node *child = NULL;
    if (**path == '[') {
        unsigned long index = strtoul(*path + 1, NULL, 10);
        *path += strcspn(*path, "]");
        *path += **path == ']';
        child = node->kind == DOCUMENT_SEQUENCE ? node->first : NULL;
        for (; child != NULL && index > 0; index--)
            child = child->next;
    } else {
        *path += **path == '.';
        size_t len = strcspn(*path, ".[");
        child = node->kind == DOCUMENT_MAPPING ? child_named(node, *path, len) : NULL;
        *path += len;
    }
    return child != NULL ? child : node;
}

enum guard_rc patch_fail_rule(const struct patch_reading *reading, const struct document_node *node,
                              enum guard_rc rc, const char *complaint)
{
    char path[sizeof(reading->err->text)];
    size_t len = strcspn(complaint, ": ");
    if (strncmp(complaint + len, ": ", 2) != 0)
        return PATCH_FAIL(reading, node, rc, "%s", complaint);
    memcpy(path, complaint, len);
    path[len] = '\0';
    for (const char *rest = path; *rest != '\0';)
        node = step(node, &rest);
    return PATCH_FAIL(reading, node, rc, "%s", complaint + len + 2);
}
