/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes objects with Guard put into their pods: a container with the gate and its guardd, that
 * takes over the named ports of the application. Objects are changed, never talked about: nothing
 * here asks a cluster. docs/adr/0022-injection.md */
#ifndef GUARD_COMMON_INJECT_INJECT_H
#define GUARD_COMMON_INJECT_INJECT_H

#include "common/document.h"

#define INJECT_LABEL "guard.security/inject"
#define INJECT_STATUS "guard.security/status"

enum { INJECT_OBJECT_CAP = 320 };

/* Texts are borrowed; NULL where nothing else is said: the pod's annotation decides, then this,
 * then the default. */
struct inject_cfg {
    const char *image;       /* of Guard; must be there */
    const char *pull_policy; /* Always, IfNotPresent, Never */
    const char *service;     /* default: the object's name */
    const char *ports;       /* names or numbers, separated by commas; default: the only one, or
                                those whose name is http, web or begins so */
    const char *mode;
    const char *guardian; /* a ConfigMap with guardian.yaml */
    const char *parent;   /* https://HOST[:PORT]; default: the pod's guardd learns alone */
    const char *trust;    /* with a parent: a ConfigMap with ca.crt and policy.pub */
    const char *audience; /* of the token that the pod shows its parent */
    bool native;          /* as an init container that goes on */
    bool update;          /* what has Guard already gets it anew, with these settings */
    bool rewrite_services;
    bool named_only; /* refuse ports without a name, whose Services can't follow */
};

/* What became of an object: "Deployment/shop: …" and a sentence. */
typedef void inject_tell(void *ctx, const char *object, const char *text);

enum inject_result { INJECT_LEFT, INJECT_DONE };

/* Checks texts of the configuration by themselves. GUARD_E_RANGE with the option's name. */
GUARD_MUST_USE enum guard_rc inject_check(const struct inject_cfg *cfg, struct guard_err *err);
/* All workloads, Knative Services and lists of them in a stream, and Services that lead past a
 * gate. results has stream->count elements. GUARD_E_SYNTAX, GUARD_E_RANGE, GUARD_E_STATE with
 * "file:line:column: Kind/name: path: text"; documents may then be half changed. GUARD_E_LIMIT,
 * GUARD_E_NOMEM. */
GUARD_MUST_USE enum guard_rc inject_stream(struct document_stream *stream,
                                           const struct inject_cfg *cfg,
                                           enum inject_result *results, inject_tell *tell,
                                           void *ctx, struct guard_err *err);
/* One Pod, which is the document's root or stands below it, as an API server shows it; name is the
 * object's that it belongs to, name_space where ("": not known). */
GUARD_MUST_USE enum guard_rc inject_pod(const struct document *document, struct document_node *pod,
                                        const char *name, const char *name_space,
                                        const struct inject_cfg *cfg, enum inject_result *result,
                                        inject_tell *tell, void *ctx, struct guard_err *err);

#endif
