/* SPDX-License-Identifier: Apache-2.0 */
/* Two trees side by side: members by name, lists by place as long as the same things stand there.
 */
#include "common/document_members.h"
#include "common/document_writer.h"
#include "common/inject/admission.h"

#include <stdio.h>
#include <string.h>

enum { POINTER_CAP = 2048 };

struct patching {
    char *out;
    size_t len;
    size_t max;
    bool overflow;
    struct guard_arena *arena;
    struct guard_err *err;
    char pointer[POINTER_CAP];
};

static void put(struct patching *patching, const void *text, size_t len)
{
    if (len > patching->max - patching->len) {
        patching->overflow = true;
        return;
    }
    memcpy(patching->out + patching->len, text, len);
    patching->len += len;
}

static void put_text(struct patching *patching, const char *text)
{
    put(patching, text, strlen(text));
}

/* The pointer is a text of JSON: what needs escaping there does in names, too. */
static enum guard_rc put_operation(struct patching *patching, const char *operation,
                                   const struct document_node *value)
{
    struct document_node name = {
        .kind = DOCUMENT_SCALAR,
        .quoted = true,
        .text = {(const uint8_t *)patching->pointer, strlen(patching->pointer)}};
    struct guard_span text;
    put_text(patching, patching->len == 1 ? "{\"op\":\"" : ",{\"op\":\"");
    put_text(patching, operation);
    put_text(patching, "\",\"path\":");
    GUARD_TRY(document_write(&name, DOCUMENT_JSON, patching->arena, &text, patching->err));
    put(patching, text.ptr, text.len);
    if (value != NULL) {
        put_text(patching, ",\"value\":");
        GUARD_TRY(document_write(value, DOCUMENT_JSON, patching->arena, &text, patching->err));
        put(patching, text.ptr, text.len);
    }
    put_text(patching, "}");
    return GUARD_OK;
}

/* Appends "/name"; false when it doesn't fit. */
static bool step(struct patching *patching, const char *name)
{
    size_t len = strlen(patching->pointer);
    if (len + 2 >= POINTER_CAP)
        return false;
    patching->pointer[len++] = '/';
    for (; *name != '\0' && len + 2 < POINTER_CAP; name++) {
        bool escaped = *name == '~' || *name == '/';
        patching->pointer[len++] = escaped ? '~' : *name;
        if (escaped)
            patching->pointer[len++] = *name == '~' ? '0' : '1';
    }
    patching->pointer[len] = '\0';
    return *name == '\0';
}

static enum guard_rc compare(struct patching *patching, const struct document_node *before,
                             const struct document_node *after);

static enum guard_rc at_name(struct patching *patching, const char *name, const char *operation,
                             const struct document_node *before, const struct document_node *after)
{
    size_t len = strlen(patching->pointer);
    if (!step(patching, name))
        return guard_fail(patching->err, GUARD_E_LIMIT, "a path of the patch is too long");
    enum guard_rc rc = operation != NULL ? put_operation(patching, operation, after)
                                         : compare(patching, before, after);
    patching->pointer[len] = '\0';
    return rc;
}

/* Nearly always what stands beside it; to search for each would take the square of their number. */
static const struct document_node *member_beside(const struct document_node *mapping,
                                                 const struct document_node *beside,
                                                 const char *name)
{
    bool there = beside != NULL && strcmp((const char *)beside->key->text.ptr, name) == 0;
    return there ? beside : member_of(mapping, name);
}

static enum guard_rc compare_mappings(struct patching *patching, const struct document_node *before,
                                      const struct document_node *after)
{
    const struct document_node *beside = after->first;
    for (const struct document_node *old = before->first; old != NULL; old = old->next) {
        const char *name = (const char *)old->key->text.ptr;
        const struct document_node *new = member_beside(after, beside, name);
        if (new == NULL)
            GUARD_TRY(at_name(patching, name, "remove", NULL, NULL));
        else
            beside = new->next;
    }
    beside = before->first;
    for (const struct document_node *new = after->first; new != NULL; new = new->next) {
        const char *name = (const char *)new->key->text.ptr;
        const struct document_node *old = member_beside(before, beside, name);
        GUARD_TRY(at_name(patching, name, old == NULL ? "add" : NULL, old, new));
        if (old != NULL)
            beside = old->next;
    }
    return GUARD_OK;
}

/* Elements that have names must have the same ones in the same order. */
static bool continues(const struct document_node *before, const struct document_node *after)
{
    const struct document_node *new = after->first;
    for (const struct document_node *old = before->first; old != NULL;
         old = old->next, new = new->next) {
        if (new == NULL || old->kind != new->kind)
            return false;
        if (old->kind == DOCUMENT_MAPPING && member_of(new, "name") != NULL &&
            strcmp(text_of(old, "name"), text_of(new, "name")) != 0)
            return false;
    }
    return true;
}

static enum guard_rc compare_lists(struct patching *patching, const struct document_node *before,
                                   const struct document_node *after)
{
    char index[16];
    uint32_t count = 0;
    if (!continues(before, after))
        return put_operation(patching, "replace", after);
    const struct document_node *old = before->first;
    for (const struct document_node *new = after->first; new != NULL; new = new->next) {
        snprintf(index, sizeof(index), "%u", count++);
        GUARD_TRY(old != NULL ? at_name(patching, index, NULL, old, new)
                              : at_name(patching, "-", "add", NULL, new));
        old = old != NULL ? old->next : NULL;
    }
    return GUARD_OK;
}

static enum guard_rc compare(struct patching *patching, const struct document_node *before,
                             const struct document_node *after)
{
    if (before->kind == DOCUMENT_MAPPING && after->kind == DOCUMENT_MAPPING)
        return compare_mappings(patching, before, after);
    if (before->kind == DOCUMENT_SEQUENCE && after->kind == DOCUMENT_SEQUENCE)
        return compare_lists(patching, before, after);
    if (before->kind == after->kind && before->quoted == after->quoted &&
        before->text.len == after->text.len &&
        memcmp(before->text.ptr, after->text.ptr, after->text.len) == 0)
        return GUARD_OK;
    return put_operation(patching, "replace", after);
}

enum guard_rc inject_patch(const struct document_node *before, const struct document_node *after,
                           size_t max, struct guard_arena *arena, struct guard_span *out,
                           struct guard_err *err)
{
    struct patching patching = {.max = max, .arena = arena, .err = err};
    patching.out = guard_arena_get(arena, max);
    if (patching.out == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    put_text(&patching, "[");
    GUARD_TRY(compare(&patching, before, after));
    bool nothing = patching.len == 1;
    put_text(&patching, "]");
    if (patching.overflow)
        return guard_fail(err, GUARD_E_LIMIT, "the patch has more than %zu bytes", max);
    *out = (struct guard_span){(const uint8_t *)patching.out, nothing ? 0 : patching.len};
    return GUARD_OK;
}
