/* SPDX-License-Identifier: Apache-2.0 */
/* Writes patches as canonical YAML: members in one order, what isn't said left out, lists of one
 * without brackets, texts quoted, and of what is no printable UTF-8 each byte as "\xNN". */
#include "common/file.h"
#include "common/guardian_patch.h"
#include "common/guardian_patch_words.h"
#include "common/guardian_words.h"
#include "common/json_writer.h"

#include <guard/likeness.h>

#include <stdio.h>
#include <string.h>

enum { STEP = 2 };

struct text {
    char *ptr;
    size_t cap;
    size_t len; /* what there would be, with room */
    bool item;  /* the next line begins an element of a list */
};

static void put(struct text *text, const char *bytes, size_t len)
{
    if (text->len < text->cap) {
        size_t room = text->cap - text->len - 1;
        memcpy(text->ptr + text->len, bytes, len < room ? len : room);
        text->ptr[text->len + (len < room ? len : room)] = '\0';
    }
    text->len += len;
}

static void put_word(struct text *text, const char *word)
{
    put(text, word, strlen(word));
}

/* "    name: ", the first line of an element as "  - name: ". */
static void put_name(struct text *text, unsigned indent, const char *name)
{
    for (unsigned i = text->item ? STEP : 0; i < indent; i++)
        put_word(text, " ");
    if (text->item)
        put_word(text, "- ");
    text->item = false;
    put_word(text, name);
    put_word(text, ":");
}

static void put_plain(struct text *text, unsigned indent, const char *name, const char *word)
{
    put_name(text, indent, name);
    put_word(text, " ");
    put_word(text, word);
    put_word(text, "\n");
}

/* Of a valid sequence: what YAML allows in a text, and editors show. */
static bool is_printable(const uint8_t *at, size_t len)
{
    unsigned code = len == 3 ? (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu) : 0;
    if (len == 1)
        return at[0] >= 0x20 && at[0] != 0x7f;
    if (len == 2)
        return at[0] != 0xc2 || at[1] >= 0xa0;
    return len == 4 || (code != 0x2028 && code != 0x2029 && code != 0xfeff && code < 0xfffe);
}

static void put_escape(struct text *text, uint8_t byte)
{
    char escape[8];
    snprintf(escape, sizeof(escape), "\\x%02x", byte);
    put_word(text, escape);
}

static void put_quoted(struct text *text, struct guard_span value)
{
    put_word(text, "\"");
    for (size_t i = 0; i < value.len;) {
        const uint8_t *at = value.ptr + i;
        size_t len = json_utf8_len(at, value.len - i);
        if (len == 1 && (at[0] == '"' || at[0] == '\\'))
            put_word(text, "\\");
        if (len > 0 && is_printable(at, len)) {
            put(text, (const char *)at, len);
            i += len;
        } else {
            put_escape(text, at[0]);
            i++;
        }
    }
    put_word(text, "\"");
}

static void put_text(struct text *text, unsigned indent, const char *name, struct guard_span value)
{
    if (value.len == 0)
        return;
    put_name(text, indent, name);
    put_word(text, " ");
    put_quoted(text, value);
    put_word(text, "\n");
}

static void put_texts(struct text *text, unsigned indent, const char *name,
                      const struct guard_span *values, uint32_t count)
{
    if (count == 0)
        return;
    put_name(text, indent, name);
    put_word(text, count == 1 ? " " : " [");
    for (uint32_t i = 0; i < count; i++) {
        put_word(text, i == 0 ? "" : ", ");
        put_quoted(text, values[i]);
    }
    put_word(text, count == 1 ? "\n" : "]\n");
}

static const char *type_word(unsigned bit)
{
    return bit == GUARD_TYPE_NULL ? "\"null\"" : guard_type_name((enum guard_type)bit);
}

static const char *place_word(unsigned bit)
{
    return guard_place_name(1U << bit);
}

static const char *likeness_word(unsigned bit)
{
    return guard_likeness_name((enum guard_likeness)bit);
}

static void put_bits(struct text *text, unsigned indent, const char *name, uint32_t bits,
                     const char *(*word)(unsigned bit))
{
    bool list = (bits & (bits - 1)) != 0;
    const char *before = list ? " [" : " ";
    if (bits == 0)
        return;
    put_name(text, indent, name);
    for (unsigned bit = 0; bit < 32; bit++) {
        if ((bits >> bit & 1) == 0)
            continue;
        put_word(text, before);
        put_word(text, word(bit));
        before = ", ";
    }
    put_word(text, list ? "]\n" : "\n");
}

static void put_range(struct text *text, unsigned indent, const struct guard_patch_condition *of)
{
    char number[32];
    put_name(text, indent, guard_operator_name(of->op));
    put_word(text, " {");
    if (of->min >= 0) {
        snprintf(number, sizeof(number), "min: %lld", (long long)of->min);
        put_word(text, number);
    }
    if (of->max >= 0) {
        snprintf(number, sizeof(number), "%smax: %lld", of->min >= 0 ? ", " : "",
                 (long long)of->max);
        put_word(text, number);
    }
    put_word(text, "}\n");
}

static void put_condition(struct text *text, unsigned indent,
                          const struct guard_patch_condition *condition);

/* Nested no deeper than GUARD_PATCH_DEPTH_MAX. */
static void put_children(struct text *text, unsigned indent,
                         const struct guard_patch_condition *condition)
{
    bool list = condition->op != GUARD_OPERATOR_NOT;
    put_name(text, indent, guard_operator_name(condition->op));
    put_word(text, "\n");
    for (uint32_t i = 0; i < condition->child_count; i++) {
        text->item = list;
        put_condition(text, indent + (list ? 2 * STEP : STEP), &condition->children[i]);
    }
}

