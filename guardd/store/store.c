/* SPDX-License-Identifier: Apache-2.0 */
/* The store's meaning, on whatever database it lies: what is saved and read in which statement. */
#include "guardd/store.h"

#include "backend.h"
#include "postgres.h"
#include "sqlite.h"

#include "common/file.h"

#include <guard/crypto.h>
#include <guard/pile.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RING_TEXT_MAX = 256 };

static struct store_value text_of(struct guard_span span)
{
    return (struct store_value){
        .span = {span.ptr != NULL ? span.ptr : (const uint8_t *)"", span.len}};
}

static struct store_value number_of(uint64_t number)
{
    return (struct store_value){.number = number};
}

static struct guard_span word(const char *text)
{
    return (struct guard_span){(const uint8_t *)text, strlen(text)};
}

static enum guard_rc change(struct store *store, enum store_statement statement,
                            const struct store_value *parameters, const char *what,
                            struct guard_err *err)
{
    return store->backend->run(store, statement, parameters, NULL, NULL, what, err);
}

enum guard_rc store_open(struct store **out, const char *where, const char *node, bool *damaged,
                         struct guard_err *err)
{
    static const char file[] = "sqlite:";
    *damaged = false;
    if (strncmp(where, "postgresql:", 11) == 0 || strncmp(where, "postgres:", 9) == 0)
        return postgres_open(out, where, node, err);
    if (strncmp(where, file, sizeof(file) - 1) == 0)
        where += sizeof(file) - 1;
    if (where[0] == '\0')
        return guard_fail(err, GUARD_E_RANGE, "store: no file is named");
    return sqlite_open(out, where, damaged, err);
}

void store_close(struct store *store)
{
    if (store != NULL)
        store->backend->close(store);
}

enum guard_rc store_begin(struct store *store, struct guard_err *err)
{
    return store->backend->begin(store, err);
}

enum guard_rc store_commit(struct store *store, struct guard_err *err)
{
    return store->backend->commit(store, err);
}

void store_rollback(struct store *store)
{
    store->backend->rollback(store);
}

enum guard_rc store_durable(struct store *store, struct guard_err *err)
{
    return store->backend->durable(store, err);
}

/* --- services --- */

enum guard_rc store_check_pile(struct guard_span service, struct guard_span pile,
                               struct guard_err *err)
{
    const struct guard_pile_cfg cfg = {.alloc = heap_alloc()};
    struct guard_pile *whole = NULL;
    struct guard_err why;
    enum guard_rc rc = guard_pile_decode(&whole, &cfg, pile, &why);
    guard_pile_free(whole);
    if (rc != GUARD_E_VERSION) /* the first bytes alone are no sound pile, but tell that */
        return GUARD_OK;
    return guard_fail(
        err, GUARD_E_VERSION,
        "store: service %.*s: %.200s. Nothing was changed: go on with the guardd that "
        "wrote it, or put the store aside to learn anew",
        (int)service.len, (const char *)service.ptr, why.text);
}

enum guard_rc store_save_service(struct store *store, const struct store_service *service,
                                 struct guard_err *err)
{
    const struct store_value parameters[] = {
        text_of(service->name), text_of((struct guard_span){service->key, GUARD_KEY_BYTES}),
        number_of(service->generation),
        (struct store_value){
            .span = {service->pile.len > 0 ? service->pile.ptr : NULL, service->pile.len}}};
    return change(store, SAVE_SERVICE, parameters, "a service can't be saved", err);
}

struct taking_service {
    enum guard_rc (*take)(void *ctx, const struct store_service *service);
    void *ctx;
};

static enum guard_rc take_service(void *ctx, const struct store_value *columns)
{
    const struct taking_service *taking = ctx;
    struct store_service service = {
        .name = columns[0].span, .generation = columns[2].number, .pile = columns[3].span};
    if (columns[1].span.len != GUARD_KEY_BYTES || columns[0].span.ptr == NULL)
        return GUARD_OK;
    memcpy(service.key, columns[1].span.ptr, GUARD_KEY_BYTES);
    return taking->take(taking->ctx, &service);
}

