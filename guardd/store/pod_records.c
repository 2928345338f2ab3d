/* SPDX-License-Identifier: Apache-2.0 */
/* Records of pods on their way from the root that took them in to the one that learns the service,
 * in the database that they share. */
#include "backend.h"

#include <stdio.h>
#include <string.h>

enum { NUMBER_TEXT = 21 };

static struct guard_span word(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

enum guard_rc store_add_pod_records(struct store *store, struct guard_span service,
                                    struct guard_span bytes, struct guard_err *err)
{
    const struct store_value parameters[] = {
        {.span = service}, {.span = word(store->node)}, {.number = bytes.len}, {.span = bytes}};
    return store->backend->run(store, ADD_POD_RECORDS, parameters, NULL, NULL,
                               "records of pods can't be saved", err);
}

struct counting {
    void (*take)(void *ctx, struct guard_span service, uint64_t rows, uint64_t bytes);
    void *ctx;
};

static enum guard_rc take_count(void *ctx, const struct store_value *columns)
{
    const struct counting *counting = ctx;
    counting->take(counting->ctx, columns[0].span, columns[1].number, columns[2].number);
    return GUARD_OK;
}

enum guard_rc store_count_pod_records(struct store *store,
                                      void (*take)(void *ctx, struct guard_span service,
                                                   uint64_t rows, uint64_t bytes),
                                      void *ctx, struct guard_err *err)
{
    struct counting counting = {take, ctx};
    return store->backend->run(store, COUNT_POD_RECORDS, NULL, take_count, &counting,
                               "records of pods can't be counted", err);
}

/* Numbers separated by commas, as the statements read them. */
static struct guard_span list_of(const uint64_t *numbers, uint32_t count,
                                 char out[STORE_POD_ROWS_MAX * NUMBER_TEXT])
{
    size_t len = 0;
    for (uint32_t i = 0; i < count && i < STORE_POD_ROWS_MAX; i++)
        len += (size_t)snprintf(out + len, NUMBER_TEXT, "%s%llu", i > 0 ? "," : "",
                                (unsigned long long)numbers[i]);
    return (struct guard_span){(const uint8_t *)out, len};
}

struct taking {
    enum guard_rc (*take)(void *ctx, const struct store_pod_records *records);
    void *ctx;
};

static enum guard_rc take_records(void *ctx, const struct store_value *columns)
{
    const struct taking *taking = ctx;
    const struct store_pod_records records = {
        .number = columns[0].number, .time_ms = columns[1].number, .bytes = columns[2].span};
    return taking->take(taking->ctx, &records);
}

enum guard_rc store_list_pod_records(struct store *store, struct guard_span service,
                                     const uint64_t *known, uint32_t count,
                                     enum guard_rc (*take)(void *ctx,
                                                           const struct store_pod_records *records),
                                     void *ctx, struct guard_err *err)
{
    char text[STORE_POD_ROWS_MAX * NUMBER_TEXT];
    struct taking taking = {take, ctx};
    const struct store_value parameters[] = {{.span = service},
                                             {.span = list_of(known, count, text)}};
    return store->backend->run(store, LIST_POD_RECORDS, parameters, take_records, &taking,
                               "records of pods can't be read", err);
}

enum guard_rc store_drop_pod_records(struct store *store, struct guard_span service,
                                     const uint64_t *numbers, uint32_t count, struct guard_err *err)
{
    char text[STORE_POD_ROWS_MAX * NUMBER_TEXT];
    const struct store_value parameters[] = {{.span = service},
                                             {.span = list_of(numbers, count, text)}};
    if (count == 0)
        return GUARD_OK;
    return store->backend->run(store, DROP_POD_RECORDS, parameters, NULL, NULL,
                               "records of pods can't be dropped", err);
}

struct taking_value {
    enum guard_rc (*take)(void *ctx, struct guard_span value);
    void *ctx;
};

static enum guard_rc take_value(void *ctx, const struct store_value *columns)
{
    const struct taking_value *taking = ctx;
    return taking->take(taking->ctx, columns[0].span);
}

enum guard_rc store_read_note(struct store *store, const char *kind, struct guard_span name,
                              enum guard_rc (*take)(void *ctx, struct guard_span value), void *ctx,
                              struct guard_err *err)
{
    const struct store_value parameters[] = {{.span = word(kind)}, {.span = name}};
    struct taking_value taking = {take, ctx};
    return store->backend->run(store, READ_NOTE, parameters, take_value, &taking,
                               "a note can't be read", err);
}

enum guard_rc store_learner(struct store *store, struct guard_span service,
                            enum guard_rc (*take)(void *ctx, struct guard_span node), void *ctx,
                            struct guard_err *err)
{
    const struct store_value parameters[] = {{.span = service}};
    struct taking_value taking = {take, ctx};
    return store->backend->run(store, READ_LEARNER, parameters, take_value, &taking,
                               "who learns can't be read", err);
}
