/* SPDX-License-Identifier: Apache-2.0 */
/* What is too long is refused, never cut: half a name is another pod's. */
#include "common/kubernetes/pod_facts.h"

#include "common/document_members.h"

#include <stdio.h>
#include <string.h>

enum { MOMENT_DIGITS_MIN = 8 }; /* minutes since 1970, of a CronJob's Job */

static bool copy(char *out, size_t cap, const char *text)
{
    size_t len = strlen(text);
    if (len >= cap)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static const struct document_node *first_in(const struct document_node *mapping, const char *name)
{
    const struct document_node *list = child_of(mapping, name, DOCUMENT_SEQUENCE);
    return list != NULL ? list->first : NULL;
}

static const char *word_in(const struct document_node *mapping, const char *name)
{
    return mapping != NULL ? text_of(mapping, name) : "";
}

static const char *text_at(const struct document_node *node)
{
    return node != NULL && node->kind == DOCUMENT_SCALAR ? (const char *)node->text.ptr : "";
}

/* --- what it belongs to --- */

/* A CronJob names each Job of its by the moment: a workload for each would never be known. */
static void leave_moment_out(char *name)
{
    size_t len = strlen(name), begin = len;
    while (begin > 0 && name[begin - 1] >= '0' && name[begin - 1] <= '9')
        begin--;
    if (len - begin >= MOMENT_DIGITS_MIN && begin > 1 && name[begin - 1] == '-')
        name[begin - 1] = '\0';
}

static bool read_owner(struct pod_facts *out, const struct document_node *metadata)
{
    for (const struct document_node *one = first_in(metadata, "ownerReferences"); one != NULL;
         one = one->next) {
        if (one->kind != DOCUMENT_MAPPING || !true_in(one, "controller"))
            continue;
        if (!copy(out->owner, sizeof(out->owner), text_of(one, "name")))
            return false;
        if (strcmp(text_of(one, "kind"), "Job") == 0)
            leave_moment_out(out->owner);
        /* A static pod's is its node. */
        if (strcmp(text_of(one, "kind"), "Node") == 0)
            out->owner[0] = '\0';
        return true;
    }
    return true;
}

/* A Deployment's pods belong to a ReplicaSet for each template: without its hash it is the
 * Deployment's name. */
static void find_workload(struct pod_facts *out)
{
    memcpy(out->workload, out->owner[0] != '\0' ? out->owner : out->name, sizeof(out->workload));
    size_t name = strlen(out->workload), hash = strlen(out->template_hash);
    if (out->owner[0] != '\0' && hash > 0 && name > hash + 1 &&
        out->workload[name - hash - 1] == '-' &&
        strcmp(out->workload + name - hash, out->template_hash) == 0)
        out->workload[name - hash - 1] = '\0';
}

static bool read_metadata(struct pod_facts *out, const struct document_node *metadata)
{
    const struct document_node *labels = child_of(metadata, "labels", DOCUMENT_MAPPING);
    const struct document_node *notes = child_of(metadata, "annotations", DOCUMENT_MAPPING);
    const char *hash = word_in(labels, "pod-template-hash");
    if (hash[0] == '\0')
        hash = word_in(labels, "controller-revision-hash");
    bool fits =
        copy(out->name_space, sizeof(out->name_space), text_of(metadata, "namespace")) &&
        copy(out->name, sizeof(out->name), text_of(metadata, "name")) &&
        copy(out->uid, sizeof(out->uid), text_of(metadata, "uid")) &&
        copy(out->mirror, sizeof(out->mirror), word_in(notes, "kubernetes.io/config.hash")) &&
        copy(out->template_hash, sizeof(out->template_hash), hash) && read_owner(out, metadata);
    find_workload(out);
    return fits && out->name_space[0] != '\0' && out->name[0] != '\0' && out->uid[0] != '\0';
}

/* --- its service --- */

static const char *argument_in(const struct document_node *containers)
{
    for (const struct document_node *one = containers; one != NULL; one = one->next) {
        if (one->kind != DOCUMENT_MAPPING || strcmp(text_of(one, "name"), "guard") != 0)
            continue;
        for (const struct document_node *word = first_in(one, "args"); word != NULL;
             word = word->next) {
            if (strcmp(text_at(word), "--service") == 0)
                return text_at(word->next);
        }
    }
    return NULL;
}

const char *pod_facts_told_service(const struct document_node *spec)
{
    const char *told = argument_in(first_in(spec, "containers"));
    return told != NULL ? told : argument_in(first_in(spec, "initContainers"));
}

static bool valid_service(const char *text)
{
    return state_service_valid((struct guard_span){(const uint8_t *)text, strlen(text)});
}

/* Of its own namespace always: who makes a pod says it. */
static void find_service(struct pod_facts *out, const struct document_node *spec)
{
    char made[2 * POD_FACTS_NAME_CAP];
    size_t len = strlen(out->name_space);
    const char *told = pod_facts_told_service(spec);
    if (told == NULL || strncmp(told, out->name_space, len) != 0 || told[len] != '.' ||
        !valid_service(told)) {
        snprintf(made, sizeof(made), "%s.%s", out->name_space, out->workload);
        told = made;
    }
    if (valid_service(told))
        snprintf(out->service, sizeof(out->service), "%s", told);
}

/* --- its containers --- */

static bool add(struct pod_facts *out, const char *name, const char *id, const char *image)
{
    struct pod_facts_container *one = &out->containers[out->container_count];
    for (uint32_t i = 0; i < out->container_count; i++) {
        struct pod_facts_container *known = &out->containers[i];
        if (strcmp(known->name, name) == 0 && (id[0] == '\0' || strcmp(known->id, id) == 0))
            return true;
        if (strcmp(known->name, name) == 0 && known->id[0] == '\0')
            return copy(known->id, sizeof(known->id), id) &&
                   copy(known->image, sizeof(known->image), image);
    }
    if (out->container_count == POD_FACTS_CONTAINERS_MAX)
        return false;
    out->container_count++;
    return name[0] != '\0' && copy(one->name, sizeof(one->name), name) &&
           copy(one->id, sizeof(one->id), id) && copy(one->image, sizeof(one->image), image);
}

/* Of the one before, which told of what it did until a moment ago. */
static const char *ended_id(const struct document_node *status, const char *state)
{
    return word_in(
        child_of(child_of(status, state, DOCUMENT_MAPPING), "terminated", DOCUMENT_MAPPING),
        "containerID");
}

static bool add_declared(struct pod_facts *out, const struct document_node *spec, const char *list)
{
    for (const struct document_node *one = first_in(spec, list); one != NULL; one = one->next) {
        if (one->kind == DOCUMENT_MAPPING && !add(out, text_of(one, "name"), "", ""))
            return false;
    }
    return true;
}

static bool add_running(struct pod_facts *out, const struct document_node *status, const char *list)
{
    for (const struct document_node *one = first_in(status, list); one != NULL; one = one->next) {
        if (one->kind != DOCUMENT_MAPPING)
            continue;
        const char *const ids[] = {text_of(one, "containerID"), ended_id(one, "lastState"),
                                   ended_id(one, "state")};
        for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
            if (ids[i][0] != '\0' &&
                !add(out, text_of(one, "name"), ids[i], text_of(one, "imageID")))
                return false;
        }
    }
    return true;
}

