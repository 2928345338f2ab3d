/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of exchanges by time. Each guardd has rows of its own, so that those which share a
 * database never wait for each other's. */
#include "backend.h"

#include <string.h>

static struct store_value text_of(struct guard_span span)
{
    return (struct store_value){
        .span = {span.ptr != NULL ? span.ptr : (const uint8_t *)"", span.len}};
}

/* No name of a node is ">". */
static struct store_value rows_of(const struct store *store, enum store_history which)
{
    const char *name = which == STORE_HISTORY_UNTOLD ? ">" : store->node;
    return (struct store_value){.span = {(const uint8_t *)name, strlen(name)}};
}

struct taking {
    store_take_counts *take;
    void *ctx;
    uint64_t at_s; /* where the row doesn't say */
};

static enum guard_rc take_one(void *ctx, const struct store_value *columns)
{
    const struct taking *taking = ctx;
    return taking->take(taking->ctx, taking->at_s, columns[0].span);
}

static enum guard_rc take_each(void *ctx, const struct store_value *columns)
{
    const struct taking *taking = ctx;
    return taking->take(taking->ctx, columns[0].number, columns[1].span);
}

static const char unread[] = "the history can't be read";
static const char unsaved[] = "the history can't be saved";

enum guard_rc store_load_history(struct store *store, enum store_history which,
                                 struct guard_span service, uint64_t at_s, store_take_counts *take,
                                 void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {
        text_of(service), rows_of(store, which), {.number = at_s}};
    struct taking taking = {take, ctx, at_s};
    return store->backend->run(store, LOAD_HISTORY, parameters, take_one, &taking, unread, err);
}

enum guard_rc store_save_history(struct store *store, enum store_history which,
                                 struct guard_span service, uint64_t at_s, struct guard_span counts,
                                 struct guard_err *err)
{
    const struct store_value parameters[] = {
        text_of(service), rows_of(store, which), {.number = at_s}, {.span = counts}};
    return store->backend->run(store, SAVE_HISTORY, parameters, NULL, NULL, unsaved, err);
}

enum guard_rc store_list_history(struct store *store, struct guard_span service, uint64_t since_s,
                                 uint64_t until_s, store_take_counts *take, void *ctx,
                                 struct guard_err *err)
{
    const struct store_value parameters[] = {
        text_of(service), {.number = since_s}, {.number = until_s}};
    struct taking taking = {take, ctx, 0};
    return store->backend->run(store, LIST_HISTORY, parameters, take_each, &taking, unread, err);
}

enum guard_rc store_list_fine_history(struct store *store, enum store_history which,
                                      struct guard_span service, uint64_t before_s,
                                      store_take_counts *take, void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {
        text_of(service), rows_of(store, which), {.number = before_s}};
    struct taking taking = {take, ctx, 0};
    return store->backend->run(store, LIST_FINE_HISTORY, parameters, take_each, &taking, unread,
                               err);
}

enum guard_rc store_drop_fine_history(struct store *store, enum store_history which,
                                      struct guard_span service, uint64_t before_s,
                                      struct guard_err *err)
{
    const struct store_value parameters[] = {
        text_of(service), rows_of(store, which), {.number = before_s}};
    return store->backend->run(store, DROP_FINE_HISTORY, parameters, NULL, NULL, unsaved, err);
}

enum guard_rc store_list_untold_history(struct store *store, struct guard_span service,
                                        store_take_counts *take, void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service)};
    struct taking taking = {take, ctx, 0};
    return store->backend->run(store, LIST_UNTOLD_HISTORY, parameters, take_each, &taking, unread,
                               err);
}

enum guard_rc store_drop_untold_history(struct store *store, struct guard_span service,
                                        uint64_t up_to_s, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), {.number = up_to_s}};
    return store->backend->run(store, DROP_UNTOLD_HISTORY, parameters, NULL, NULL, unsaved, err);
}

enum guard_rc store_drop_history(struct store *store, struct guard_span service, uint64_t before_s,
                                 struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), {.number = before_s}};
    return store->backend->run(store, DROP_HISTORY, parameters, NULL, NULL, unsaved, err);
}

/* --- notes that only grow: bytes that sort as the number does --- */

static void write_number(uint64_t number, uint8_t out[8])
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(number >> (56 - 8 * i));
}

static enum guard_rc note_raised(void *ctx, const struct store_value *columns)
{
    (void)columns;
    *(bool *)ctx = true;
    return GUARD_OK;
}

enum guard_rc store_raise_note(struct store *store, const char *kind, struct guard_span name,
                               uint64_t value, bool *raised, struct guard_err *err)
{
    uint8_t bytes[8];
    write_number(value, bytes);
    const struct store_value parameters[] = {
        {.span = {(const uint8_t *)kind, strlen(kind)}}, text_of(name), {.span = {bytes, 8}}};
    *raised = false;
    return store->backend->run(store, RAISE_NOTE, parameters, note_raised, raised, unsaved, err);
}

enum guard_rc store_drop_low_notes(struct store *store, const char *kind, uint64_t value,
                                   struct guard_err *err)
{
    uint8_t bytes[8];
    write_number(value, bytes);
    const struct store_value parameters[] = {{.span = {(const uint8_t *)kind, strlen(kind)}},
                                             {.span = {bytes, 8}}};
    return store->backend->run(store, DROP_LOW_NOTES, parameters, NULL, NULL, unsaved, err);
}
