/* SPDX-License-Identifier: Apache-2.0 */
/* Edits lines, then reads what came of it: only a text that says what is wanted is taken, so that
 * the edits may be as simple as documents usually are. */
#include "common/guardian_edit.h"

#include "common/document_members.h"
#include "common/guardian.h"
#include "common/guardian_exception.h"
#include "common/guardian_patch.h"
#include "common/guardian_patch_words.h"

#include <stdio.h>
#include <string.h>

/* From one byte of the text to another, something else. */
struct edit {
    size_t from;
    size_t to;
    struct guard_span with;
};

/* A list of a Guardian whose elements have ids. */
struct kind {
    const char *member;
    uint32_t (*count)(const struct guard_guardian *guardian);
    struct guard_span (*id)(const struct guard_guardian *guardian, uint32_t index);
    /* Those from first on as elements of a list; see patches_put. */
    size_t (*put)(char *text, size_t cap, const struct guard_guardian *guardian, uint32_t first,
                  uint32_t count, unsigned indent);
};

struct editing {
    const struct kind *kind;
    struct guard_span text;
    const struct guard_guardian *now;
    const struct guard_guardian *wanted;
    struct guard_arena *arena;
    struct guard_err *err;
    struct edit *edits; /* in the text's order */
    uint32_t count;
};

/* The byte at which a line, from 1, begins; the text's end behind the last one. */
static size_t line_begin(struct guard_span text, uint32_t line)
{
    size_t at = 0;
    for (; line > 1 && at < text.len; line--) {
        const uint8_t *end = memchr(text.ptr + at, '\n', text.len - at);
        at = end != NULL ? (size_t)(end - text.ptr) + 1 : text.len;
    }
    return at;
}

