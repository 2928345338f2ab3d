/* SPDX-License-Identifier: Apache-2.0 */
/* What the operator knows of the cluster: Guardians, the defaults of namespaces, those of the
 * cluster with its floor. */
#ifndef GUARDD_OPERATOR_OBJECTS_H
#define GUARDD_OPERATOR_OBJECTS_H

#include "guardd/service.h"

#include "common/document.h"
#include "common/kubernetes/moment.h"

enum {
    OBJECTS_MAX = 2048,
    OBJECTS_PLACES = 8192,          /* of the index */
    OBJECTS_SHARE = 256,            /* of one namespace, also those that are gone */
    OBJECTS_TOLD = 32,              /* of a namespace's beyond its share, that are told so */
    OBJECTS_SHARE_BYTES = 16 << 20, /* of one namespace's specs */
    OBJECTS_BYTES = 128 << 20,      /* of all specs */
    OBJECT_NAME_CAP = 256,
    OBJECT_LABEL_CAP = 64, /* a namespace */
    OBJECT_WHY_CAP = 400,
    OBJECT_SETTLE_MS = 3000,   /* a file is read and its policy made */
    OBJECT_PENDING_MS = 30000, /* when that takes longer it is told */
};

enum object_condition {
    CONDITION_READY,
    CONDITION_LEARNED,
    CONDITION_ENFORCING,
    CONDITION_DEGRADED,
    CONDITION_NOT_IN_PATH,
    CONDITIONS,
};

struct condition_state {
    const char *status; /* as the object says it: "True", "False", "Unknown"; NULL: it doesn't */
    char since[KUBERNETES_MOMENT_CAP];
};

enum object_event { EVENT_REFUSED, EVENT_BLOCKED, EVENT_PATH, OBJECT_EVENTS };

/* What canaries proved of a Guardian's service; see canary.h. */
struct canary_state {
    const char *status; /* of the condition NotInPath; NULL: not known yet */
    char reason[32];
    char message[OBJECT_WHY_CAP];
    bool ours;       /* by our own canaries; else as the object said it */
    bool doubted;    /* the last round found what is told only when the next one does, too */
    uint64_t due_ms; /* monotonic: the next round not before */
    uint64_t key_of; /* generation of the policy that the key is of; 0: there is none */
    uint8_t key[32];
};

struct event_series {
    char name[OBJECT_NAME_CAP]; /* of the object; "" : none */
    uint64_t begun_ms;          /* monotonic */
    uint64_t told_ms;
    uint64_t count; /* of the series, as the cluster knows it */
    uint64_t due;   /* that it doesn't know yet */
    uint64_t sent;  /* of those, under way */
    bool busy;
};

/* The GuardianProfile of a Guardian. */
struct object_profile {
    bool wanted; /* spec.profile */
    bool there;  /* the cluster has one, as far as the status tells */
    bool busy;
    bool failing;
    uint64_t written;  /* a checksum of what was written last; 0: to be written in any case */
    uint64_t sent;     /* of what is under way */
    uint64_t seen_ms;  /* of the model that was looked at last */
    uint64_t write_ms; /* monotonic: the next one not before */
};

/* A Guardian, or the defaults of a namespace or the cluster. */
struct object {
    char namespace[OBJECT_LABEL_CAP]; /* "" of the cluster's */
    char name[OBJECT_NAME_CAP];
    char uid[64];
    char version[64]; /* that was seen last: a status of another one is written by others */
    int64_t generation;
    uint8_t *spec; /* JSON; NULL: there is no such object, but a service that would be its */
    size_t spec_len;
    bool there;
    bool listed; /* by the list that goes on */
    bool beyond; /* its namespace's share: no spec is kept, nothing is made of it but `why` */
    /* What became of it. */
    bool dirty;                     /* to be merged and written */
    char service[SERVICE_NAME_CAP]; /* "" : the name is no service's */
    char why[OBJECT_WHY_CAP];       /* it isn't in force; "" when it is */
    struct condition_state conditions[CONDITIONS];
    uint64_t alerts;
    uint64_t alerts_told; /* of those, that the status has, as far as we know */
    uint64_t written;     /* a checksum of the status that was written last */
    uint64_t settle_ms;   /* monotonic: until then it is being taken in, and nothing is told */
    uint64_t write_ms;    /* the next one not before */
    uint64_t look_ms;     /* whether there is one to write is looked at not before */
    uint32_t at;          /* where its service was found in guardd's list */
    bool writing;
    bool overtaken; /* a list or watch told of it since that began */
    struct event_series events[OBJECT_EVENTS];
    struct canary_state canary;
    struct object_profile profile;
};

struct objects {
    struct object **list;
    uint32_t count;
    uint32_t *places; /* a hash table: indexes of list + 1 by namespace and name; 0: free */
    uint64_t seed;
    size_t bytes;      /* of all specs */
    uint64_t left_out; /* beyond the maximum, or what is told of a namespace */
    bool waiting;      /* there are some beyond a share, and one went: to be listed anew */
    bool recalls;      /* somebody else leads: they count alerts, and we add to it */
};

struct object *objects_find(const struct objects *objects, const char *namespace, const char *name);
/* Finds it or makes it, if its namespace has more than its share as one that is beyond it; NULL:
 * too many, or no memory. Those that are gone make room. */
struct object *objects_get(struct objects *objects, const char *namespace, const char *name);
/* The same for a service that guardd has: it has a place in any case, so that the floor holds. */
struct object *objects_know(struct objects *objects, const char *namespace, const char *name);
/* The one whose service it is; NULL: none. */
struct object *objects_of_service(const struct objects *objects, struct guard_span service);
/* Takes what a list or watch says of an object. True: what it says is new. */
bool objects_take(struct objects *objects, struct object *object, const struct document_node *node);
/* Takes the version that a status is made for, and since when conditions are what they are in just
 * that one. */
void objects_recall(struct object *object, const struct document_node *node);
void objects_gone(struct objects *objects, struct object *object);
void objects_free(struct objects *objects);

#endif
