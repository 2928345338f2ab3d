/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the uplink share: uplink.c, which sends, and follow.c, to which policies and
 * what is offered beside them come. For nobody else. */
#ifndef GUARDD_TREE_UPLINK_INNER_H
#define GUARDD_TREE_UPLINK_INNER_H

#include "guardd/tree/uplink.h"

#include "guardd/service.h"

#include "common/http_client.h"

enum { UPLINK_REQUEST_MS = 30000 };

struct wanted {
    char name[SERVICE_NAME_CAP];
    uint64_t since_ms;
    uint64_t next_ms; /* not before */
    bool asking;
    bool told;
};

struct uplink {
    struct http_client *client;
    struct services *services;
    char server[256]; /* as people are told */
    struct wanted wanted[UPLINK_WANTED_MAX];
    uint32_t wanted_count;
    uint32_t asking;
    uint32_t posting;
    uint32_t failures; /* in a row */
    uint64_t next_ms;  /* nothing is sent before */
    uint64_t since_ms; /* of the parent's being there, or away */
    bool there;
    bool known; /* it was tried */
    bool closing;
    char failure[256];
    /* Counted since the start. */
    uint64_t sent;
    uint64_t unkeyed; /* records of services without a key */
};

/* What a request was about. The wanted may move, so it is found by name. */
struct asked {
    struct uplink *uplink;
    struct service *service; /* NULL: a key is asked for */
    char name[SERVICE_NAME_CAP];
    uint64_t number; /* of a delta: its first */
};

/* About a service, NULL with another name. Owned by the request, whose end frees it; NULL: no
 * memory. */
struct asked *uplink_asked(struct uplink *uplink, struct service *service, const char *name);
/* What an answer says of the parent. */
void uplink_there(struct uplink *uplink, uint64_t now_ms);
void uplink_away(struct uplink *uplink, const struct http_answer *answer, uint64_t now_ms);
/* Whether the answer says nothing of what was sent, only of the parent, or of our right to talk. */
bool uplink_is_of_parent(const struct http_answer *answer);
/* *begun: it is under way; else the parent counts as away. Takes asked, NULL too. */
void uplink_begin(struct uplink *uplink, struct http_request *request, struct asked *asked,
                  bool *begun);
/* Asks for what is newer than what is in place, of all services. */
void uplink_follow(struct uplink *uplink, uint64_t now_ms);

#endif
