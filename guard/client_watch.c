/* SPDX-License-Identifier: Apache-2.0 */
/* The same counting as guardd's, on the records that guardd would get. */
#include "client_watch.h"

#include "command.h"
#include "common/file.h"

#include <stdlib.h>
#include <string.h>

bool client_watch_open(struct client_watch *watch, struct guard_span service)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_clients_cfg cfg = {.alloc = heap, .service = service};
    struct guard_err err = {"no memory"};
    watch->record = malloc(GUARD_RECORD_MAX);
    if (watch->record != NULL &&
        guard_client_places_new(&watch->places, &heap, GUARD_CLIENT_PLACES) == GUARD_OK) {
        cfg.places = watch->places;
        if (guard_clients_new(&watch->clients, &cfg, &err) == GUARD_OK)
            return true;
    }
    return complain(0, "%s", err.text) != 0;
}

void client_watch_close(struct client_watch *watch)
{
    guard_clients_free(watch->clients);
    guard_client_places_free(watch->places);
    free(watch->record);
}

/* Strongest first. */
static void add_finding(struct guard_verdict *whole, const struct guard_finding *finding)
{
    uint32_t at =
        whole->finding_count < GUARD_FINDINGS_MAX ? whole->finding_count++ : GUARD_FINDINGS_MAX - 1;
    for (; at > 0 && whole->findings[at - 1].strength < finding->strength; at--)
        whole->findings[at] = whole->findings[at - 1];
    whole->findings[at] = *finding;
}

const struct guard_verdict *client_watch_judge(struct client_watch *watch,
                                               const struct guard_policy *policy,
                                               struct guard_txn *txn,
                                               const struct guard_verdict *verdict)
{
    size_t len = 0;
    if (guard_txn_record(txn, watch->record, GUARD_RECORD_MAX, &len) != GUARD_OK ||
        guard_clients_observe(watch->clients, policy, GUARD_MODE_BLOCK,
                              (struct guard_span){watch->record, len},
                              &watch->report) != GUARD_OK ||
        watch->report.verdict.finding_count == 0)
        return verdict;
    const struct guard_verdict *client = &watch->report.verdict;
    struct guard_verdict *whole = &watch->whole;
    watch->reported++;
    *whole = *verdict;
    whole->finding_total += client->finding_total;
    if (client->decision > whole->decision)
        whole->decision = whole->action = client->decision;
    if (client->score > whole->score)
        whole->score = client->score;
    for (uint32_t i = 0; i < client->finding_count; i++)
        add_finding(whole, &client->findings[i]);
    return whole;
}
