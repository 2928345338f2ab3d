/* SPDX-License-Identifier: Apache-2.0 */
/* Of each pod its name, what it belongs to and its containers; the rest of the document, which is
 * most of it, is walked over. */
#include "common/pods/pod_list.h"

#include "common/file.h"
#include "common/state.h"
#include "common/traffic/json_cursor.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_CAP = GUARD_POD_NAME_MAX + 1, HASH_CAP = GUARD_POD_HASH_MAX + 1, ID_CAP = 72 };

struct listed_container {
    char id[ID_CAP];
    char name[NAME_CAP];
    char image[GUARD_POD_IMAGE_MAX + 1];
};
struct listed_pod {
    char uid[ID_CAP], mirror[ID_CAP]; /* of a static pod: the kubelet's own name for it */
    char name[NAME_CAP], name_space[NAME_CAP], workload[NAME_CAP];
    char template_hash[HASH_CAP];
    char service[STATE_SERVICE_MAX + 1];
    uint32_t first_container, containers;
};
struct pod_list {
    struct listed_pod *pods;
    struct listed_container *containers;
    uint32_t pod_count, container_count;
};

struct parsing {
    struct json_cursor cursor;
    struct pod_list *list;
};

static bool is(struct guard_span text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.ptr, word, text.len) == 0;
}

static void take(struct json_cursor *cursor, char *out, size_t size)
{
    struct guard_span text;
    if (json_cursor_string(cursor, &text) && text.len > 0)
        pod_name_clean(out, size, text);
}

/* "sha256:..." behind what says where the image came from. */
static void take_image(struct json_cursor *cursor, char *out, size_t size)
{
    struct guard_span text;
    if (!json_cursor_string(cursor, &text) || text.len == 0)
        return;
    for (size_t i = text.len; i-- > 0;)
        if (text.ptr[i] == '@' || text.ptr[i] == '/') {
            text = (struct guard_span){text.ptr + i + 1, text.len - i - 1};
            break;
        }
    if (text.len > 0)
        pod_name_clean(out, size, text);
}

/* "containerd://<id>" */
static void take_id(struct json_cursor *cursor, char *out, size_t size)
{
    struct guard_span text;
    if (!json_cursor_string(cursor, &text))
        return;
    for (size_t i = text.len; i-- > 0;)
        if (text.ptr[i] == '/') {
            text = (struct guard_span){text.ptr + i + 1, text.len - i - 1};
            break;
        }
    if (text.len > 0)
        pod_name_clean(out, size, text);
}

/* Whole or not at all: a part of it is another one's. */
static void take_service(struct json_cursor *cursor, struct listed_pod *pod)
{
    struct guard_span text;
    if (!json_cursor_string(cursor, &text) || !state_service_valid(text))
        return;
    memcpy(pod->service, text.ptr, text.len);
    pod->service[text.len] = '\0';
}

static void read_labels(struct json_cursor *cursor, struct listed_pod *pod)
{
    struct guard_span key;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "pod-template-hash") || is(key, "controller-revision-hash"))
            take(cursor, pod->template_hash, sizeof(pod->template_hash));
        else
            json_cursor_skip(cursor);
    }
}

static void read_annotations(struct json_cursor *cursor, struct listed_pod *pod)
{
    struct guard_span key;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "kubernetes.io/config.hash"))
            take(cursor, pod->mirror, sizeof(pod->mirror));
        else
            json_cursor_skip(cursor);
    }
}

static void read_owners(struct json_cursor *cursor, struct listed_pod *pod)
{
    struct guard_span key;
    if (!json_cursor_enter(cursor, '['))
        return;
    while (json_cursor_element(cursor)) {
        if (!json_cursor_enter(cursor, '{'))
            continue;
        while (json_cursor_member(cursor, &key)) {
            if (is(key, "name"))
                take(cursor, pod->workload, sizeof(pod->workload));
            else
                json_cursor_skip(cursor);
        }
    }
}

