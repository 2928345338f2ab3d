/* SPDX-License-Identifier: Apache-2.0 */
/* Watches how the clients of services behave: counts records, tells what deviates, and keeps the
 * verdicts on clients that gates follow. docs/internals/clients.md */
#ifndef GUARDD_CLIENTS_H
#define GUARDD_CLIENTS_H

#include "common/lifts.h"
#include "common/state.h"

#include <guard/client.h>

enum { CLIENT_TEXT_CAP = 64, CLIENT_WHY_CAP = 320, CLIENT_LIFTS_MAX = 256 };

struct client_entry {
    char text[CLIENT_TEXT_CAP]; /* as people know it */
    char why[CLIENT_WHY_CAP];
    uint64_t since_ms;
    struct guard_client_verdict verdict;
};

/* A client that people don't want to be blocked for a while. */
struct client_lift {
    char text[CLIENT_TEXT_CAP];
    uint64_t until_ms;
};

/* What a service has of it; all zeros at first. */
struct service_clients {
    struct guard_clients *norm;  /* NULL: no memory */
    struct guard_policy *policy; /* as published last */
    uint8_t *policy_bytes;
    struct client_entry *entries; /* GUARD_CLIENT_VERDICTS_MAX, by code; NULL before the first */
    uint32_t count;
    uint64_t issued_ms;
    struct client_lift *lifts; /* by people; CLIENT_LIFTS_MAX, NULL before the first */
    uint32_t lift_count;
    struct client_block *blocks; /* by people; BLOCKS_MAX, NULL before the first */
    uint32_t block_count;
    uint64_t lifts_stamp; /* of the file of both; 0: there is none */
    bool opened;
    bool sought;  /* whether there are files of it */
    bool changed; /* verdicts differ from the table that gates have */
    bool failing; /* it couldn't be written; tried again some time after: */
    uint64_t tried_ms;
    uint64_t saved_ms;
    uint64_t counted; /* exchanges at the last saving */
};

struct service;
struct services;

/* Counts one record of the service. */
void clients_observe(struct services *services, struct service *service, struct guard_span record,
                     uint64_t time_ms);
/* The policy that was published; the bytes become ours. */
void clients_follow(struct services *services, struct service *service, uint8_t *bytes, size_t len);
/* Ends verdicts, reads what people lifted, writes tables; now and then the norms. */
void clients_tick(struct services *services, uint64_t now_ms);
/* Writes the norms of all services, at the end of the daemon's life. */
void clients_save(struct services *services, uint64_t now_ms);
void clients_free(struct service_clients *clients);
/* Ends the verdicts on a client, as client_is says who that is, and tells gates. Returns how many
 * they are; dry: that alone. */
uint32_t clients_forget(struct services *services, struct service *service, const char *who,
                        bool dry);
/* The service has another key: norms and names of clients are of the old one. */
void clients_rekey(struct service_clients *clients);

/* A node below found that a client should be blocked. */
void clients_reported(struct services *services, struct service *service,
                      const struct client_entry *entry, uint64_t now_ms);

/* client_files.c: what of it lies in the state directory. */
/* Reads norms, verdicts and the number of the table that gates may have. */
void client_files_load(struct services *services, struct service *service, uint64_t now_ms);
/* Whether there is anything of it. */
bool client_files_there(const struct services *services, const struct service *service);
/* Whether people decided anything of single clients. */
bool client_files_decided(const struct services *services, const struct service *service);
/* Reads lifts and blocks when their file changed; true: they differ. */
bool client_files_lifts(struct services *services, struct service *service);
/* Takes a client's lifts and blocks (who NULL: those that are over) out of their file; their number
 * is added to *count. dry: that alone. */
GUARD_MUST_USE enum guard_rc client_files_forget_lifts(const struct services *services,
                                                       const struct service *service,
                                                       const char *who, bool dry, uint64_t *count,
                                                       struct guard_err *err);
/* The signed table for gates, and the same for people. False after an alarm. */
bool client_files_verdicts(struct services *services, struct service *service, uint64_t now_ms);
/* The rule of that name; that of rates when there is none. */
enum guard_rule client_files_rule(const char *name);
void client_files_norm(struct services *services, struct service *service);

#endif
