/* SPDX-License-Identifier: Apache-2.0 */
/* All objects of a kind, listed once and then followed by a watch; listed anew when the server
 * can't go on from where the watch was. */
#ifndef GUARD_COMMON_KUBERNETES_INFORMER_H
#define GUARD_COMMON_KUBERNETES_INFORMER_H

#include "common/kubernetes/api_client.h"
#include "common/kubernetes/watch_stream.h"

enum {
    INFORMER_CONTINUE_CAP = 512,
    INFORMER_VERSION_CAP = 64,
    INFORMER_QUERY_MAX = 320,
    INFORMER_PAGE = 200, /* objects; fewer where their page is larger than an answer may be */
};

enum informer_change { INFORMER_LISTING, INFORMER_OBJECT, INFORMER_GONE, INFORMER_LISTED };

/* LISTING: a list begins; LISTED: it ended, and what wasn't among its OBJECTs isn't there any more.
 * object: NULL but for OBJECT and GONE; until the call returns. */
typedef void informer_take(void *ctx, enum informer_change change,
                           const struct document_node *object);

struct informer {
    struct api_client *client;
    const char *path;  /* "/apis/guard.security/v1alpha1/guardians"; kept */
    const char *query; /* "fieldSelector=..." as it stands in a path, at most INFORMER_QUERY_MAX;
                          NULL: all; kept */
    informer_take *take;
    void *ctx;
    struct watch_stream stream;
    char version[INFORMER_VERSION_CAP];  /* "" : to be listed */
    char next[INFORMER_CONTINUE_CAP];    /* of a list that goes on; "" : from its begin */
    uint32_t page;                       /* objects asked for at once; 0: INFORMER_PAGE */
    bool again;                          /* to be listed when the request under way has ended */
    bool busy;                           /* a request is under way */
    bool synced;                         /* listed once, and it holds */
    uint64_t next_ms;                    /* monotonic: nothing is asked before */
    uint32_t failures;                   /* in a row */
    char failure[KUBERNETES_REASON_CAP]; /* the last one; "" while all is well */
    uint64_t lists, events;              /* since the start */
};

/* Does what is due. */
void informer_tick(struct informer *informer, uint64_t mono_ms);
/* Lists anew, a watch that goes on with its next event: what is there is told once more. */
void informer_relist(struct informer *informer);
void informer_close(struct informer *informer);

#endif