enum guard_rc store_load_services(struct store *store,
                                  enum guard_rc (*take)(void *ctx,
                                                        const struct store_service *service),
                                  void *ctx, struct guard_err *err)
{
    struct taking_service taking = {take, ctx};
    return store->backend->run(store, LOAD_SERVICES, NULL, take_service, &taking,
                               "services can't be read", err);
}

/* --- generations --- */

enum guard_rc store_save_generation(struct store *store, const struct store_generation *generation,
                                    struct guard_err *err)
{
    const struct store_value parameters[] = {
        text_of(generation->service), number_of(generation->number),
        number_of(generation->created_ms), number_of(generation->exchanges),
        text_of(generation->pile)};
    return change(store, SAVE_GENERATION, parameters, "a generation can't be saved", err);
}

enum guard_rc store_drop_generation(struct store *store, struct guard_span service, uint64_t number,
                                    struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(number)};
    return change(store, DROP_GENERATION, parameters, "a generation can't be dropped", err);
}

struct taking_generation {
    void (*take)(void *ctx, const struct store_generation *generation);
    void *ctx;
    struct guard_span service;
};

static enum guard_rc take_generation(void *ctx, const struct store_value *columns)
{
    const struct taking_generation *taking = ctx;
    const struct store_generation generation = {.service = taking->service,
                                                .number = columns[0].number,
                                                .created_ms = columns[1].number,
                                                .exchanges = columns[2].number};
    taking->take(taking->ctx, &generation);
    return GUARD_OK;
}

enum guard_rc store_list_generations(struct store *store, struct guard_span service,
                                     void (*take)(void *ctx,
                                                  const struct store_generation *generation),
                                     void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service)};
    struct taking_generation taking = {take, ctx, service};
    return store->backend->run(store, LIST_GENERATIONS, parameters, take_generation, &taking,
                               "generations can't be read", err);
}

struct taking_pile {
    enum guard_rc (*take)(void *ctx, struct guard_span pile, struct guard_err *err);
    void *ctx;
    struct guard_err *err;
    bool found;
};

static enum guard_rc take_pile(void *ctx, const struct store_value *columns)
{
    struct taking_pile *taking = ctx;
    taking->found = true;
    return taking->take(taking->ctx, columns[0].span, taking->err);
}

enum guard_rc store_load_generation(struct store *store, struct guard_span service, uint64_t number,
                                    enum guard_rc (*take)(void *ctx, struct guard_span pile,
                                                          struct guard_err *err),
                                    void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(number)};
    struct taking_pile taking = {take, ctx, err, false};
    GUARD_TRY(store->backend->run(store, LOAD_GENERATION, parameters, take_pile, &taking,
                                  "a generation can't be read", err));
    return taking.found
               ? GUARD_OK
               : guard_fail(err, GUARD_E_RANGE, "generation %" PRIu64 " isn't kept", number);
}

/* --- revisions --- */

enum guard_rc store_save_revisions(struct store *store, struct guard_span service,
                                   const struct store_revision *revisions, uint32_t count,
                                   struct guard_err *err)
{
    const struct store_value which[] = {text_of(service)};
    GUARD_TRY(change(store, DROP_REVISIONS, which, "revisions can't be dropped", err));
    for (uint32_t i = 0; i < count; i++) {
        const struct store_value parameters[] = {
            text_of(service), number_of(i), text_of(revisions[i].text),
            number_of(revisions[i].seen_ms), number_of(revisions[i].until_ms)};
        GUARD_TRY(change(store, SAVE_REVISION, parameters, "a revision can't be saved", err));
    }
    return GUARD_OK;
}

struct taking_revision {
    void (*take)(void *ctx, const struct store_revision *revision);
    void *ctx;
};

static enum guard_rc take_revision(void *ctx, const struct store_value *columns)
{
    const struct taking_revision *taking = ctx;
    const struct store_revision revision = {
        .text = columns[0].span, .seen_ms = columns[1].number, .until_ms = columns[2].number};
    if (revision.text.ptr != NULL)
        taking->take(taking->ctx, &revision);
    return GUARD_OK;
}

