/* SPDX-License-Identifier: Apache-2.0 */
/* The table of containers: a node has a few hundred, and after deduplication few events ask. */
#include "containers.h"

#include <stdlib.h>
#include <string.h>

struct container *containers_find(struct containers *containers, uint64_t cgroup)
{
    if (containers->last < containers->count &&
        containers->entries[containers->last]->cgroup == cgroup)
        return containers->entries[containers->last];
    for (uint32_t i = 0; i < containers->count; i++)
        if (containers->entries[i]->cgroup == cgroup) {
            containers->last = i;
            return containers->entries[i];
        }
    return NULL;
}

struct container *containers_get(struct containers *containers, uint64_t cgroup, uint64_t now_ms)
{
    struct container *container = containers_find(containers, cgroup);
    if (container != NULL)
        return container;
    if (containers->count < CONTAINERS_MAX)
        container = calloc(1, sizeof(*container));
    if (container == NULL) {
        containers->refused++;
        return NULL;
    }
    container->cgroup = cgroup;
    container->from_ms = container->incarnation = now_ms;
    containers->entries[containers->count++] = container;
    return container;
}

struct container *containers_by_id(struct containers *containers, struct guard_span id)
{
    enum { DIGITS_MIN = 12 };
    if (id.len < DIGITS_MIN)
        return NULL;
    for (uint32_t i = 0; i < containers->count; i++) {
        const struct pod_cgroup *names = &containers->entries[i]->names;
        if (strncmp(names->container, (const char *)id.ptr, id.len) == 0 ||
            strncmp(names->pod, (const char *)id.ptr, id.len) == 0)
            return containers->entries[i];
    }
    return NULL;
}

void containers_remove(struct containers *containers, uint32_t index)
{
    pod_gather_clear(&containers->entries[index]->gather, &containers->room);
    name_table_free(&containers->entries[index]->dns, &containers->names);
    free(containers->entries[index]);
    containers->entries[index] = containers->entries[--containers->count];
}

void containers_init(struct containers *containers)
{
    *containers =
        (struct containers){.room = {.own = GATHER_OWN_BLOCKS, .shared = GATHER_SHARED_BLOCKS}};
}

void containers_free(struct containers *containers)
{
    while (containers->count > 0)
        containers_remove(containers, containers->count - 1);
}
