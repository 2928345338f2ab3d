/* SPDX-License-Identifier: Apache-2.0 */
/* A node's talk with its parent: keys of services come from there, deltas go there, policies and
 * verdicts on clients come back. Nothing here waits. */
#ifndef GUARDD_TREE_UPLINK_H
#define GUARDD_TREE_UPLINK_H

#include "guardd/pods/forward.h"
#include "guardd/tree/offer.h"
#include "guardd/tree/role.h"

#include "common/json_writer.h"

enum {
    UPLINK_WANTED_MAX = 256,        /* services whose key is asked for at once */
    UPLINK_KEY_WAIT_MS = 60 * 1000, /* so long records wait in their rings for it */
    UPLINK_POSTS_MAX = 8,           /* deltas under way at once */
};

struct uplink;
struct service;
struct services;

/* What it knows of a service. */
struct uplink_service {
    bool posting;
    bool following;
    bool blocked; /* no record can be taken: outbox.h */
    bool summary_refused;
    bool unmergeable;   /* nothing of its spool can be merged */
    bool young;         /* at the parent */
    uint64_t follow_ms; /* not before */
    uint64_t post_ms;
    uint64_t retry_ms; /* no delta is sent before */
    bool unknown;      /* the parent doesn't know it */
    uint32_t failures; /* in a row, of following */
    bool in_place;     /* a good policy of this generation lies in the state directory */
    uint64_t verdicts; /* of the table that does */
    struct offer offered_verdicts;
    bool says_withdrawals; /* the parent does, so that it may be asked for them */
    struct offer offered_withdrawals;
    enum pod_parent pod_records;
    uint64_t
        refused; /* why a policy was, as a checksum: told once; 0: none since the last good one */
};

GUARD_MUST_USE enum guard_rc uplink_new(struct uplink **out, struct services *services,
                                        const struct tree_cfg *cfg, struct guard_err *err);
void uplink_free(struct uplink *uplink);
/* Does what is due. */
void uplink_tick(struct uplink *uplink, uint64_t now_ms);
/* A record of a service came whose key isn't known: it is asked for. True: the record should wait.
 */
bool uplink_want(struct uplink *uplink, struct guard_span name);
/* Asks for keys and policies of the services in the list (as tree_next_listed has it), so that a
 * gate that starts later finds them. NULL of either: nothing. */
void uplink_want_listed(struct uplink *uplink, const char *list);
/* Before the end: a parent that was away is tried once more. */
void uplink_try_again(struct uplink *uplink);
/* Whether nothing that may be sent is left, or the parent is away. */
bool uplink_drained(const struct uplink *uplink);
/* Readable when there is something to do; -1 for NULL. */
int uplink_fd(const struct uplink *uplink);
uint32_t uplink_wait_ms(const struct uplink *uplink, uint32_t max);
/* Where the parent is, as people are told. */
const char *uplink_parent(const struct uplink *uplink);
/* The object "parent" of the status. */
void uplink_status(const struct uplink *uplink, struct json_writer *json, uint64_t now_ms);

#endif