enum guard_rc store_list_revisions(struct store *store, struct guard_span service,
                                   void (*take)(void *ctx, const struct store_revision *revision),
                                   void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service)};
    struct taking_revision taking = {take, ctx};
    return store->backend->run(store, LIST_REVISIONS, parameters, take_revision, &taking,
                               "revisions can't be read", err);
}

/* --- positions in rings --- */

/* Several guardds may have rings of the same name. */
static struct store_value ring_of(const struct store *store, const char *ring,
                                  char out[RING_TEXT_MAX])
{
    snprintf(out, RING_TEXT_MAX, "%s%s%s", store->node, store->node[0] != '\0' ? "/" : "", ring);
    return text_of(word(out));
}

enum guard_rc store_save_position(struct store *store, const char *ring, uint64_t incarnation,
                                  uint64_t sequence, struct guard_err *err)
{
    char text[RING_TEXT_MAX];
    const struct store_value parameters[] = {ring_of(store, ring, text), number_of(incarnation),
                                             number_of(sequence)};
    return change(store, SAVE_POSITION, parameters, "a position can't be saved", err);
}

enum guard_rc store_forget_position(struct store *store, const char *ring, struct guard_err *err)
{
    char text[RING_TEXT_MAX];
    const struct store_value parameters[] = {ring_of(store, ring, text)};
    return change(store, FORGET_POSITION, parameters, "a position can't be forgotten", err);
}

struct position {
    uint64_t incarnation;
    uint64_t sequence;
};

static enum guard_rc take_position(void *ctx, const struct store_value *columns)
{
    *(struct position *)ctx = (struct position){columns[0].number, columns[1].number};
    return GUARD_OK;
}

enum guard_rc store_load_position(struct store *store, const char *ring, uint64_t *incarnation,
                                  uint64_t *sequence, struct guard_err *err)
{
    char text[RING_TEXT_MAX];
    const struct store_value parameters[] = {ring_of(store, ring, text)};
    struct position position = {0, 0};
    enum guard_rc rc = store->backend->run(store, LOAD_POSITION, parameters, take_position,
                                           &position, "a position can't be read", err);
    *incarnation = position.incarnation;
    *sequence = position.sequence;
    return rc;
}

/* --- of nodes of a tree --- */

enum guard_rc store_save_note(struct store *store, const char *kind, struct guard_span name,
                              struct guard_span value, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(word(kind)), text_of(name), text_of(value)};
    return change(store, SAVE_NOTE, parameters, "a note can't be saved", err);
}

enum guard_rc store_drop_note(struct store *store, const char *kind, struct guard_span name,
                              struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(word(kind)), text_of(name)};
    return change(store, DROP_NOTE, parameters, "a note can't be dropped", err);
}

struct taking_note {
    enum guard_rc (*take)(void *ctx, struct guard_span name, struct guard_span value);
    void *ctx;
};

static enum guard_rc take_note(void *ctx, const struct store_value *columns)
{
    const struct taking_note *taking = ctx;
    return taking->take(taking->ctx, columns[0].span, columns[1].span);
}

enum guard_rc store_list_notes(struct store *store, const char *kind,
                               enum guard_rc (*take)(void *ctx, struct guard_span name,
                                                     struct guard_span value),
                               void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(word(kind))};
    struct taking_note taking = {take, ctx};
    return store->backend->run(store, LIST_NOTES, parameters, take_note, &taking,
                               "notes can't be read", err);
}

enum guard_rc store_add_delta(struct store *store, struct guard_span service, uint64_t number,
                              struct guard_span pile, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(number), text_of(pile)};
    return change(store, ADD_DELTA, parameters, "a delta can't be saved", err);
}

enum guard_rc store_drop_deltas(struct store *store, struct guard_span service, uint64_t up_to,
                                struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(up_to)};
    return change(store, DROP_DELTAS, parameters, "deltas can't be dropped", err);
}

struct taking_delta {
    enum guard_rc (*take)(void *ctx, uint64_t number, struct guard_span pile);
    void *ctx;
};

static enum guard_rc take_delta(void *ctx, const struct store_value *columns)
{
    const struct taking_delta *taking = ctx;
    return taking->take(taking->ctx, columns[0].number, columns[1].span);
}

