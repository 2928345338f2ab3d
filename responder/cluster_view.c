/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says is bounded by the client; names out of it go into no path. */
#include "cluster_view.h"

#include "common/document_members.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { TURN_MS = 1000, PAGES_MAX = 40, CONTINUE_CAP = 1024 };

static const char *const hash_labels[] = {"pod-template-hash", "controller-revision-hash"};

/* --- calls --- */

static void on_result(void *ctx, const struct pod_result *result)
{
    struct cluster *cluster = ctx;
    cluster->result = *result;
    cluster->over = true;
}

static void on_answer(void *ctx, const struct api_answer *answer)
{
    struct cluster *cluster = ctx;
    struct pod_result result;
    pod_result_read(&result, answer, false);
    if (result.outcome == POD_DONE && answer->root != NULL)
        cluster->take(cluster->ctx, answer->root);
    on_result(cluster, &result);
}

enum guard_rc cluster_open(struct cluster *out, const char *where, struct guard_err *err)
{
    *out = (struct cluster){.client = NULL};
    out->action = (struct pod_action){.done = on_result, .ctx = out};
    GUARD_TRY(kubernetes_config_load(&out->config, where, err));
    return api_client_open(&out->client, &out->config, "guard-responder", err);
}

void cluster_close(struct cluster *cluster)
{
    api_client_close(cluster->client);
    kubernetes_config_free(&cluster->config);
}

enum pod_outcome cluster_wait(struct cluster *cluster, enum guard_rc rc,
                              const struct guard_err *err)
{
    if (rc != GUARD_OK) {
        /* A token that is being written is whole a moment later; names don't become better. */
        cluster->result =
            (struct pod_result){.outcome = rc == GUARD_E_RANGE ? POD_REFUSED : POD_FAILED};
        snprintf(cluster->result.message, sizeof(cluster->result.message), "%s", err->text);
        return cluster->result.outcome;
    }
    while (!cluster->over) {
        struct pollfd wake = {.fd = api_client_fd(cluster->client), .events = POLLIN};
        (void)poll(&wake, 1, (int)api_client_wait_ms(cluster->client, TURN_MS));
        api_client_run(cluster->client);
    }
    cluster->over = false;
    return cluster->result.outcome;
}

static enum pod_outcome run_get(struct cluster *cluster, const struct api_call *call)
{
    struct guard_err err;
    return cluster_wait(cluster, api_client_call(cluster->client, call, &err), &err);
}

static enum pod_outcome get(struct cluster *cluster, const char *path,
                            void (*take)(void *ctx, const struct document_node *root), void *ctx)
{
    const struct api_call call = {
        .method = "GET", .path = path, .done = on_answer, .ctx = cluster, .own_limit = true};
    cluster->take = take;
    cluster->ctx = ctx;
    return run_get(cluster, &call);
}

bool cluster_ready(struct cluster *cluster)
{
    const struct api_call call = {.method = "GET",
                                  .path = "/readyz",
                                  .done = on_answer,
                                  .ctx = cluster,
                                  .own_limit = true,
                                  .text = true};
    cluster->ready = run_get(cluster, &call) == POD_DONE;
    return cluster->ready;
}

/* --- pods --- */

static const struct document_node *mapping_of(const struct document_node *of, const char *name)
{
    const struct document_node *found = of != NULL ? member_of(of, name) : NULL;
    return found != NULL && found->kind == DOCUMENT_MAPPING ? found : NULL;
}

static const char *word_of(const struct document_node *mapping, const char *name)
{
    return mapping != NULL ? text_of(mapping, name) : "";
}

/* What doesn't fit is nothing: half a name is another name. */
static void copy(char *out, size_t size, const char *text)
{
    if ((size_t)snprintf(out, size, "%s", text) >= size)
        out[0] = '\0';
}

static const char *controller_of(const struct document_node *metadata)
{
    const struct document_node *owners =
        metadata != NULL ? member_of(metadata, "ownerReferences") : NULL;
    for (const struct document_node *owner =
             owners != NULL && owners->kind == DOCUMENT_SEQUENCE ? owners->first : NULL;
         owner != NULL; owner = owner->next) {
        if (owner->kind == DOCUMENT_MAPPING && strcmp(text_of(owner, "controller"), "true") == 0)
            return text_of(owner, "name");
    }
    return "";
}

/* As lists of pods do it for sensors (common/pods/pod_list.c). */
static void find_workload(struct pod_view *out, const struct document_node *metadata)
{
    const char *controller = controller_of(metadata);
    copy(out->workload, sizeof(out->workload), controller[0] != '\0' ? controller : out->name);
    size_t name = strlen(out->workload), hash = strlen(out->hash);
    if (hash > 0 && name > hash + 1 && out->workload[name - hash - 1] == '-' &&
        strcmp(out->workload + name - hash, out->hash) == 0)
        out->workload[name - hash - 1] = '\0';
}