static void put_operator(struct text *text, unsigned indent, const struct guard_patch_condition *of)
{
    const char *name = guard_operator_name(of->op);
    switch ((int)of->op) {
    case GUARD_OPERATOR_PRESENT:
        put_plain(text, indent, name, of->max == 0 ? "false" : "true");
        return;
    case GUARD_OPERATOR_TRAVERSAL:
        put_plain(text, indent, name, "true");
        return;
    case GUARD_OPERATOR_TYPE:
        put_bits(text, indent, name, of->types, type_word);
        return;
    case GUARD_OPERATOR_LIKENESS:
        put_bits(text, indent, name, of->likeness, likeness_word);
        return;
    case GUARD_OPERATOR_LENGTH:
    case GUARD_OPERATOR_COUNT:
    case GUARD_OPERATOR_RANGE:
        put_range(text, indent, of);
        return;
    default:
        put_texts(text, indent, name, of->texts, of->text_count);
    }
}

static void put_condition(struct text *text, unsigned indent,
                          const struct guard_patch_condition *condition)
{
    if (condition->op <= GUARD_OPERATOR_NOT) {
        put_children(text, indent, condition);
        return;
    }
    put_bits(text, indent, "in", condition->places, place_word);
    put_texts(text, indent, "names", condition->names, condition->name_count);
    if (condition->on_names)
        put_plain(text, indent, "of", "name");
    if (condition->view != GUARD_VIEW_DECODED)
        put_plain(text, indent, "view", patch_view_word(condition->view));
    put_operator(text, indent, condition);
    if (condition->ignore_case)
        put_plain(text, indent, "ignoreCase", "true");
}

static void put_scope(struct text *text, unsigned indent, const struct guard_patch *patch)
{
    if (patch->endpoint_count + patch->method_count + patch->media_count == 0)
        return;
    put_name(text, indent, "scope");
    put_word(text, "\n");
    indent += STEP;
    put_texts(text, indent, "endpoints", patch->endpoints, patch->endpoint_count);
    put_texts(text, indent, "methods", patch->methods, patch->method_count);
    put_texts(text, indent, "contentTypes", patch->media_types, patch->media_count);
}

static void put_patch(struct text *text, unsigned indent, const struct guard_patch *patch)
{
    char expires[CLOCK_TEXT_MAX];
    put_text(text, indent, "id", patch->id);
    put_text(text, indent, "title", patch->title);
    put_texts(text, indent, "references", patch->references, patch->reference_count);
    if (patch->part != GUARD_PATCH_REQUEST)
        put_plain(text, indent, "part", patch_part_word(patch->part));
    put_plain(text, indent, "mode", patch_mode_word(patch->mode));
    put_plain(text, indent, "action", patch_action_word(patch->action));
    if (patch->mandatory)
        put_plain(text, indent, "mandatory", "true");
    if (patch->expires_ms > 0 && clock_text(expires, (double)patch->expires_ms))
        put_plain(text, indent, "expires", expires);
    put_text(text, indent, "fixedIn", patch->fixed_in);
    put_text(text, indent, "author", patch->author);
    put_text(text, indent, "reason", patch->reason);
    put_scope(text, indent, patch);
    put_name(text, indent, "when");
    put_word(text, "\n");
    put_condition(text, indent + STEP, &patch->when);
}

size_t patches_put(char *ptr, size_t cap, const struct guard_patch *patches, uint32_t count,
                   unsigned indent)
{
    struct text text = {.ptr = ptr, .cap = cap};
    if (cap > 0)
        ptr[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        text.item = true;
        put_patch(&text, indent + STEP, &patches[i]);
    }
    return text.len;
}

/* Measured, then written. */
static enum guard_rc
write_text(void (*fill)(struct text *text, const struct guard_patch *patches, uint32_t count),
           const struct guard_patch *patches, uint32_t count, struct guard_arena *arena,
           struct guard_span *out, struct guard_err *err)
{
    struct text text = {0};
    fill(&text, patches, count);
    if (text.len > DOCUMENT_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "the patches are larger than %d bytes",
                          DOCUMENT_BYTES_MAX);
    size_t cap = text.len + 1;
    text = (struct text){.ptr = guard_arena_get(arena, cap), .cap = cap};
    if (text.ptr == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the document of patches");
    text.ptr[0] = '\0';
    fill(&text, patches, count);
    *out = (struct guard_span){(const uint8_t *)text.ptr, text.len};
    return GUARD_OK;
}

static void fill_document(struct text *text, const struct guard_patch *patches, uint32_t count)
{
    put_word(text, "apiVersion: " GUARDIAN_VERSION "\nkind: Patches\npatches:");
    put_word(text, count == 0 ? " []\n" : "\n");
    for (uint32_t i = 0; i < count; i++) {
        text->item = true;
        put_patch(text, 2 * STEP, &patches[i]);
    }
}

static void fill_patch(struct text *text, const struct guard_patch *patches, uint32_t count)
{
    (void)count;
    put_patch(text, 0, patches);
}

enum guard_rc patches_write(const struct guard_patch *patches, uint32_t count,
                            struct guard_arena *arena, struct guard_span *out,
                            struct guard_err *err)
{
    return write_text(fill_document, patches, count, arena, out, err);
}

enum guard_rc patch_write(const struct guard_patch *patch, struct guard_arena *arena,
                          struct guard_span *out, struct guard_err *err)
{
    return write_text(fill_patch, patch, 1, arena, out, err);
}
