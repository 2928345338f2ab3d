/* SPDX-License-Identifier: Apache-2.0 */
/* An item is kept as it stands in the file, so that what changes of a pod and isn't told there
 * (readiness, mostly) writes none. */
#include "node_pod_list.h"

#include "common/file.h"
#include "common/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ITEM_MAX = 64 * 1024 };
static const char head[] = "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[";
static const char tail[] = "]}\n";
static const struct guard_span no_service = {NULL, 0};

/* --- the table --- */

static struct node_pod *find(struct node_pod_list *list, const char *uid)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->pods[i].uid, uid) == 0)
            return &list->pods[i];
    }
    return NULL;
}

static void drop(struct node_pod_list *list, struct node_pod *pod)
{
    list->containers -= pod->containers;
    free(pod->text);
    *pod = list->pods[--list->count];
    list->changed = true;
}

/* Who is gone makes room, the first of them first. False: nobody is. */
static bool drop_gone(struct node_pod_list *list, const struct node_pod *but)
{
    struct node_pod *first = NULL;
    for (uint32_t i = 0; i < list->count; i++) {
        struct node_pod *pod = &list->pods[i];
        if (pod != but && pod->gone_ms != 0 && (first == NULL || pod->gone_ms < first->gone_ms))
            first = pod;
    }
    if (first != NULL)
        drop(list, first);
    return first != NULL;
}

static void leave_out(struct node_pod_list *list, const char *why)
{
    list->left_out++;
    if (!list->full)
        log_event("alarm", "pods-left-out", no_service,
                  "%.253s/%.253s: %s; records of it and others like it have no name",
                  list->facts.name_space, list->facts.name, why);
    list->full = true;
}

static bool set_text(struct node_pod_list *list, struct node_pod *pod, const char *text, size_t len)
{
    if (pod->text != NULL && pod->len == len && memcmp(pod->text, text, len) == 0)
        return true;
    char *own = malloc(len);
    if (own == NULL)
        return false;
    memcpy(own, text, len);
    free(pod->text);
    pod->text = own;
    pod->len = (uint32_t)len;
    list->changed = true;
    return true;
}

static uint32_t with_id(const struct pod_facts *facts)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < facts->container_count; i++)
        count += facts->containers[i].id[0] != '\0';
    return count;
}

/* NULL after a word: there is no room for it, which a list that is read has, too. */
static struct node_pod *place(struct node_pod_list *list)
{
    struct node_pod *pod = find(list, list->facts.uid);
    uint32_t more = with_id(&list->facts) - (pod != NULL ? pod->containers : 0);
    while ((pod == NULL && list->count == POD_LIST_PODS_MAX) ||
           list->containers + more > POD_LIST_CONTAINERS_MAX) {
        if (!drop_gone(list, pod)) {
            leave_out(list, "the node has more pods or containers than a list may have");
            return NULL;
        }
        pod = find(list, list->facts.uid); /* it may have been moved */
    }
    if (pod == NULL) {
        pod = &list->pods[list->count++];
        *pod = (struct node_pod){.text = NULL};
        snprintf(pod->uid, sizeof(pod->uid), "%s", list->facts.uid);
    }
    list->containers += with_id(&list->facts) - pod->containers;
    pod->containers = with_id(&list->facts);
    return pod;
}

static void keep(struct node_pod_list *list)
{
    static char text[ITEM_MAX];
    struct json_writer json;
    json_writer_init(&json, text, sizeof(text));
    pod_facts_write(&list->facts, &json);
    struct node_pod *pod = json.overflow ? NULL : place(list);
    if (json.overflow)
        leave_out(list, "it says more of itself than an item may have");
    if (pod == NULL)
        return;
    if (!set_text(list, pod, text, json.len)) {
        leave_out(list, "no memory");
        drop(list, pod);
        return;
    }
    pod->listed = true;
    if (!list->facts.ended)
        pod->gone_ms = 0;
    else if (pod->gone_ms == 0)
        pod->gone_ms = clock_monotonic_ms();
}