/* Columns count characters. */
static size_t byte_of(struct guard_span text, const struct document_node *node)
{
    size_t at = line_begin(text, node->line);
    for (uint32_t column = 1; column < node->column && at < text.len; column++) {
        at++;
        while (at < text.len && (text.ptr[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

enum { NONE = -1 };

/* The index of the element with that id, or NONE. */
static int64_t find(const struct editing *editing, const struct guard_guardian *guardian,
                    struct guard_span id)
{
    for (uint32_t i = 0; i < editing->kind->count(guardian); i++) {
        struct guard_span one = editing->kind->id(guardian, i);
        if (one.len == id.len && memcmp(one.ptr, id.ptr, id.len) == 0)
            return i;
    }
    return NONE;
}

static enum guard_rc no_memory(struct editing *editing)
{
    return guard_fail(editing->err, GUARD_E_NOMEM, "no memory");
}

/* Some of a Guardian's as elements of the list, each line indented so. */
static enum guard_rc elements(struct editing *editing, const struct guard_guardian *guardian,
                              uint32_t first, uint32_t count, unsigned indent, const char *before,
                              struct guard_span *out)
{
    size_t begin = strlen(before);
    size_t cap = begin + editing->kind->put(NULL, 0, guardian, first, count, indent) + 1;
    char *text = guard_arena_get(editing->arena, cap);
    if (text == NULL)
        return no_memory(editing);
    memcpy(text, before, begin);
    size_t len = editing->kind->put(text + begin, cap - begin, guardian, first, count, indent);
    *out = (struct guard_span){(const uint8_t *)text, begin + len};
    return GUARD_OK;
}

/* Where the dash of an element stands in its line. */
static unsigned dash(struct guard_span text, const struct document_node *element)
{
    size_t begin = line_begin(text, element->line);
    unsigned indent = 0;
    while (begin + indent < text.len && text.ptr[begin + indent] == ' ')
        indent++;
    return indent;
}

static void add(struct editing *editing, size_t from, size_t to, struct guard_span with)
{
    editing->edits[editing->count++] = (struct edit){from, to, with};
}

static enum guard_rc same(struct editing *editing, const struct guard_guardian *a, uint32_t at_a,
                          const struct guard_guardian *b, uint32_t at_b, bool *out)
{
    struct guard_span left;
    struct guard_span right;
    GUARD_TRY(elements(editing, a, at_a, 1, 0, "", &left));
    GUARD_TRY(elements(editing, b, at_b, 1, 0, "", &right));
    *out = left.len == right.len && memcmp(left.ptr, right.ptr, left.len) == 0;
    return GUARD_OK;
}

/* The word alone is replaced, or said before the first member. */
static enum guard_rc edit_mode(struct editing *editing, const struct document_node *element,
                               enum guard_patch_mode mode)
{
    enum { MARGIN = 64 };
    const char *word = patch_mode_word(mode);
    const struct document_node *said = member_of(element, "mode");
    if (said != NULL) {
        size_t at = byte_of(editing->text, said);
        add(editing, at, at + said->text.len + (said->quoted ? 2 : 0),
            (struct guard_span){(const uint8_t *)word, strlen(word)});
        return GUARD_OK;
    }
    size_t at = byte_of(editing->text, element->first->key);
    bool flow = editing->text.ptr[byte_of(editing->text, element)] == '{';
    size_t indent = flow ? 0 : element->first->key->column - 1;
    size_t cap = MARGIN + indent;
    char *text = guard_arena_get(editing->arena, cap);
    if (text == NULL)
        return no_memory(editing);
    int len = snprintf(text, cap, "mode: %s%s%*s", word, flow ? ", " : "\n", (int)indent, "");
    add(editing, at, at, (struct guard_span){(const uint8_t *)text, (size_t)len});
    return GUARD_OK;
}

/* Whether nothing but the mode of a patch is to change; then it is done. */
static enum guard_rc try_mode(struct editing *editing, const struct document_node *element,
                              uint32_t now, uint32_t wanted, bool *done)
{
    if (editing->now->patch_count == 0 || strcmp(editing->kind->member, "patches") != 0) {
        *done = false;
        return GUARD_OK;
    }
    struct guard_patch moded = editing->now->patches[now];
    moded.mode = editing->wanted->patches[wanted].mode;
    const struct guard_guardian holder = {.patches = &moded, .patch_count = 1};
    GUARD_TRY(same(editing, &holder, 0, editing->wanted, wanted, done));
    return *done ? edit_mode(editing, element, moded.mode) : GUARD_OK;
}

static enum guard_rc edit_element(struct editing *editing, const struct document_node *element)
{
    const int64_t now = find(editing, editing->now, member_of(element, "id")->bytes);
    const int64_t wanted = find(editing, editing->wanted, member_of(element, "id")->bytes);
    size_t from = line_begin(editing->text, element->line);
    size_t to = line_begin(editing->text, element->last_line + 1);
    bool equal = false;
    if (now == NONE || wanted == NONE) {
        add(editing, from, to, (struct guard_span){NULL, 0});
        return GUARD_OK;
    }
    GUARD_TRY(
        same(editing, editing->now, (uint32_t)now, editing->wanted, (uint32_t)wanted, &equal));
    if (!equal)
        GUARD_TRY(try_mode(editing, element, (uint32_t)now, (uint32_t)wanted, &equal));
    if (equal)
        return GUARD_OK;
    struct guard_span with;
    GUARD_TRY(elements(editing, editing->wanted, (uint32_t)wanted, 1, dash(editing->text, element),
                       "", &with));
    add(editing, from, to, with);
    return GUARD_OK;
}

/* New ones stand behind all others, in wanted, too. */
static enum guard_rc append(struct editing *editing, const struct document_node *list)
{
    const struct document_node *last = list != NULL ? list->first : NULL;
    const struct guard_guardian *wanted = editing->wanted;
    const struct kind *kind = editing->kind;
    const uint32_t total = kind->count(wanted);
    char before[64];
    struct guard_span with;
    uint32_t first = total;
    while (first > 0 && find(editing, editing->now, kind->id(wanted, first - 1)) == NONE)
        first--;
    if (first == total)
        return GUARD_OK;
    while (last != NULL && last->next != NULL)
        last = last->next;
    size_t at = last != NULL ? line_begin(editing->text, last->last_line + 1) : editing->text.len;
    bool broken = at > 0 && editing->text.ptr[at - 1] != '\n';
    snprintf(before, sizeof(before), "%s%s%s", broken ? "\n" : "", last != NULL ? "" : kind->member,
             last != NULL ? "" : ":\n");
    GUARD_TRY(elements(editing, wanted, first, total - first,
                       last != NULL ? dash(editing->text, last) : 0, before, &with));
    add(editing, at, at, with);
    return GUARD_OK;
}

static enum guard_rc apply(struct editing *editing, struct guard_span *out)
{
    size_t len = editing->text.len;
    for (uint32_t i = 0; i < editing->count; i++)
        len += editing->edits[i].with.len;
    uint8_t *text = guard_arena_get(editing->arena, len + 1);
    if (text == NULL)
        return no_memory(editing);
    size_t at = 0;
    len = 0;
    for (uint32_t i = 0; i <= editing->count; i++) {
        const struct edit *edit = i < editing->count ? &editing->edits[i] : NULL;
        size_t until = edit != NULL ? edit->from : editing->text.len;
        if (until > at) {
            memcpy(text + len, editing->text.ptr + at, until - at);
            len += until - at;
        }
        if (edit != NULL && edit->with.len > 0) {
            memcpy(text + len, edit->with.ptr, edit->with.len);
            len += edit->with.len;
        }
        at = edit != NULL && edit->to > at ? edit->to : at;
    }
    *out = (struct guard_span){text, len};
    return GUARD_OK;
}

static enum guard_rc edit_lines(struct editing *editing, struct guard_span *out)
{
    struct document document;
    GUARD_TRY(document_parse(&document, "guardian", editing->text, editing->arena, editing->err));
    const struct document_node *list = member_of(document.root, editing->kind->member);
    editing->edits = guard_arena_get(
        editing->arena, ((size_t)editing->kind->count(editing->now) + 2) * sizeof(*editing->edits));
    if (editing->edits == NULL)
        return no_memory(editing);
    const struct document_node *element = list != NULL ? list->first : NULL;
    if (list != NULL &&
        editing->kind->count(editing->wanted) == 0) { /* a member without a list is none */
        add(editing, line_begin(editing->text, list->key->line),
            line_begin(editing->text, list->last_line + 1), (struct guard_span){NULL, 0});
        return apply(editing, out);
    }
    for (; element != NULL; element = element->next)
        GUARD_TRY(edit_element(editing, element));
    GUARD_TRY(append(editing, list));
    return apply(editing, out);
}

/* Whether the text is a document that says the same as the canonical one. That nobody can tell for
 * want of memory is no reason to write anew what people wrote. */
static enum guard_rc says(struct editing *editing, struct guard_span text,
                          struct guard_span canonical, bool *same)
{
    struct guard_guardian guardian;
    struct guard_span again;
    enum guard_rc rc = guardian_parse(&guardian, "guardian", text, editing->arena, NULL);
    if (rc == GUARD_OK)
        rc = guardian_write(&guardian, editing->arena, &again, NULL);
    if (rc == GUARD_E_NOMEM)
        return no_memory(editing);
    *same = rc == GUARD_OK && again.len == canonical.len &&
            memcmp(again.ptr, canonical.ptr, again.len) == 0;
    return GUARD_OK;
}

static enum guard_rc edit(const struct kind *kind, struct guard_span text,
                          const struct guard_guardian *now, const struct guard_guardian *wanted,
                          struct guard_arena *arena, struct guard_span *out, struct guard_err *err)
{
    struct editing editing = {
        .kind = kind, .text = text, .now = now, .wanted = wanted, .arena = arena, .err = err};
    struct guard_span canonical;
    struct guard_span edited;
    GUARD_TRY(guardian_write(wanted, arena, &canonical, err));
    *out = canonical;
    if (text.len > 0) {
        enum guard_rc rc = edit_lines(&editing, &edited);
        if (rc == GUARD_E_NOMEM)
            return rc;
        bool same = false;
        if (rc == GUARD_OK)
            GUARD_TRY(says(&editing, edited, canonical, &same));
        if (same)
            *out = edited;
    }
    /* Nothing is put in place that couldn't be read back. */
    if (out->ptr == canonical.ptr) {
        struct guard_guardian again;
        GUARD_TRY(guardian_parse(&again, "guardian", canonical, arena, err));
    }
    return out->len <= DOCUMENT_BYTES_MAX
               ? GUARD_OK
               : guard_fail(err, GUARD_E_LIMIT, "the document would be larger than %d bytes",
                            DOCUMENT_BYTES_MAX);
}

/* --- the lists --- */

static uint32_t count_patches(const struct guard_guardian *guardian)
{
    return guardian->patch_count;
}

static struct guard_span id_of_patch(const struct guard_guardian *guardian, uint32_t index)
{
    return guardian->patches[index].id;
}

static size_t put_patches(char *text, size_t cap, const struct guard_guardian *guardian,
                          uint32_t first, uint32_t count, unsigned indent)
{
    return patches_put(text, cap, guardian->patches + first, count, indent);
}

enum guard_rc guardian_edit_patches(struct guard_span text, const struct guard_guardian *now,
                                    const struct guard_guardian *wanted, struct guard_arena *arena,
                                    struct guard_span *out, struct guard_err *err)
{
    static const struct kind kind = {"patches", count_patches, id_of_patch, put_patches};
    return edit(&kind, text, now, wanted, arena, out, err);
}

static uint32_t count_exceptions(const struct guard_guardian *guardian)
{
    return guardian->exception_count;
}

static struct guard_span id_of_exception(const struct guard_guardian *guardian, uint32_t index)
{
    return guardian->exceptions[index].id;
}

static size_t put_exceptions(char *text, size_t cap, const struct guard_guardian *guardian,
                             uint32_t first, uint32_t count, unsigned indent)
{
    return exceptions_put(text, cap, guardian->exceptions + first, count, indent);
}

enum guard_rc guardian_edit_exceptions(struct guard_span text, const struct guard_guardian *now,
                                       const struct guard_guardian *wanted,
                                       struct guard_arena *arena, struct guard_span *out,
                                       struct guard_err *err)
{
    static const struct kind kind = {"exceptions", count_exceptions, id_of_exception,
                                     put_exceptions};
    return edit(&kind, text, now, wanted, arena, out, err);
}