static void read_metadata(struct json_cursor *cursor, struct listed_pod *pod)
{
    struct guard_span key;
    if (!json_cursor_enter(cursor, '{'))
        return;
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "uid"))
            take(cursor, pod->uid, sizeof(pod->uid));
        else if (is(key, "name"))
            take(cursor, pod->name, sizeof(pod->name));
        else if (is(key, "namespace"))
            take(cursor, pod->name_space, sizeof(pod->name_space));
        else if (is(key, "labels"))
            read_labels(cursor, pod);
        else if (is(key, "annotations"))
            read_annotations(cursor, pod);
        else if (is(key, "ownerReferences"))
            read_owners(cursor, pod);
        else
            json_cursor_skip(cursor);
    }
}

static void read_container(struct parsing *parsing)
{
    struct json_cursor *cursor = &parsing->cursor;
    struct listed_container *container = &parsing->list->containers[parsing->list->container_count];
    struct guard_span key;
    if (!json_cursor_enter(cursor, '{'))
        return;
    *container = (struct listed_container){0};
    while (json_cursor_member(cursor, &key)) {
        if (is(key, "name"))
            take(cursor, container->name, sizeof(container->name));
        else if (is(key, "containerID"))
            take_id(cursor, container->id, sizeof(container->id));
        else if (is(key, "imageID"))
            take_image(cursor, container->image, sizeof(container->image));
        else
            json_cursor_skip(cursor);
    }
    parsing->list->container_count++;
}

static void read_containers(struct parsing *parsing)
{
    if (!json_cursor_enter(&parsing->cursor, '['))
        return;
    while (json_cursor_element(&parsing->cursor)) {
        if (parsing->list->container_count == POD_LIST_CONTAINERS_MAX)
            json_cursor_refuse(&parsing->cursor, GUARD_E_LIMIT, "more than 4096 containers");
        else
            read_container(parsing);
    }
}

static void read_status(struct parsing *parsing)
{
    struct guard_span key;
    if (!json_cursor_enter(&parsing->cursor, '{'))
        return;
    while (json_cursor_member(&parsing->cursor, &key)) {
        if (is(key, "containerStatuses") || is(key, "initContainerStatuses") ||
            is(key, "ephemeralContainerStatuses"))
            read_containers(parsing);
        else
            json_cursor_skip(&parsing->cursor);
    }
}

/* A Deployment's pods belong to a ReplicaSet for each template: without its hash it is the
 * Deployment's name. */
static void leave_hash_out(struct listed_pod *pod)
{
    size_t name = strlen(pod->workload), hash = strlen(pod->template_hash);
    if (hash > 0 && name > hash + 1 && pod->workload[name - hash - 1] == '-' &&
        strcmp(pod->workload + name - hash, pod->template_hash) == 0)
        pod->workload[name - hash - 1] = '\0';
}

static void read_pod(struct parsing *parsing)
{
    struct listed_pod *pod = &parsing->list->pods[parsing->list->pod_count];
    struct guard_span key;
    if (!json_cursor_enter(&parsing->cursor, '{'))
        return;
    *pod = (struct listed_pod){.first_container = parsing->list->container_count};
    while (json_cursor_member(&parsing->cursor, &key)) {
        if (is(key, "metadata"))
            read_metadata(&parsing->cursor, pod);
        else if (is(key, "status"))
            read_status(parsing);
        else if (is(key, "service"))
            take_service(&parsing->cursor, pod);
        else
            json_cursor_skip(&parsing->cursor);
    }
    pod->containers = parsing->list->container_count - pod->first_container;
    leave_hash_out(pod);
    if (pod->workload[0] == '\0')
        memcpy(pod->workload, pod->name, sizeof(pod->workload));
    if (pod->uid[0] != '\0' && pod->name[0] != '\0')
        parsing->list->pod_count++;
}

static void read_list(struct parsing *parsing)
{
    struct guard_span key;
    if (!json_cursor_enter(&parsing->cursor, '{')) {
        json_cursor_refuse(&parsing->cursor, GUARD_E_SYNTAX, "no PodList");
        return;
    }
    while (json_cursor_member(&parsing->cursor, &key)) {
        if (!is(key, "items") || !json_cursor_enter(&parsing->cursor, '[')) {
            json_cursor_skip(&parsing->cursor);
            continue;
        }
        while (json_cursor_element(&parsing->cursor)) {
            if (parsing->list->pod_count == POD_LIST_PODS_MAX)
                json_cursor_refuse(&parsing->cursor, GUARD_E_LIMIT, "more than 1024 pods");
            else
                read_pod(parsing);
        }
    }
}

