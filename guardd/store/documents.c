/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of people in a shared database: compared and set in one statement, with a bounded
 * history. Apart from store.c, as only shared databases have them. */
#include "guardd/store.h"

#include "backend.h"

#include <stdio.h>
#include <string.h>

enum { CHANGES_KEPT = 50, KIND_CAP = 32 };

static struct store_value text_of(struct guard_span span)
{
    return (struct store_value){
        .span = {span.ptr != NULL ? span.ptr : (const uint8_t *)"", span.len}};
}

static struct store_value word(const char *text)
{
    return text_of((struct guard_span){(const uint8_t *)text, strlen(text)});
}

static struct store_value number_of(uint64_t number)
{
    return (struct store_value){.number = number};
}

static enum guard_rc take_number(void *ctx, const struct store_value *columns)
{
    *(uint64_t *)ctx = columns[0].number;
    return GUARD_OK;
}

enum guard_rc store_save_document(struct store *store, const struct store_document *document,
                                  const struct store_change *change, bool keep,
                                  struct guard_err *err)
{
    static const char what[] = "a document can't be saved";
    const struct store_value content = {.span = document->content};
    const struct store_value nothing = {.span = {NULL, 0}};
    const struct store_value saved[] = {word(document->kind), text_of(document->service),
                                        number_of(document->revision), content};
    const struct store_value changed[] = {
        word(document->kind),     text_of(document->service), number_of(document->revision),
        keep ? content : nothing, word(store->node),          text_of(change->who),
        text_of(change->why),     number_of(change->time_ms)};
    uint64_t revision = 0;
    GUARD_TRY(store->backend->run(store, SAVE_DOCUMENT, saved, take_number, &revision, what, err));
    if (revision != document->revision)
        return guard_fail(err, GUARD_E_STATE, "another guardd changed it meanwhile");
    GUARD_TRY(store->backend->run(store, ADD_CHANGE, changed, NULL, NULL, what, err));
    if (revision <= CHANGES_KEPT)
        return GUARD_OK;
    const struct store_value old[] = {saved[0], saved[1], number_of(revision - CHANGES_KEPT)};
    return store->backend->run(store, PRUNE_CHANGES, old, NULL, NULL, what, err);
}

struct taking_heads {
    enum guard_rc (*take)(void *ctx, struct guard_span kind, struct guard_span service,
                          uint64_t revision);
    void *ctx;
};

static enum guard_rc take_head(void *ctx, const struct store_value *columns)
{
    const struct taking_heads *taking = ctx;
    return taking->take(taking->ctx, columns[0].span, columns[1].span, columns[2].number);
}

enum guard_rc store_list_documents(struct store *store,
                                   enum guard_rc (*take)(void *ctx, struct guard_span kind,
                                                         struct guard_span service,
                                                         uint64_t revision),
                                   void *ctx, struct guard_err *err)
{
    struct taking_heads taking = {take, ctx};
    return store->backend->run(store, LIST_DOCUMENTS, NULL, take_head, &taking,
                               "documents can't be listed", err);
}

struct taking_content {
    enum guard_rc (*take)(void *ctx, uint64_t revision, struct guard_span content);
    void *ctx;
};

static enum guard_rc take_content(void *ctx, const struct store_value *columns)
{
    const struct taking_content *taking = ctx;
    return taking->take(taking->ctx, columns[0].number, columns[1].span);
}

enum guard_rc store_load_document(struct store *store, const char *kind, struct guard_span service,
                                  enum guard_rc (*take)(void *ctx, uint64_t revision,
                                                        struct guard_span content),
                                  void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {word(kind), text_of(service)};
    struct taking_content taking = {take, ctx};
    return store->backend->run(store, LOAD_DOCUMENT, parameters, take_content, &taking,
                               "a document can't be read", err);
}

enum guard_rc store_find_document(struct store *store, const char *kind, struct guard_span service,
                                  uint64_t after, struct guard_span content, uint64_t *revision,
                                  struct guard_err *err)
{
    const struct store_value parameters[] = {word(kind), text_of(service), number_of(after),
                                             text_of(content)};
    *revision = 0;
    return store->backend->run(store, FIND_CHANGE, parameters, take_number, revision,
                               "a document's history can't be read", err);
}

struct taking_changes {
    enum guard_rc (*take)(void *ctx, const struct store_change *change);
    void *ctx;
};

static enum guard_rc take_change(void *ctx, const struct store_value *columns)
{
    const struct taking_changes *taking = ctx;
    char kind[KIND_CAP];
    snprintf(kind, sizeof(kind), "%.*s", (int)columns[0].span.len,
             (const char *)columns[0].span.ptr);
    const struct store_change change = {.kind = kind,
                                        .revision = columns[1].number,
                                        .node = columns[2].span,
                                        .who = columns[3].span,
                                        .why = columns[4].span,
                                        .time_ms = columns[5].number,
                                        .removed = columns[6].number != 0};
    return taking->take(taking->ctx, &change);
}

enum guard_rc store_list_changes(struct store *store, struct guard_span service,
                                 enum guard_rc (*take)(void *ctx,
                                                       const struct store_change *change),
                                 void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service)};
    struct taking_changes taking = {take, ctx};
    return store->backend->run(store, LIST_CHANGES, parameters, take_change, &taking,
                               "changes can't be listed", err);
}
