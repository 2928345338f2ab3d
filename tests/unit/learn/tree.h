/* SPDX-License-Identifier: Apache-2.0 */
/* Cell trees made by hand: the learner's tests say exactly who brought which element in which
 * epoch, without going through requests, records and a pile. */
#ifndef GUARD_TEST_TREE_H
#define GUARD_TEST_TREE_H

#include "learn/cell.h"
#include "learn/model.h"
#include "sketch/bucket.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct tree {
    struct gd_cell *root;
    uint32_t epoch;
    uint32_t tag;    /* of the record at hand */
    uint32_t serial; /* of anonymous records */
    uint64_t anonymous;
};

static inline void *tree_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static inline void tree_release(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static inline uint64_t tree_hash(const void *ptr, size_t len)
{
    const unsigned char *bytes = ptr;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    hash ^= hash >> 31;
    return hash * UINT64_C(0x9e3779b97f4a7c15);
}

static inline struct gd_cell *tree_cell(enum gd_kind kind, uint8_t location, uint64_t code,
                                        const char *text)
{
    struct gd_cell *cell = calloc(1, sizeof(*cell));
    cell->kind = (uint8_t)kind;
    cell->location = location;
    cell->code = code;
    if (text != NULL)
        cell->text = (struct guard_span){(uint8_t *)strdup(text), strlen(text)};
    if (kind == GD_KIND_SERVICE || kind == GD_KIND_METHOD || kind == GD_KIND_ANSWER ||
        kind == GD_KIND_NAME) {
        cell->epoch_counts = calloc(GD_EPOCHS_MAX, sizeof(*cell->epoch_counts));
        cell->client_tags = calloc(GD_KMV, sizeof(*cell->client_tags));
    }
    return cell;
}

static inline bool tree_before(const struct gd_cell *cell, enum gd_kind kind, uint8_t location,
                               uint64_t code)
{
    if (cell->kind != kind)
        return cell->kind < kind;
    if (cell->code != code)
        return cell->code < code;
    return cell->location < location;
}

static inline void tree_lowest(uint32_t *tags, uint32_t *count, uint32_t max, uint32_t tag)
{
    uint32_t at = 0;
    while (at < *count && tags[at] < tag)
        at++;
    if (at >= max || (at < *count && tags[at] == tag))
        return;
    if (*count < max)
        (*count)++;
    for (uint32_t i = *count - 1; i > at; i--)
        tags[i] = tags[i - 1];
    tags[at] = tag;
}

static inline void tree_touch(const struct tree *tree, struct gd_cell *cell)
{
    uint32_t tags = cell->tag_count;
    cell->count++;
    cell->epochs |= UINT32_C(1) << tree->epoch;
    tree_lowest(cell->tags, &tags, GD_TAGS_MAX, tree->tag);
    cell->tag_count = (uint8_t)tags;
    if (cell->epoch_counts != NULL) {
        cell->epoch_counts[tree->epoch]++;
        tree_lowest(cell->client_tags, &cell->client_count, GD_KMV, tree->tag);
    }
}

/* Finds or makes the child and adds the record at hand to it. */
static inline struct gd_cell *tree_see(struct tree *tree, struct gd_cell *parent, enum gd_kind kind,
                                       uint8_t location, uint64_t code, const char *text)
{
    uint32_t at = 0;
    while (at < parent->child_count && tree_before(parent->children[at], kind, location, code))
        at++;
    struct gd_cell *found = at < parent->child_count ? parent->children[at] : NULL;
    if (found == NULL || found->kind != kind || found->code != code ||
        found->location != location) {
        parent->children =
            realloc(parent->children, (parent->child_count + 1) * sizeof(*parent->children));
        memmove(parent->children + at + 1, parent->children + at,
                (parent->child_count - at) * sizeof(*parent->children));
        parent->children[at] = found = tree_cell(kind, location, code, text);
        parent->child_count++;
        parent->child_cap = parent->child_count;
        found->parent = parent;
    }
    tree_touch(tree, found);
    return found;
}

static inline struct gd_cell *tree_named(struct tree *tree, struct gd_cell *parent,
                                         enum gd_kind kind, uint8_t location, const char *text)
{
    return tree_see(tree, parent, kind, location, tree_hash(text, strlen(text)) ^ location, text);
}

static inline void tree_init(struct tree *tree)
{
    *tree = (struct tree){.root = tree_cell(GD_KIND_SERVICE, 0, 0, "shop")};
}

static inline void tree_free_cell(struct gd_cell *cell)
{
    for (uint32_t i = 0; i < cell->child_count; i++)
        tree_free_cell(cell->children[i]);
    free(cell->children);
    free(cell->epoch_counts);
    free(cell->client_tags);
    free((void *)(uintptr_t)cell->text.ptr);
    free(cell);
}

static inline void tree_fini(struct tree *tree)
{
    tree_free_cell(tree->root);
}

/* A record of a client (0: without one) in an epoch; returns the endpoint. path: "a/b" for /a/b. */
static inline struct gd_cell *tree_request(struct tree *tree, uint32_t epoch, uint32_t client,
                                           const char *method, const char *path)
{
    uint32_t id = client == 0 ? 1000000 + tree->serial++ : client;
    tree->epoch = epoch;
    tree->anonymous += client == 0;
    tree->tag = ((uint32_t)(tree_hash(&id, sizeof(id)) >> 32) & ~1u) | (client != 0);
    tree_touch(tree, tree->root);
    if (client != 0)
        (void)tree_see(tree, tree->root, GD_KIND_CLIENT, 0, tree_hash(&id, sizeof(id)), NULL);
    struct gd_cell *at = tree->root;
    char text[65];
    for (const char *from = path;;) {
        size_t len = strcspn(from, "/");
        snprintf(text, sizeof(text), "%.*s", (int)len, from);
        at = tree_named(tree, at, GD_KIND_SEGMENT, 0, text);
        if (from[len] == '\0')
            break;
        from += len + 1;
    }
    return tree_named(tree, at, GD_KIND_METHOD, 0, method);
}

static inline uint32_t tree_class(unsigned char byte)
{
    static const char marks[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    if (islower(byte))
        return GUARD_CLASS_LOWER;
    if (isupper(byte))
        return GUARD_CLASS_UPPER;
    if (isdigit(byte))
        return GUARD_CLASS_DIGIT;
    if (byte == ' ')
        return GUARD_CLASS_SPACE;
    return GUARD_CLASS_PUNCTUATION + (uint32_t)(strchr(marks, byte) - marks);
}

static inline uint32_t tree_type(const char *value)
{
    size_t len = strlen(value);
    if (len == 0)
        return GUARD_TYPE_EMPTY;
    if (strspn(value, "0123456789") == len)
        return GUARD_TYPE_INT;
    for (size_t i = 0; i < len; i++) {
        if (!isalpha((unsigned char)value[i]))
            return GUARD_TYPE_TEXT;
    }
    return GUARD_TYPE_WORD;
}

/* A named value of the record at hand. */
static inline struct gd_cell *tree_value(struct tree *tree, struct gd_cell *parent,
                                         uint8_t location, const char *name, const char *value)
{
    struct gd_cell *field = tree_named(tree, parent, GD_KIND_NAME, location, name);
    uint64_t classes = 0;
    uint32_t digits = 0, specials = 0, len = (uint32_t)strlen(value);
    bool pairs[64 * 64] = {false};
    for (uint32_t i = 0; i < len; i++) {
        uint32_t cls = tree_class((unsigned char)value[i]);
        classes |= UINT64_C(1) << cls;
        digits += cls == GUARD_CLASS_DIGIT;
        specials += cls >= GUARD_CLASS_PUNCTUATION;
        if (i > 0)
            pairs[tree_class((unsigned char)value[i - 1]) << 6 | cls] = true;
    }
    for (uint32_t i = 0; i < 64; i++) {
        if ((classes >> i & 1) != 0)
            (void)tree_see(tree, field, GD_KIND_CLASS, 0, i, NULL);
    }
    for (uint32_t i = 0; i < 64 * 64; i++) {
        if (pairs[i])
            (void)tree_see(tree, field, GD_KIND_TRANSITION, 0, i, NULL);
    }
    (void)tree_see(tree, field, GD_KIND_TYPE, 0, tree_type(value), NULL);
    (void)tree_see(tree, field, GD_KIND_LENGTH, 0, gd_bucket(len), NULL);
    (void)tree_see(tree, field, GD_KIND_LENGTH_MIN, 0, gd_bucket(len), NULL);
    (void)tree_see(tree, field, GD_KIND_DIGITS, 0, gd_bucket(digits), NULL);
    (void)tree_see(tree, field, GD_KIND_SPECIALS, 0, gd_bucket(specials), NULL);
    (void)tree_see(tree, field, GD_KIND_LITERAL, 0, tree_hash(value, len), NULL);
    return field;
}

/* An object or array of the record at hand, with members or elements. */
static inline struct gd_cell *tree_structure(struct tree *tree, struct gd_cell *parent,
                                             const char *name, enum guard_type type, uint32_t items)
{
    struct gd_cell *field = tree_named(tree, parent, GD_KIND_NAME, GUARD_LOCATION_JSON, name);
    (void)tree_see(tree, field, GD_KIND_TYPE, 0, type, NULL);
    (void)tree_see(tree, field, GD_KIND_ITEMS, 0, gd_bucket(items), NULL);
    return field;
}

static inline struct guard_model *tree_learn_with(const struct tree *tree, uint32_t support)
{
    struct guard_model *model = NULL;
    struct guard_learn_cfg cfg = {.alloc = {NULL, tree_alloc, tree_release}, .support = support};
    struct gd_model_source source = {.root = tree->root, .service = tree->root->text, .epochs = 32};
    source.anonymous = tree->anonymous;
    source.keyed = true;
    assert_int_equal(gd_model_build(&model, &source, &cfg, NULL), GUARD_OK);
    return model;
}

static inline struct guard_model *tree_learn(const struct tree *tree)
{
    return tree_learn_with(tree, 0);
}

static inline bool tree_is(struct guard_span span, const char *text)
{
    return gd_span_equal(span, gd_span(text, strlen(text)));
}

static inline const struct guard_model_endpoint *tree_endpoint(const struct guard_model *model,
                                                               const char *method, const char *path)
{
    for (uint32_t i = 0; i < model->endpoint_count; i++) {
        const struct guard_model_endpoint *endpoint = &model->endpoints[i];
        if (tree_is(endpoint->method, method) && tree_is(endpoint->template_text, path))
            return endpoint;
    }
    return NULL;
}

static inline const struct guard_model_field *
tree_field(const struct guard_model *model, const struct guard_model_endpoint *endpoint,
           const char *path)
{
    uint32_t first = endpoint == NULL ? model->first_service_field : endpoint->first_field;
    uint32_t count = endpoint == NULL ? model->service_field_count : endpoint->field_count;
    for (uint32_t i = first; i < first + count; i++) {
        if (tree_is(model->fields[i].path, path))
            return &model->fields[i];
    }
    return NULL;
}

#endif