enum guard_rc store_list_deltas(struct store *store, struct guard_span service,
                                enum guard_rc (*take)(void *ctx, uint64_t number,
                                                      struct guard_span pile),
                                void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service)};
    struct taking_delta taking = {take, ctx};
    return store->backend->run(store, LIST_DELTAS, parameters, take_delta, &taking,
                               "deltas can't be read", err);
}

/* --- of a database that several guardds share --- */

bool store_shared(const struct store *store)
{
    return store->node[0] != '\0';
}

uint64_t store_session(const struct store *store)
{
    return store->session;
}

enum store_outcome store_take_outcome(struct store *store)
{
    enum store_outcome outcome = store->outcome;
    store->outcome = STORE_CERTAIN;
    store->watched = true;
    return outcome;
}

static enum guard_rc take_number(void *ctx, const struct store_value *columns)
{
    *(uint64_t *)ctx = columns[0].number;
    return GUARD_OK;
}

enum guard_rc store_claim(struct store *store, struct guard_span service, uint64_t *fence,
                          struct guard_err *err)
{
    static const uint64_t seed = UINT64_C(0x6775617264643a31); /* apart from other uses of locks */
    const struct store_value lock[] = {number_of(guard_checksum(seed, service))};
    const struct store_value claim[] = {text_of(service), text_of(word(store->node))};
    uint64_t locked = 0;
    *fence = 0;
    GUARD_TRY(store->backend->run(store, LOCK_SERVICE, lock, take_number, &locked,
                                  "a service can't be claimed", err));
    return locked == 0 ? GUARD_OK
                       : store->backend->run(store, CLAIM_SERVICE, claim, take_number, fence,
                                             "a service can't be claimed", err);
}

enum guard_rc store_confirm(struct store *store, struct guard_span service, uint64_t fence,
                            struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(fence)};
    uint64_t found = 0;
    GUARD_TRY(store->backend->run(store, CONFIRM_SERVICE, parameters, take_number, &found,
                                  "the learner can't be confirmed", err));
    return found == fence && fence != 0
               ? GUARD_OK
               : guard_fail(err, GUARD_E_STATE, "another guardd learns the service");
}

static enum guard_rc take_key(void *ctx, const struct store_value *columns)
{
    if (columns[0].span.len != GUARD_KEY_BYTES)
        return GUARD_E_SYNTAX;
    memcpy(ctx, columns[0].span.ptr, GUARD_KEY_BYTES);
    return GUARD_OK;
}

enum guard_rc store_service_key(struct store *store, struct guard_span service,
                                uint8_t key[GUARD_KEY_BYTES], struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service),
                                             text_of((struct guard_span){key, GUARD_KEY_BYTES})};
    GUARD_TRY(change(store, ADD_SERVICE, parameters, "a service can't be added", err));
    return store->backend->run(store, READ_SERVICE_KEY, parameters, take_key, key,
                               "a service's key can't be read", err);
}

enum guard_rc store_load_service(struct store *store, struct guard_span service,
                                 enum guard_rc (*take)(void *ctx,
                                                       const struct store_service *service),
                                 void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service)};
    struct taking_service taking = {take, ctx};
    return store->backend->run(store, LOAD_ONE_SERVICE, parameters, take_service, &taking,
                               "a service can't be read", err);
}

enum guard_rc store_save_feed(struct store *store, const struct store_feed *feed,
                              struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(feed->service), text_of(word(store->node)),
                                             number_of(feed->number), text_of(feed->pile),
                                             number_of(feed->taken)};
    return change(store, SAVE_FEED, parameters, "a feed can't be saved", err);
}

struct taking_feed {
    enum guard_rc (*take)(void *ctx, const struct store_feed *feed);
    void *ctx;
    struct guard_span service;
};

static enum guard_rc take_feed(void *ctx, const struct store_value *columns)
{
    const struct taking_feed *taking = ctx;
    const struct store_feed feed = {.service = taking->service,
                                    .node = columns[0].span,
                                    .number = columns[1].number,
                                    .pile = columns[2].span};
    return taking->take(taking->ctx, &feed);
}

