/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the injection share: the plan for one pod, made and checked before anything is
 * changed. */
#ifndef GUARD_COMMON_INJECT_PARTS_H
#define GUARD_COMMON_INJECT_PARTS_H

#include "common/document_edit.h"
#include "common/document_members.h"
#include "common/inject/inject.h"
#include "common/state.h"

#define INJECT_CONTAINER "guard"
#define INJECT_STATE_VOLUME "guard-state"
#define INJECT_NO_TOKEN_VOLUME "guard-no-api"
#define INJECT_GUARDIAN_VOLUME "guard-guardian"
#define INJECT_PARENT_VOLUME "guard-parent"

enum {
    INJECT_PORTS_MAX = 8,
    INJECT_GATE_PORT = 14080, /* the first; no mesh and nothing of Knative's listens there */
    INJECT_PODS_MAX = 256
};

struct inject_port {
    const char *name; /* as Services call it; NULL when it has none */
    long app;
    long gate;
    struct document_node *container; /* NULL: none declares it */
    struct document_node *entry;     /* in its ports; NULL likewise */
};

struct injection {
    const struct document *document;
    const struct inject_cfg *cfg;
    char object[INJECT_OBJECT_CAP]; /* "Deployment/shop" */
    const char *kind;
    const char *name;       /* of the object */
    const char *name_space; /* "": not said */
    char service[STATE_SERVICE_MAX + 1];
    inject_tell *tell;
    void *ctx;
    struct guard_err *err;
    struct document_edit edit;
};

struct inject_plan {
    struct document_node *template; /* has metadata and spec */
    struct document_node *spec;
    struct document_node *containers;
    struct document_node *labels; /* NULL: none */
    struct document_node *annotations;
    struct inject_port ports[INJECT_PORTS_MAX];
    uint32_t port_count;
    const char *service;
    const char *mode;
    const char *guardian;
    const char *drain;
    const char *probe;    /* a path that the gate asks the application for; NULL: none */
    const char *revision; /* the field that names the revision; NULL: none */
    bool native;
    bool pod_sensor;                  /* guardd watches the pod, and tells the parent */
    bool marked;                      /* has Guard already */
    bool knative;                     /* the container holds the port of a Knative Service */
    struct document_node *queue_port; /* value of USER_PORT of Knative's queue-proxy */
};

/* Fails with "file:line:column: object: path: text". */
enum guard_rc inject_fail(const struct injection *in, const struct document_node *at,
                          enum guard_rc rc, const char *format, ...) GUARD_PRINTF(4, 5);
void inject_say(const struct injection *in, const char *format, ...) GUARD_PRINTF(2, 3);
/* The member, NULL when absent or null. GUARD_E_SYNTAX when it is of another kind. */
GUARD_MUST_USE enum guard_rc inject_member(const struct injection *in,
                                           const struct document_node *parent, const char *name,
                                           enum document_kind kind, struct document_node **out);
/* A port's number, 1 to 65535; 0 for anything else. */
long inject_number(const char *text);
/* A name of Kubernetes objects (RFC 1123, with dots). */
bool inject_is_name(const char *text);
bool inject_is_mode(const char *text);
bool inject_is_time(const char *text); /* 1s to 3600s, 60m */

/* Reads metadata, settings and the mark; ports are chosen or taken from the mark. *wanted false:
 * the pod is to be left, which was told. */
GUARD_MUST_USE enum guard_rc inject_plan(struct injection *in, struct document_node *template,
                                         struct inject_plan *plan, bool *wanted);
/* The same for the template of a Knative Service, whose port is its own matter. */
GUARD_MUST_USE enum guard_rc inject_knative_plan(struct injection *in,
                                                 struct document_node *template,
                                                 struct inject_plan *plan, bool *wanted);
GUARD_MUST_USE enum guard_rc inject_ports(struct injection *in, struct inject_plan *plan,
                                          const char *wanted, bool *found);
/* Gives each port a number for the gate that nobody in the pod has. */
GUARD_MUST_USE enum guard_rc inject_gate_ports(const struct injection *in,
                                               struct inject_plan *plan);
/* Whether what has our names in this pod is ours, and with which ports. */
GUARD_MUST_USE enum guard_rc inject_read_mark(struct injection *in, struct inject_plan *plan);
void inject_write_mark(struct injection *in, const struct inject_plan *plan);
/* Carries the plan out. */
GUARD_MUST_USE enum guard_rc inject_apply(struct injection *in, struct inject_plan *plan);
/* The container and the volumes. */
void inject_gate(struct injection *in, const struct inject_plan *plan,
                 struct document_node *container);
void inject_volumes(struct injection *in, const struct inject_plan *plan);
/* A Knative Service. */
GUARD_MUST_USE enum guard_rc inject_knative(struct injection *in, struct document_node *object,
                                            enum inject_result *result);
/* Pods behind Knative's queue-proxy: false when this is none. */
GUARD_MUST_USE enum guard_rc inject_queue(struct injection *in, struct inject_plan *plan,
                                          bool *found);

/* Pods of the stream that have a gate, for the Services that select them. */
struct inject_pods {
    struct {
        const struct document_node *labels;
        const char *namespace;
        char object[INJECT_OBJECT_CAP];
        struct inject_port ports[INJECT_PORTS_MAX];
        uint32_t port_count;
    } pods[INJECT_PODS_MAX];
    uint32_t count;
};
/* A Service: refused where it leads past a gate, or led to it. */
GUARD_MUST_USE enum guard_rc inject_service(struct injection *in, struct document_node *service,
                                            const struct inject_pods *pods,
                                            enum inject_result *result);

#endif
