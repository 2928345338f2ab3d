/* SPDX-License-Identifier: Apache-2.0 */
/* What a service's learner holds back is shown and decided at every guardd that shares its
 * database: those that don't learn it learn from the pile in the database when somebody asks. */
#include "replicas.h"

#include "service.h"

#include "common/file.h"
#include "common/log.h"

#include <string.h>

enum {
    AGAIN_MS = 2000, /* at least between two times */
    SHARE = 20,      /* learning takes at most one part in so many of the time */
};

struct learning {
    struct service *service;
    struct guard_model *model;
};

static enum guard_rc learn(void *ctx, const struct store_service *stored)
{
    struct learning *learning = ctx;
    struct service *service = learning->service;
    struct guard_pile_cfg pile_cfg = {.alloc = heap_alloc(), .service = service->name};
    struct guard_review review = service_review(service);
    struct guard_learn_cfg cfg = {
        .alloc = heap_alloc(), .support = service->guardian.support, .review = &review};
    struct guard_pile *pile = NULL;
    struct guard_err err;
    memcpy(pile_cfg.key, service->key, GUARD_KEY_BYTES);
    if (stored->pile.len == 0)
        return GUARD_OK;
    enum guard_rc rc = guard_pile_decode(&pile, &pile_cfg, stored->pile, &err);
    if (rc == GUARD_OK)
        rc = guard_learn(&learning->model, pile, &cfg, &err);
    guard_pile_free(pile);
    return rc;
}

void replica_look(struct services *services, struct service *service)
{
    struct learning learning = {.service = service};
    struct guard_err err = {.text = ""};
    uint64_t begin = clock_unix_ms();
    uint64_t pause = service->learn_cost_ms * SHARE;
    pause = pause > AGAIN_MS ? pause : AGAIN_MS;
    bool fresh = service->model != NULL && begin >= service->learned_ms &&
                 begin - service->learned_ms < pause;
    if (services->run == 0 || service->replica.learns || fresh)
        return;
    enum guard_rc rc = store_load_service(services->store, service->name, learn, &learning, &err);
    if (rc != GUARD_OK)
        log_event("warn", "not-learned", service->name, "to be shown: %s", guard_rc_name(rc));
    if (learning.model == NULL)
        return;
    guard_model_free(service->model);
    service->model = learning.model;
    service->growth = (struct guard_growth){.held = 0};
    service->learned_ms = begin;
    service->learn_cost_ms = clock_unix_ms() - begin;
}
