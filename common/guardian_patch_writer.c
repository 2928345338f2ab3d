/* SPDX-License-Identifier: Apache-2.0 */
/* Writes patches as canonical YAML: members in one order, what isn't said left out, lists of one
 * without brackets, texts quoted, and of what is no printable UTF-8 each byte as "\xNN". */
#include "common/file.h"
#include "common/guardian_patch.h"
#include "common/guardian_patch_words.h"
#include "common/guardian_words.h"
#include "common/yaml_text.h"

#include <guard/likeness.h>

#include <stdio.h>
#include <string.h>

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

static void put_bits(struct yaml_text *text, unsigned indent, const char *name, uint32_t bits,
                     const char *(*word)(unsigned bit))
{
    bool list = (bits & (bits - 1)) != 0;
    const char *before = list ? " [" : " ";
    if (bits == 0)
        return;
    yaml_name(text, indent, name);
    for (unsigned bit = 0; bit < 32; bit++) {
        if ((bits >> bit & 1) == 0)
            continue;
        yaml_word(text, before);
        yaml_word(text, word(bit));
        before = ", ";
    }
    yaml_word(text, list ? "]\n" : "\n");
}

static void put_range(struct yaml_text *text, unsigned indent,
                      const struct guard_patch_condition *of)
{
    char number[32];
    yaml_name(text, indent, guard_operator_name(of->op));
    yaml_word(text, " {");
    if (of->min >= 0) {
        snprintf(number, sizeof(number), "min: %lld", (long long)of->min);
        yaml_word(text, number);
    }
    if (of->max >= 0) {
        snprintf(number, sizeof(number), "%smax: %lld", of->min >= 0 ? ", " : "",
                 (long long)of->max);
        yaml_word(text, number);
    }
    yaml_word(text, "}\n");
}

static void put_condition(struct yaml_text *text, unsigned indent,
                          const struct guard_patch_condition *condition);

/* Nested no deeper than GUARD_PATCH_DEPTH_MAX. */
static void put_children(struct yaml_text *text, unsigned indent,
                         const struct guard_patch_condition *condition)
{
    bool list = condition->op != GUARD_OPERATOR_NOT;
    yaml_name(text, indent, guard_operator_name(condition->op));
    yaml_word(text, "\n");
    for (uint32_t i = 0; i < condition->child_count; i++) {
        text->item = list;
        put_condition(text, indent + (list ? 2 * YAML_STEP : YAML_STEP), &condition->children[i]);
    }
}

static void put_operator(struct yaml_text *text, unsigned indent,
                         const struct guard_patch_condition *of)
{
    const char *name = guard_operator_name(of->op);
    switch ((int)of->op) {
    case GUARD_OPERATOR_PRESENT:
        yaml_plain(text, indent, name, of->max == 0 ? "false" : "true");
        return;
    case GUARD_OPERATOR_TRAVERSAL:
        yaml_plain(text, indent, name, "true");
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
        yaml_texts(text, indent, name, of->texts, of->text_count);
    }
}

static void put_condition(struct yaml_text *text, unsigned indent,
                          const struct guard_patch_condition *condition)
{
    if (condition->op <= GUARD_OPERATOR_NOT) {
        put_children(text, indent, condition);
        return;
    }
    put_bits(text, indent, "in", condition->places, place_word);
    yaml_texts(text, indent, "names", condition->names, condition->name_count);
    if (condition->on_names)
        yaml_plain(text, indent, "of", "name");
    if (condition->view != GUARD_VIEW_DECODED)
        yaml_plain(text, indent, "view", patch_view_word(condition->view));
    put_operator(text, indent, condition);
    if (condition->ignore_case)
        yaml_plain(text, indent, "ignoreCase", "true");
}

static void put_scope(struct yaml_text *text, unsigned indent, const struct guard_patch *patch)
{
    if (patch->endpoint_count + patch->method_count + patch->media_count == 0)
        return;
    yaml_name(text, indent, "scope");
    yaml_word(text, "\n");
    indent += YAML_STEP;
    yaml_texts(text, indent, "endpoints", patch->endpoints, patch->endpoint_count);
    yaml_texts(text, indent, "methods", patch->methods, patch->method_count);
    yaml_texts(text, indent, "contentTypes", patch->media_types, patch->media_count);
}

static void put_patch(struct yaml_text *text, unsigned indent, const struct guard_patch *patch)
{
    char expires[CLOCK_TEXT_MAX];
    yaml_line(text, indent, "id", patch->id);
    yaml_line(text, indent, "title", patch->title);
    yaml_texts(text, indent, "references", patch->references, patch->reference_count);
    if (patch->part != GUARD_PATCH_REQUEST)
        yaml_plain(text, indent, "part", patch_part_word(patch->part));
    yaml_plain(text, indent, "mode", patch_mode_word(patch->mode));
    yaml_plain(text, indent, "action", patch_action_word(patch->action));
    if (patch->mandatory)
        yaml_plain(text, indent, "mandatory", "true");
    if (patch->expires_ms > 0 && clock_text(expires, (double)patch->expires_ms))
        yaml_plain(text, indent, "expires", expires);
    yaml_line(text, indent, "fixedIn", patch->fixed_in);
    yaml_line(text, indent, "author", patch->author);
    yaml_line(text, indent, "reason", patch->reason);
    put_scope(text, indent, patch);
    yaml_name(text, indent, "when");
    yaml_word(text, "\n");
    put_condition(text, indent + YAML_STEP, &patch->when);
}

size_t patches_put(char *ptr, size_t cap, const struct guard_patch *patches, uint32_t count,
                   unsigned indent)
{
    struct yaml_text text = {.ptr = ptr, .cap = cap};
    if (cap > 0)
        ptr[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        text.item = true;
        put_patch(&text, indent + YAML_STEP, &patches[i]);
    }
    return text.len;
}

/* Measured, then written. */
static enum guard_rc
write_text(void (*fill)(struct yaml_text *text, const struct guard_patch *patches, uint32_t count),
           const struct guard_patch *patches, uint32_t count, struct guard_arena *arena,
           struct guard_span *out, struct guard_err *err)
{
    struct yaml_text text = {0};
    fill(&text, patches, count);
    if (text.len > DOCUMENT_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "the patches are larger than %d bytes",
                          DOCUMENT_BYTES_MAX);
    size_t cap = text.len + 1;
    text = (struct yaml_text){.ptr = guard_arena_get(arena, cap), .cap = cap};
    if (text.ptr == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for the document of patches");
    text.ptr[0] = '\0';
    fill(&text, patches, count);
    *out = (struct guard_span){(const uint8_t *)text.ptr, text.len};
    return GUARD_OK;
}

static void fill_document(struct yaml_text *text, const struct guard_patch *patches, uint32_t count)
{
    yaml_word(text, "apiVersion: " GUARDIAN_VERSION "\nkind: Patches\npatches:");
    yaml_word(text, count == 0 ? " []\n" : "\n");
    for (uint32_t i = 0; i < count; i++) {
        text->item = true;
        put_patch(text, 2 * YAML_STEP, &patches[i]);
    }
}

static void fill_patch(struct yaml_text *text, const struct guard_patch *patches, uint32_t count)
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
