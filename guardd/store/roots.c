/* SPDX-License-Identifier: Apache-2.0 */
/* What several roots of one tree know together, in the database that they share: whose a producer
 * is, and what reporters told one of them beside piles. */
#include "backend.h"

#include <string.h>

static struct guard_span word(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

struct taking_producer {
    enum guard_rc (*take)(void *ctx, struct guard_span name, struct guard_span reporter);
    void *ctx;
};

static enum guard_rc take_producer(void *ctx, const struct store_value *columns)
{
    const struct taking_producer *taking = ctx;
    return taking->take(taking->ctx, columns[0].span, columns[1].span);
}

enum guard_rc store_bind_producers(struct store *store, struct guard_span names,
                                   struct guard_span reporter,
                                   enum guard_rc (*take)(void *ctx, struct guard_span name,
                                                         struct guard_span reporter),
                                   void *ctx, struct guard_err *err)
{
    static const char what[] = "producers can't be bound";
    const struct store_value parameters[] = {
        {.span = word("producer")}, {.span = names}, {.span = reporter}};
    struct taking_producer taking = {take, ctx};
    GUARD_TRY(store->backend->run(store, BIND_PRODUCERS, parameters, NULL, NULL, what, err));
    return store->backend->run(store, READ_PRODUCERS, parameters, take_producer, &taking, what,
                               err);
}

enum guard_rc store_save_told(struct store *store, const struct store_told *told,
                              struct guard_err *err)
{
    const struct store_value parameters[] = {{.span = told->service},
                                             {.span = word(store->node)},
                                             {.span = told->reporter},
                                             {.span = told->document}};
    return store->backend->run(store, SAVE_TOLD, parameters, NULL, NULL,
                               "what was told can't be saved", err);
}

struct taking_told {
    enum guard_rc (*take)(void *ctx, const struct store_told *told);
    void *ctx;
    uint64_t last;
    uint32_t count;
};

static enum guard_rc take_told(void *ctx, const struct store_value *columns)
{
    struct taking_told *taking = ctx;
    const struct store_told told = {.service = columns[1].span,
                                    .reporter = columns[2].span,
                                    .document = columns[3].span,
                                    .age_ms = columns[4].number};
    taking->last = columns[0].number;
    taking->count++;
    return taking->take(taking->ctx, &told);
}

static enum guard_rc take_end(void *ctx, const struct store_value *columns)
{
    *(uint64_t *)ctx = columns[0].number;
    return GUARD_OK;
}

enum guard_rc store_list_told(struct store *store, uint64_t *moment,
                              enum guard_rc (*take)(void *ctx, const struct store_told *told),
                              void *ctx, struct guard_err *err)
{
    enum { AT_ONCE = 1024 }; /* as the statement has it */
    static const char what[] = "what others were told can't be read";
    struct taking_told taking = {take, ctx, 0, 0};
    uint64_t end = 0;
    GUARD_TRY(store->backend->run(store, READ_TOLD_END, NULL, take_end, &end, what, err));
    const struct store_value parameters[] = {
        {.number = *moment}, {.number = end}, {.span = word(store->node)}};
    GUARD_TRY(store->backend->run(store, LIST_TOLD, parameters, take_told, &taking, what, err));
    *moment = taking.count < AT_ONCE ? end : taking.last;
    return GUARD_OK;
}

enum guard_rc store_drop_told(struct store *store, struct guard_err *err)
{
    return store->backend->run(store, DROP_TOLD, NULL, NULL, NULL, "what is old can't be dropped",
                               err);
}

enum guard_rc store_forget_told(struct store *store, struct guard_span service,
                                struct guard_err *err)
{
    const struct store_value parameters[] = {{.span = service}};
    if (!store_shared(store))
        return GUARD_OK;
    return store->backend->run(store, FORGET_TOLD, parameters, NULL, NULL,
                               "what others were told can't be dropped", err);
}
