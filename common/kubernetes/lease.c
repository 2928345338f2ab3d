/* SPDX-License-Identifier: Apache-2.0 */
/* Each write names the version that was read, so that of two only one succeeds. How old a renewal
 * of others is is measured by our clock, from when it was seen first. */
#include "common/kubernetes/lease.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/json_writer.h"
#include "common/kubernetes/moment.h"

#include <stdio.h>
#include <string.h>

enum { BODY_MAX = 2048, NOT_FOUND = 404, CONFLICT = 409 };

bool lease_held(const struct lease *lease, uint64_t mono_ms)
{
    return lease->renewed_ms > 0 && mono_ms - lease->renewed_ms < LEASE_RENEW_MS;
}

static void copy(char *out, size_t cap, const char *text)
{
    snprintf(out, cap, "%.*s", (int)cap - 1, text);
}

/* What an answer says of the object. */
static void note_object(struct lease *lease, const struct document_node *root, uint64_t mono_ms)
{
    const struct document_node *metadata = member_of(root, "metadata");
    const struct document_node *spec = member_of(root, "spec");
    char observed[sizeof(lease->observed)];
    if (metadata == NULL || spec == NULL)
        return;
    copy(lease->version, sizeof(lease->version), text_of(metadata, "resourceVersion"));
    copy(lease->holder, sizeof(lease->holder), text_of(spec, "holderIdentity"));
    copy(lease->begun, sizeof(lease->begun), text_of(spec, "acquireTime"));
    lease->transitions = whole_of(spec, "leaseTransitions");
    lease->absent = false;
    snprintf(observed, sizeof(observed), "%.63s %.63s", lease->version, text_of(spec, "renewTime"));
    if (strcmp(observed, lease->observed) != 0) {
        copy(lease->observed, sizeof(lease->observed), observed);
        lease->observed_ms = mono_ms;
    }
}

static bool is_ours(const struct lease *lease)
{
    return strcmp(lease->holder, lease->identity) == 0;
}

/* Nobody else's, and known well enough to be written. */
static bool may_be_written(const struct lease *lease, uint64_t mono_ms)
{
    bool over = lease->holder[0] == '\0' || mono_ms - lease->observed_ms >= LEASE_MS;
    return lease->absent || (lease->version[0] != '\0' && (is_ours(lease) || over));
}

static void fail(struct lease *lease, const struct api_answer *answer)
{
    copy(lease->failure, sizeof(lease->failure), answer->message);
    lease->version[0] = '\0'; /* read again */
}

static void on_read(void *ctx, const struct api_answer *answer)
{
    struct lease *lease = ctx;
    uint64_t now = clock_monotonic_ms();
    lease->busy = false;
    if (answer->status == 200) {
        note_object(lease, answer->root, now);
    } else if (answer->status == NOT_FOUND) {
        lease->absent = true;
    } else {
        fail(lease, answer);
        return;
    }
    if (may_be_written(lease, now)) /* at once; what is another's is looked at again in a while */
        lease->next_ms = 0;
    else
        lease->failure[0] = '\0'; /* to look is all that there is to do */
}

static void on_written(void *ctx, const struct api_answer *answer)
{
    struct lease *lease = ctx;
    lease->busy = false;
    if (answer->status == 200 || answer->status == 201) {
        note_object(lease, answer->root, clock_monotonic_ms());
        lease->renewed_ms = is_ours(lease) ? lease->asked_ms : 0;
        lease->failure[0] = '\0';
        return;
    }
    lease->absent = false;
    fail(lease, answer);
    if (answer->status == CONFLICT) { /* another one was there before us, which is no trouble */
        lease->renewed_ms = 0;
        lease->failure[0] = '\0';
    }
}

static void path_of(const struct lease *lease, char out[KUBERNETES_PATH_MAX], bool named)
{
    snprintf(out, KUBERNETES_PATH_MAX, "/apis/coordination.k8s.io/v1/namespaces/%s/leases%s%s",
             lease->namespace, named ? "/" : "", named ? lease->name : "");
}

static void read_object(struct lease *lease)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    path_of(lease, path, true);
    const struct api_call call = {.method = "GET", .path = path, .done = on_read, .ctx = lease};
    lease->busy = api_client_call(lease->client, &call, &err) == GUARD_OK;
}

static void write_object(struct lease *lease, const char *holder)
{
    char path[KUBERNETES_PATH_MAX];
    char body[BODY_MAX];
    char now[KUBERNETES_MOMENT_CAP];
    struct json_writer json;
    struct guard_err err;
    bool takes = strcmp(lease->holder, holder) != 0;
    kubernetes_moment(now, clock_unix_ms(), true);
    json_writer_init(&json, body, sizeof(body));
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", "coordination.k8s.io/v1");
    json_text(&json, "kind", "Lease");
    json_open(&json, "metadata", '{');
    json_text(&json, "name", lease->name);
    json_text(&json, "namespace", lease->namespace);
    if (!lease->absent)
        json_text(&json, "resourceVersion", lease->version);
    json_close(&json, '}');
    json_open(&json, "spec", '{');
    json_text(&json, "holderIdentity", holder);
    json_integer(&json, "leaseDurationSeconds", LEASE_MS / 1000);
    json_text(&json, "acquireTime", takes || lease->begun[0] == '\0' ? now : lease->begun);
    json_text(&json, "renewTime", now);
    json_integer(&json, "leaseTransitions", lease->transitions + takes);
    json_close(&json, '}');
    json_close(&json, '}');
    path_of(lease, path, !lease->absent);
    const struct api_call call = {
        .method = lease->absent ? "POST" : "PUT",
        .path = path,
        .content_type = "application/json",
        .body = {(const uint8_t *)body, json.len},
        .done = on_written,
        .ctx = lease,
    };
    lease->busy = !json.overflow && api_client_call(lease->client, &call, &err) == GUARD_OK;
}

void lease_tick(struct lease *lease, uint64_t mono_ms)
{
    if (lease->busy || mono_ms < lease->next_ms)
        return;
    lease->next_ms = mono_ms + LEASE_TRY_MS;
    lease->asked_ms = mono_ms;
    if (may_be_written(lease, mono_ms))
        write_object(lease, lease->identity);
    else
        read_object(lease);
}

void lease_release(struct lease *lease, uint64_t mono_ms)
{
    bool held = lease_held(lease, mono_ms);
    lease->renewed_ms = 0;
    if (held && !lease->busy && lease->version[0] != '\0')
        write_object(lease, "");
}
