/* SPDX-License-Identifier: Apache-2.0 */
/* Unknown members of `affects` are refused: a misspelt one would make a patch apply to nothing. */
#include "common/sbom/shipped_patch.h"

#include "common/document_members.h"

#include <string.h>
#include <strings.h>

static enum guard_rc read_package(const struct document *document, const struct document_node *node,
                                  struct shipped_affected *out, struct guard_err *err)
{
    struct guard_err wrong;
    enum guard_rc rc = purl_read(&out->package, node->text, &wrong);
    if (rc != GUARD_OK)
        return document_fail(document, node, rc, err, "%s", wrong.text);
    if (out->package.version[0] != '\0')
        return document_fail(document, node, GUARD_E_SYNTAX, err,
                             "a package's versions stand in \"versions\"");
    out->is_package = true;
    out->text = node->text;
    return GUARD_OK;
}

/* Part, vendor and product. */
static enum guard_rc read_cpe(const struct document *document, const struct document_node *node,
                              struct shipped_affected *out, struct guard_err *err)
{
    uint32_t colons = 0;
    for (size_t i = 0; i < node->text.len; i++)
        colons += node->text.ptr[i] == ':';
    if (colons != 2 || node->text.len < 5 || node->text.ptr[1] != ':' ||
        strchr("aho", node->text.ptr[0]) == NULL)
        return document_fail(document, node, GUARD_E_SYNTAX, err,
                             "a product is named as \"a:vendor:product\"");
    out->cpe = node->text;
    out->text = node->text;
    return GUARD_OK;
}

static enum guard_rc read_versions(const struct document *document,
                                   const struct document_node *node, struct shipped_affected *out,
                                   struct guard_err *err)
{
    struct guard_err wrong;
    enum guard_rc rc = version_ranges_check(node->text, &wrong);
    if (rc != GUARD_OK)
        return document_fail(document, node, rc, err, "%s", wrong.text);
    out->ranges = node->text;
    return GUARD_OK;
}

static enum guard_rc read_affected(const struct document *document,
                                   const struct document_node *node, struct shipped_affected *out,
                                   struct guard_err *err)
{
    if (node->kind != DOCUMENT_MAPPING)
        return document_fail(document, node, GUARD_E_SYNTAX, err, "a mapping is needed");
    for (const struct document_node *member = node->first; member != NULL; member = member->next) {
        const char *name = (const char *)member->key->text.ptr;
        if (member->kind != DOCUMENT_SCALAR)
            return document_fail(document, member, GUARD_E_SYNTAX, err, "a text is needed");
        if (strcmp(name, "package") == 0)
            GUARD_TRY(read_package(document, member, out, err));
        else if (strcmp(name, "cpe") == 0)
            GUARD_TRY(read_cpe(document, member, out, err));
        else if (strcmp(name, "versions") == 0)
            GUARD_TRY(read_versions(document, member, out, err));
        else
            return document_fail(document, member, GUARD_E_SYNTAX, err,
                                 "only package or cpe, and versions stand here");
    }
    if (out->is_package == (out->cpe.len > 0) || out->ranges.len == 0)
        return document_fail(document, node, GUARD_E_SYNTAX, err,
                             "needs either package or cpe, and versions");
    return GUARD_OK;
}

static enum guard_rc read_list(const struct document *document, const struct document_node *list,
                               struct shipped_patch *out, struct guard_err *err)
{
    if (list->kind != DOCUMENT_SEQUENCE)
        return document_fail(document, list, GUARD_E_SYNTAX, err, "a list is needed");
    if (list->count > SHIPPED_AFFECTS_MAX)
        return document_fail(document, list, GUARD_E_LIMIT, err, "more than %d",
                             SHIPPED_AFFECTS_MAX);
    if (list->count == 0)
        return GUARD_OK;
    struct shipped_affected *affected =
        guard_arena_get(document->arena, list->count * sizeof(*affected));
    if (affected == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    memset(affected, 0, list->count * sizeof(*affected));
    out->affected = affected;
    for (const struct document_node *node = list->first; node != NULL; node = node->next)
        GUARD_TRY(read_affected(document, node, &affected[out->affected_count++], err));
    return GUARD_OK;
}

enum guard_rc shipped_patch_read(const struct document *document, struct shipped_patch *out,
                                 struct guard_err *err)
{
    *out = (struct shipped_patch){.affected_count = 0};
    const struct document_node *patches = member_of(document->root, "patches");
    if (patches == NULL || patches->kind != DOCUMENT_SEQUENCE || patches->count != 1 ||
        patches->first->kind != DOCUMENT_MAPPING)
        return document_fail(document, document->root, GUARD_E_SYNTAX, err,
                             "a shipped document has one patch");
    const struct document_node *id = member_of(patches->first, "id");
    const struct document_node *title = member_of(patches->first, "title");
    if (id == NULL || id->kind != DOCUMENT_SCALAR || title == NULL ||
        title->kind != DOCUMENT_SCALAR)
        return document_fail(document, patches->first, GUARD_E_SYNTAX, err,
                             "a patch needs an id and a title");
    out->id = id->text;
    out->title = title->text;
    const struct document_node *affects = member_of(document->root, "affects");
    return affects != NULL ? read_list(document, affects, out, err) : GUARD_OK;
}

/* "cpe:2.3:a:vendor:product:1.2:...", or the older "cpe:/a:vendor:product:1.2". */
static bool same_product(struct guard_span cpe, struct guard_span product)
{
    size_t skip = cpe.len > 8 && strncasecmp((const char *)cpe.ptr, "cpe:2.3:", 8) == 0 ? 8
                  : cpe.len > 5 && strncasecmp((const char *)cpe.ptr, "cpe:/", 5) == 0  ? 5
                                                                                        : cpe.len;
    return cpe.len - skip >= product.len &&
           strncasecmp((const char *)cpe.ptr + skip, (const char *)product.ptr, product.len) == 0 &&
           (cpe.len - skip == product.len || cpe.ptr[skip + product.len] == ':');
}

static enum version_answer answer_of(const struct shipped_affected *affected,
                                     const struct cyclonedx_component *component,
                                     const struct purl *purl)
{
    struct guard_span version = component->version;
    if (affected->is_package && purl != NULL && purl_same_package(&affected->package, purl)) {
        if (purl->version[0] != '\0')
            version = (struct guard_span){(const uint8_t *)purl->version, strlen(purl->version)};
        return version_in(purl_scheme(purl), version, affected->ranges);
    }
    if (!affected->is_package && same_product(component->cpe, affected->cpe))
        return version_in(VERSION_DOTTED, version, affected->ranges);
    return VERSION_OUTSIDE;
}

enum version_answer shipped_patch_applies(const struct shipped_patch *patch,
                                          const struct cyclonedx_component *component,
                                          const struct purl *purl,
                                          const struct shipped_affected **by)
{
    enum version_answer best = VERSION_OUTSIDE;
    for (uint32_t i = 0; i < patch->affected_count; i++) {
        enum version_answer answer = answer_of(&patch->affected[i], component, purl);
        if (answer == VERSION_OUTSIDE)
            continue;
        *by = &patch->affected[i];
        best = answer;
        if (answer == VERSION_INSIDE)
            break;
    }
    return best;
}
