/* SPDX-License-Identifier: Apache-2.0 */
/* What leads to the pods of a namespace: its Services with the ports that speak HTTP, and the pods
 * that they select, as addresses that can be asked. Objects in, targets out; nothing is sent. */
#ifndef GUARDD_OPERATOR_PATHS_H
#define GUARDD_OPERATOR_PATHS_H

#include "common/document.h"

enum {
    PATHS_SERVICES = 256, /* of a namespace; what is beyond these isn't asked, which is told */
    PATHS_PORTS = 8,      /* of a Service */
    PATHS_LABELS = 16,    /* of a selector */
    PATHS_PODS = 1024,    /* of a part; what is beyond is the next part's */
    PATHS_TARGETS = 4096,
    PATH_NAME_CAP = 254,
    PATH_LABEL_CAP = 64,
    PATH_ADDRESS_CAP = 48,
    PATH_SELECTOR_CAP = 1024,
    PATH_NO_POD = UINT32_MAX,
};

struct path_port {
    char target[PATH_LABEL_CAP]; /* the pod's port: a number, or its name */
    uint16_t number;             /* the Service's */
    bool tls;
};

struct path_service {
    char name[PATH_LABEL_CAP];
    char address[PATH_ADDRESS_CAP];   /* the cluster's; "": headless */
    char selector[PATH_SELECTOR_CAP]; /* "name\0value\0" each */
    uint32_t labels;
    struct path_port ports[PATHS_PORTS]; /* those of HTTP */
    uint32_t port_count;
    bool used; /* there is a pod behind it */
};

struct path_pod {
    char name[PATH_NAME_CAP];
    char host[PATH_NAME_CAP]; /* what the machine in it is called; "": the node's */
    char address[PATH_ADDRESS_CAP];
    char workload[PATH_NAME_CAP]; /* the service's name that its gate has by default */
};

struct path_target {
    uint32_t service;
    uint32_t pod; /* PATH_NO_POD: the Service's own address */
    uint16_t number;
    bool tls;
    uint32_t owner; /* for who asks */
    uint8_t result;
    uint16_t status;
};

/* All zeros at first. Targets of a pod stand together. */
struct paths {
    char namespace[PATH_LABEL_CAP];
    struct path_service *services;
    struct path_pod *pods;
    struct path_target *targets;
    uint32_t service_count, pod_count, target_count;
    uint32_t pods_max;
    char after[PATH_NAME_CAP]; /* pods up to this name were another part's */
    bool rest;                 /* there are pods for one more part, behind the last one here */
    bool more;                 /* than there is room for: what is left out is never asked */
};

/* after: "" for the first part of a namespace's pods, else the last name of the part before. False:
 * no memory. paths_free in any case. */
bool paths_begin(struct paths *paths, const char *namespace, const char *after);
void paths_free(struct paths *paths);
/* All Services first, then pods in the order of their names: one that takes requests of a Service
 * becomes targets. What isn't of the form of such an object is passed over. Pods that come when
 * `rest` is true already aren't needed. */
void paths_take_service(struct paths *paths, const struct document_node *service);
void paths_take_pod(struct paths *paths, const struct document_node *pod);
/* Behind the pods: the own addresses of those Services that have some. */
void paths_take_addresses(struct paths *paths);
/* "http://10.1.2.3:8080"; false: no room. */
bool paths_server(const struct paths *paths, const struct path_target *target, char *out,
                  size_t cap);

#endif