static bool is_ready(const struct document_node *pod)
{
    const struct document_node *status = mapping_of(pod, "status");
    const struct document_node *conditions =
        status != NULL ? member_of(status, "conditions") : NULL;
    for (const struct document_node *one =
             conditions != NULL && conditions->kind == DOCUMENT_SEQUENCE ? conditions->first : NULL;
         one != NULL; one = one->next) {
        if (one->kind == DOCUMENT_MAPPING && strcmp(text_of(one, "type"), "Ready") == 0)
            return strcmp(text_of(one, "status"), "True") == 0;
    }
    return false;
}

static void view_pod(struct pod_view *out, const struct document_node *pod)
{
    const struct document_node *metadata = mapping_of(pod, "metadata");
    const struct document_node *labels = mapping_of(metadata, "labels");
    *out = (struct pod_view){.ready = is_ready(pod),
                             .leaving = word_of(metadata, "deletionTimestamp")[0] != '\0'};
    copy(out->uid, sizeof(out->uid), word_of(metadata, "uid"));
    copy(out->name, sizeof(out->name), word_of(metadata, "name"));
    copy(out->created, sizeof(out->created), word_of(metadata, "creationTimestamp"));
    for (char *at = out->created; *at != '\0'; at++)
        *at = *at == ':' ? '-' : *at;
    copy(out->quarantined, sizeof(out->quarantined), word_of(labels, QUARANTINED));
    copy(out->after, sizeof(out->after), word_of(labels, QUARANTINED_AFTER));
    for (size_t i = 0; i < sizeof(hash_labels) / sizeof(hash_labels[0]) && out->hash[0] == '\0';
         i++) {
        copy(out->hash, sizeof(out->hash), word_of(labels, hash_labels[i]));
        copy(out->hash_label, sizeof(out->hash_label), hash_labels[i]);
    }
    find_workload(out, metadata);
}

static void take_pod(void *ctx, const struct document_node *root)
{
    view_pod(ctx, root);
}

enum pod_outcome cluster_look(struct cluster *cluster, const struct pod_ref *pod,
                              struct pod_view *out)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    enum guard_rc rc = pod_ref_check(pod, &err);
    *out = (struct pod_view){.uid = ""};
    if (rc != GUARD_OK)
        return cluster_wait(cluster, rc, &err);
    snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", pod->namespace, pod->name);
    enum pod_outcome outcome = get(cluster, path, take_pod, out);
    if (outcome != POD_DONE || strcmp(out->uid, pod->uid) == 0)
        return outcome;
    cluster->result.outcome = POD_GONE;
    snprintf(cluster->result.message, sizeof(cluster->result.message),
             "another pod has its name now");
    return POD_GONE;
}

/* --- lists --- */

struct listing {
    bool (*see)(void *ctx, const struct pod_view *pod);
    void *ctx;
    bool enough;
    char next[CONTINUE_CAP]; /* of the server, for the next page */
};

static void take_page(void *ctx, const struct document_node *root)
{
    struct listing *listing = ctx;
    const struct document_node *items = member_of(root, "items");
    struct pod_view pod;
    copy(listing->next, sizeof(listing->next), word_of(mapping_of(root, "metadata"), "continue"));
    for (const struct document_node *item =
             items != NULL && items->kind == DOCUMENT_SEQUENCE ? items->first : NULL;
         item != NULL && !listing->enough; item = item->next) {
        if (item->kind != DOCUMENT_MAPPING)
            continue;
        view_pod(&pod, item);
        listing->enough = !listing->see(listing->ctx, &pod);
    }
}

/* What a query takes as it is; base64 of a token of a page has '=' besides. */
static bool is_plain(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-=";
    return text[strspn(text, letters)] == '\0';
}

enum pod_outcome cluster_list(struct cluster *cluster, const char *name_space, const char *label,
                              const char *value, bool (*see)(void *ctx, const struct pod_view *pod),
                              void *ctx)
{
    char path[KUBERNETES_PATH_MAX];
    struct listing listing = {.see = see, .ctx = ctx};
    const char *slash = strchr(label, '/');
    enum pod_outcome outcome = POD_DONE;
    for (int page = 0; page < PAGES_MAX && outcome == POD_DONE; page++) {
        int len =
            snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods?limit=500%s%.*s%s%s%s%s%s%s",
                     name_space, label[0] != '\0' ? "&labelSelector=" : "",
                     slash != NULL ? (int)(slash - label) : 0, label, slash != NULL ? "%2F" : "",
                     slash != NULL ? slash + 1 : label, label[0] != '\0' ? "%3D" : "",
                     label[0] != '\0' ? value : "", listing.next[0] != '\0' ? "&continue=" : "",
                     listing.next);
        if (len < 0 || (size_t)len >= sizeof(path))
            break;
        outcome = get(cluster, path, take_page, &listing);
        if (listing.enough || listing.next[0] == '\0' || !is_plain(listing.next))
            return outcome;
    }
    return outcome;
}