static void set_gone(struct node_pod_list *list, const char *uid)
{
    struct node_pod *pod = find(list, uid);
    if (pod != NULL && pod->gone_ms == 0)
        pod->gone_ms = clock_monotonic_ms();
}

void node_pod_list_take(void *ctx, enum informer_change change, const struct document_node *object)
{
    struct node_pod_list *list = ctx;
    if (change == INFORMER_LISTING) {
        for (uint32_t i = 0; i < list->count; i++)
            list->pods[i].listed = false;
    } else if (change == INFORMER_LISTED) {
        for (uint32_t i = 0; i < list->count; i++) {
            if (!list->pods[i].listed)
                set_gone(list, list->pods[i].uid);
        }
        list->changed = list->changed || !list->listed;
        list->listed = true;
    } else if (!pod_facts_read(&list->facts, object)) {
        list->left_out++;
        if (!list->odd)
            log_event("warn", "pod-not-read", no_service,
                      "%.253s/%.253s: a name, a uid or what else is said of it is missing or too "
                      "long; others like it are passed over, too",
                      list->facts.name_space, list->facts.name);
        list->odd = true;
    } else if (change == INFORMER_GONE) {
        set_gone(list, list->facts.uid);
    } else {
        keep(list);
    }
}

/* --- the file --- */

static enum guard_rc write_file(struct node_pod_list *list, struct guard_err *err)
{
    size_t cap = sizeof(head) + sizeof(tail), len = 0;
    for (uint32_t i = 0; i < list->count; i++)
        cap += list->pods[i].len + 1;
    if (cap > POD_LIST_BYTES_MAX)
        return guard_fail(err, GUARD_E_LIMIT, "%s: more than %d bytes", list->path,
                          (int)POD_LIST_BYTES_MAX);
    char *text = malloc(cap);
    if (text == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "%s: no memory", list->path);
    memcpy(text, head, sizeof(head) - 1);
    len += sizeof(head) - 1;
    for (uint32_t i = 0; i < list->count; i++) {
        if (i > 0)
            text[len++] = ',';
        memcpy(text + len, list->pods[i].text, list->pods[i].len);
        len += list->pods[i].len;
    }
    memcpy(text + len, tail, sizeof(tail) - 1);
    len += sizeof(tail) - 1;
    enum guard_rc rc =
        file_replace(list->path, (struct guard_span){(const uint8_t *)text, len}, 0640, false, err);
    free(text);
    return rc;
}

static void forget_gone(struct node_pod_list *list, uint64_t mono_ms)
{
    for (uint32_t i = list->count; i-- > 0;) {
        const struct node_pod *pod = &list->pods[i];
        if (pod->gone_ms != 0 && mono_ms > pod->gone_ms &&
            mono_ms - pod->gone_ms >= NODE_PODS_GONE_MS)
            drop(list, &list->pods[i]);
    }
}

void node_pod_list_tick(struct node_pod_list *list, uint64_t mono_ms)
{
    struct guard_err err;
    forget_gone(list, mono_ms);
    if (!list->listed || !list->changed || mono_ms < list->retry_ms ||
        (list->files > 0 && mono_ms - list->written_ms < NODE_PODS_WRITE_MS))
        return;
    if (write_file(list, &err) != GUARD_OK) {
        if (!list->failing)
            log_event("alarm", "pods-not-written", no_service, "%s; tried again", err.text);
        list->failing = true;
        list->retry_ms = mono_ms + NODE_PODS_RETRY_MS;
        return;
    }
    if (list->failing)
        log_event("info", "pods-written-again", no_service, "%s", list->path);
    list->failing = list->changed = false;
    list->written_ms = mono_ms;
    list->files++;
}

void node_pod_list_free(struct node_pod_list *list)
{
    while (list->count > 0)
        drop(list, &list->pods[list->count - 1]);
}