static bool shrink(struct pod_list *list)
{
    struct listed_pod *pods = realloc(list->pods, (list->pod_count + 1) * sizeof(*pods));
    if (pods != NULL)
        list->pods = pods;
    struct listed_container *containers =
        realloc(list->containers, (list->container_count + 1) * sizeof(*containers));
    if (containers != NULL)
        list->containers = containers;
    return pods != NULL && containers != NULL;
}

enum guard_rc pod_list_parse(struct pod_list **out, struct guard_span text, struct guard_err *err)
{
    struct guard_alloc heap = heap_alloc();
    struct guard_arena arena;
    struct parsing parsing = {.list = calloc(1, sizeof(struct pod_list))};
    if (parsing.list == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory");
    parsing.list->pods = calloc(POD_LIST_PODS_MAX, sizeof(struct listed_pod));
    parsing.list->containers = calloc(POD_LIST_CONTAINERS_MAX, sizeof(struct listed_container));
    guard_arena_init(&arena, &heap, 1 << 20);
    json_cursor_init(&parsing.cursor, text, &arena);
    enum guard_rc rc = GUARD_E_NOMEM;
    if (parsing.list->pods != NULL && parsing.list->containers != NULL) {
        read_list(&parsing);
        bool whole = json_cursor_done(&parsing.cursor);
        rc = parsing.cursor.wrong != NULL ? parsing.cursor.rc : whole ? GUARD_OK : GUARD_E_SYNTAX;
    }
    if (rc != GUARD_OK)
        rc = guard_fail(err, rc, "%s at byte %zu",
                        parsing.cursor.wrong != NULL ? parsing.cursor.wrong : "no JSON",
                        (size_t)(parsing.cursor.at - parsing.cursor.begin));
    guard_arena_reset(&arena);
    if (rc == GUARD_OK && !shrink(parsing.list))
        rc = guard_fail(err, GUARD_E_NOMEM, "no memory");
    if (rc != GUARD_OK)
        pod_list_free(parsing.list);
    else
        *out = parsing.list;
    return rc;
}

void pod_list_free(struct pod_list *list)
{
    if (list == NULL)
        return;
    free(list->pods);
    free(list->containers);
    free(list);
}

uint32_t pod_list_pods(const struct pod_list *list)
{
    return list->pod_count;
}

static struct guard_span span(const char *chars)
{
    return (struct guard_span){(const uint8_t *)chars, strlen(chars)};
}

static bool name_container(const struct pod_list *list, const struct listed_pod *pod,
                           const char *id, struct guard_pod_identity *out)
{
    for (uint32_t i = 0; i < pod->containers; i++) {
        const struct listed_container *container = &list->containers[pod->first_container + i];
        if (container->id[0] == '\0' || strcmp(container->id, id) != 0)
            continue;
        if (container->name[0] != '\0')
            out->container = span(container->name);
        out->image = span(container->image);
        return true;
    }
    return false;
}

enum pod_listed pod_list_name(const struct pod_list *list, const struct pod_cgroup *names,
                              struct guard_pod_identity *id)
{
    if (list == NULL || !names->kubernetes)
        return POD_UNLISTED;
    for (uint32_t i = 0; i < list->pod_count; i++) {
        const struct listed_pod *pod = &list->pods[i];
        if (strcmp(pod->uid, names->pod) != 0 && strcmp(pod->mirror, names->pod) != 0)
            continue;
        id->pod = span(pod->name);
        if (pod->name_space[0] != '\0')
            id->name_space = span(pod->name_space);
        id->workload = span(pod->workload);
        id->template_hash = span(pod->template_hash);
        if (pod->service[0] != '\0')
            id->service = span(pod->service);
        return name_container(list, pod, names->container, id) ? POD_LISTED_CONTAINER : POD_LISTED;
    }
    return POD_UNLISTED;
}
