/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod's object says that sensors' records are named by: who the pod is, what it belongs to
 * and its containers. Who gives records their names and who holds them to the cluster's word read
 * it here, so that they can't differ. */
#ifndef GUARD_COMMON_KUBERNETES_POD_FACTS_H
#define GUARD_COMMON_KUBERNETES_POD_FACTS_H

#include "common/document.h"
#include "common/json_writer.h"
#include "common/state.h"

#include <guard/pod.h>

enum {
    POD_FACTS_CONTAINERS_MAX = 64, /* of a pod, those that came before them included */
    POD_FACTS_ID_CAP = 160,        /* "containerd://...", as it stands there */
    POD_FACTS_IMAGE_CAP = 512,
    POD_FACTS_NAME_CAP = GUARD_POD_NAME_MAX + 1,
};
/* What stands for a pod's containers that it doesn't list, which is its sandbox: no container can
 * have this name. */
#define POD_SANDBOX "POD"

struct pod_facts_container {
    char name[POD_FACTS_NAME_CAP];
    char id[POD_FACTS_ID_CAP];       /* "": it has none yet */
    char image[POD_FACTS_IMAGE_CAP]; /* what the id of its image is */
};

struct pod_facts {
    char name_space[POD_FACTS_NAME_CAP];
    char name[POD_FACTS_NAME_CAP];
    char uid[GUARD_POD_UID_MAX + 1];
    char mirror[GUARD_POD_UID_MAX + 1]; /* a static pod's uid for its kubelet; "" */
    char owner[POD_FACTS_NAME_CAP];     /* its controller; of a Job that a CronJob made without the
                                           moment in its name; "": none */
    char workload[POD_FACTS_NAME_CAP];  /* the owner without the template's hash, or the pod */
    char template_hash[GUARD_POD_HASH_MAX + 1];
    char service[STATE_SERVICE_MAX + 1]; /* that its gate was given, or NAMESPACE.WORKLOAD; "": no
                                            service can have that name */
    char node[POD_FACTS_NAME_CAP];
    bool ended; /* it has run, and won't again */
    struct pod_facts_container containers[POD_FACTS_CONTAINERS_MAX];
    uint32_t container_count;
};

/* False: it is no pod, or says of itself what is longer than it may be. A container comes as often
 * as it has ids: the one before its last restart is listed, too. */
bool pod_facts_read(struct pod_facts *out, const struct document_node *pod);
/* What stands behind "--service" in the arguments of the container "guard" of a pod's spec, as it
 * stands there; NULL: there is none. */
const char *pod_facts_told_service(const struct document_node *spec);
/* As an item of a PodList with just these facts, and the member "service" beside them, which no
 * list of an API server has. common/pods/pod_list.h */
void pod_facts_write(const struct pod_facts *facts, struct json_writer *json);

#endif