bool pod_facts_read(struct pod_facts *out, const struct document_node *pod)
{
    static const char *const declared[] = {"containers", "initContainers", "ephemeralContainers"};
    static const char *const running[] = {"containerStatuses", "initContainerStatuses",
                                          "ephemeralContainerStatuses"};
    const struct document_node *metadata = child_of(pod, "metadata", DOCUMENT_MAPPING);
    const struct document_node *spec = child_of(pod, "spec", DOCUMENT_MAPPING);
    const struct document_node *status = child_of(pod, "status", DOCUMENT_MAPPING);
    const char *phase = word_in(status, "phase");
    *out = (struct pod_facts){.ended =
                                  strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0};
    if (metadata == NULL || !read_metadata(out, metadata) ||
        !copy(out->node, sizeof(out->node), word_in(spec, "nodeName")))
        return false;
    find_service(out, spec);
    bool fits = true;
    for (size_t i = 0; i < sizeof(declared) / sizeof(declared[0]); i++)
        fits = fits && add_declared(out, spec, declared[i]) && add_running(out, status, running[i]);
    return fits;
}

/* --- the list's item --- */

static void write_metadata(const struct pod_facts *facts, struct json_writer *json)
{
    json_open(json, "metadata", '{');
    json_text(json, "namespace", facts->name_space);
    json_text(json, "name", facts->name);
    json_text(json, "uid", facts->uid);
    if (facts->mirror[0] != '\0') {
        json_open(json, "annotations", '{');
        json_text(json, "kubernetes.io/config.hash", facts->mirror);
        json_close(json, '}');
    }
    if (facts->template_hash[0] != '\0') {
        json_open(json, "labels", '{');
        json_text(json, "pod-template-hash", facts->template_hash);
        json_close(json, '}');
    }
    if (facts->owner[0] != '\0') {
        json_open(json, "ownerReferences", '[');
        json_open(json, NULL, '{');
        json_text(json, "name", facts->owner);
        json_close(json, '}');
        json_close(json, ']');
    }
    json_close(json, '}');
}

void pod_facts_write(const struct pod_facts *facts, struct json_writer *json)
{
    json_open(json, NULL, '{');
    json_text(json, "service", facts->service);
    write_metadata(facts, json);
    json_open(json, "status", '{');
    json_open(json, "containerStatuses", '[');
    for (uint32_t i = 0; i < facts->container_count; i++) {
        const struct pod_facts_container *one = &facts->containers[i];
        if (one->id[0] == '\0')
            continue;
        json_open(json, NULL, '{');
        json_text(json, "name", one->name);
        json_text(json, "containerID", one->id);
        json_text(json, "imageID", one->image);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
    json_close(json, '}');
}
