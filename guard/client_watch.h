/* SPDX-License-Identifier: Apache-2.0 */
/* How clients behave in recorded traffic: exchange by exchange, each against what all others did
 * up to then. */
#ifndef GUARD_CLI_CLIENT_WATCH_H
#define GUARD_CLI_CLIENT_WATCH_H

#include <guard/client.h>

/* All zeros at first. */
struct client_watch {
    struct guard_client_places *places;
    struct guard_clients *clients;
    struct guard_client_report report;
    struct guard_verdict whole;
    uint8_t *record;
    uint64_t reported;
};

/* False after a message. */
bool client_watch_open(struct client_watch *watch, struct guard_span service);
void client_watch_close(struct client_watch *watch);
/* The verdict on the exchange with what is to be said of its client by it, as mode "block" would
 * take it. Lives until the next call. */
const struct guard_verdict *client_watch_judge(struct client_watch *watch,
                                               const struct guard_policy *policy,
                                               struct guard_txn *txn,
                                               const struct guard_verdict *verdict);

#endif