enum guard_rc store_list_feeds(struct store *store, struct guard_span service, uint64_t fence,
                               enum guard_rc (*take)(void *ctx, const struct store_feed *feed),
                               void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(fence)};
    struct taking_feed taking = {take, ctx, service};
    return store->backend->run(store, LIST_FEEDS, parameters, take_feed, &taking,
                               "feeds can't be read", err);
}

struct taking_name {
    enum guard_rc (*take)(void *ctx, struct guard_span service);
    void *ctx;
};

static enum guard_rc take_name(void *ctx, const struct store_value *columns)
{
    const struct taking_name *taking = ctx;
    return taking->take(taking->ctx, columns[0].span);
}

enum guard_rc store_list_fed(struct store *store,
                             enum guard_rc (*take)(void *ctx, struct guard_span service), void *ctx,
                             struct guard_err *err)
{
    struct taking_name taking = {take, ctx};
    return store->backend->run(store, LIST_FED, NULL, take_name, &taking, "feeds can't be listed",
                               err);
}

enum guard_rc store_take_feed(struct store *store, const struct store_feed *feed, uint64_t fence,
                              struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(feed->service), text_of(feed->node),
                                             number_of(feed->number), number_of(fence)};
    return change(store, TAKE_FEED, parameters, "a feed can't be taken", err);
}

enum guard_rc store_drop_taken(struct store *store, struct guard_span service, uint64_t fence,
                               struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(fence)};
    return change(store, DROP_TAKEN, parameters, "feeds can't be dropped", err);
}

enum guard_rc store_save_policy(struct store *store, struct guard_span service, uint64_t generation,
                                struct guard_span policy, bool ready, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service), number_of(generation),
                                             text_of(policy), number_of(ready)};
    return change(store, SAVE_POLICY, parameters, "a policy can't be saved", err);
}

struct taking_policy {
    enum guard_rc (*take)(void *ctx, const struct store_policy *policy);
    void *ctx;
};

static enum guard_rc take_policy(void *ctx, const struct store_value *columns)
{
    const struct taking_policy *taking = ctx;
    const struct store_policy policy = {columns[0].span, columns[1].number, columns[2].number != 0};
    return taking->take(taking->ctx, &policy);
}

enum guard_rc store_list_policies(struct store *store,
                                  enum guard_rc (*take)(void *ctx,
                                                        const struct store_policy *policy),
                                  void *ctx, struct guard_err *err)
{
    struct taking_policy taking = {take, ctx};
    return store->backend->run(store, LIST_POLICIES, NULL, take_policy, &taking,
                               "policies can't be listed", err);
}

enum guard_rc store_load_policy(struct store *store, struct guard_span service,
                                enum guard_rc (*take)(void *ctx, struct guard_span policy,
                                                      struct guard_err *err),
                                void *ctx, struct guard_err *err)
{
    const struct store_value parameters[] = {text_of(service)};
    struct taking_pile taking = {take, ctx, err, false};
    GUARD_TRY(store->backend->run(store, LOAD_POLICY, parameters, take_pile, &taking,
                                  "a policy can't be read", err));
    return taking.found ? GUARD_OK : guard_fail(err, GUARD_E_RANGE, "there is no policy yet");
}

enum guard_rc store_forget_service(struct store *store, struct guard_span service,
                                   struct guard_err *err)
{
    static const enum store_statement own[] = {DROP_REVISIONS, FORGET_GENERATIONS, FORGET_DELTAS,
                                               FORGET_HISTORY, FORGET_SERVICE};
    static const enum store_statement shared[] = {FORGET_FEEDS,     FORGET_POLICY,
                                                  FORGET_TOLD,      FORGET_CHANGES,
                                                  FORGET_DOCUMENTS, FORGET_POD_RECORDS};
    const struct store_value parameters[] = {text_of(service)};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        GUARD_TRY(change(store, own[i], parameters, "a service can't be forgotten", err));
    for (size_t i = 0; store_shared(store) && i < sizeof(shared) / sizeof(shared[0]); i++)
        GUARD_TRY(change(store, shared[i], parameters, "a service can't be forgotten", err));
    return GUARD_OK;
}
