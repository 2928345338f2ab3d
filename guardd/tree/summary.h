/* SPDX-License-Identifier: Apache-2.0 */
/* What the root needs of a node's traffic and piles don't hold: alerts, verdicts on clients,
 * revisions, deviations by newness alone, and what the breaker counts. A small JSON document of a
 * service, sent when there is something. */
#ifndef GUARDD_TREE_SUMMARY_H
#define GUARDD_TREE_SUMMARY_H

#include "guardd/log_scan.h"

#include "common/document.h"

#include <guard/txn.h>

enum {
    SUMMARY_BYTES_MAX = 240 * 1024,
    SUMMARY_ALERTS_MAX = 64,
    SUMMARY_ALERTS_BYTES = 128 * 1024,
    SUMMARY_NOVEL_MAX = 64,
    SUMMARY_NOVEL_CLIENT = 8, /* of them of one client; so many refusals end a release */
    SUMMARY_CLIENTS_MAX = 128,
    SUMMARY_EVERY_MS = 1000,        /* between two of a service, at least */
    SUMMARY_BREAKER_MS = 15 * 1000, /* between two counts of the breaker */
    SUMMARY_SUBJECT_MAX = 32,
    SUMMARY_SEEN = 8192, /* batches of alerts that are known to have come */
};

/* The head of a record that deviates by new elements only. */
struct summary_novel {
    uint64_t time_ms;
    uint32_t status;
    enum guard_decision decision;
    enum guard_unit unit;
    uint8_t address_len;
    uint8_t address[16];
    uint8_t subject_len;
    uint8_t subject[SUMMARY_SUBJECT_MAX];
    uint32_t count;
    uint64_t elements[GUARD_NOVEL_MAX];
};

/* Of a service, at a node with a parent. */
struct summary {
    bool opened;
    bool sending;
    bool revisions;             /* there are some that the parent wasn't told of */
    bool clients;               /* likewise */
    struct log_position alerts; /* up to where the parent has them */
    struct log_position alerts_sent;
    struct summary_novel *novel; /* SUMMARY_NOVEL_MAX; NULL before the first */
    uint32_t novel_count;
    uint32_t novel_in_flight;
    uint64_t novel_dropped;
    uint64_t next_ms;
    uint64_t breaker_ms;
};

/* A batch of alerts that came, so that one that is sent again isn't told again. */
struct summary_seen {
    uint64_t key;
    uint32_t count; /* of lines */
};

struct service;
struct services;
struct json_writer;

void summary_free(struct summary *summary);
/* At the node: what one record adds. */
void summary_observe(struct services *services, struct service *service,
                     const struct guard_record_head *head, uint64_t now_ms);
/* Whether there is something to send. */
bool summary_due(struct services *services, struct service *service, uint64_t now_ms);
/* Whether the parent wasn't told of all alerts. */
bool summary_alerts_left(const struct services *services, const struct service *service);
/* The document, malloc'd; NULL: no memory, or nothing after all. */
uint8_t *summary_write(struct services *services, struct service *service, size_t *len,
                       uint64_t now_ms);
/* The parent has it, or doesn't and is asked again. */
void summary_sent(struct services *services, struct service *service, bool good, uint64_t now_ms);
/* The position of alerts from and into the store. */
void summary_open(struct service *service, struct guard_span position);
void summary_position(const struct service *service, char out[LOG_POSITION_CAP]);

/* At the parent: takes the document of a reporter. GUARD_E_SYNTAX, GUARD_E_LIMIT. */
GUARD_MUST_USE enum guard_rc summary_take(struct services *services, struct service *service,
                                          const char *reporter, const struct document *document,
                                          struct guard_err *err);
/* At another root, so long after it came: all but the alerts, which are told already, and what is
 * of that moment only. */
GUARD_MUST_USE enum guard_rc summary_hear(struct services *services, struct service *service,
                                          const char *reporter, const struct document *document,
                                          uint64_t age_ms, struct guard_err *err);

#endif
