/* SPDX-License-Identifier: Apache-2.0 */
/* One look at a time: the Secret, what is due with it, the configuration, the files. Whoever comes
 * second with a change is refused by its version, and looks again. */
#include "certificate_keeper.h"

#include "common/document_members.h"
#include "common/file.h"
#include "common/kubernetes/api_client.h"
#include "common/log.h"
#include "common/traffic/base64.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_MS = 2000,
    TELL_MS = 3600 * 1000,
    CONFLICT = 409,
    WEBHOOKS_MAX = 16,
    CONFIGURATION_CAP = 2 * WEBHOOKS_MAX * AUTHORITY_BUNDLE_CAP,
};
static const struct guard_span no_service = {NULL, 0};

struct keeper {
    struct keeper_cfg cfg;
    struct authority_cfg rules;
    struct kubernetes_config config;
    struct api_client *client;
    struct authority authority;
    char version[64];                   /* of the Secret that was read */
    char written[CERTIFICATE_CAP];      /* the certificate in the file; "": none yet */
    char trusted[AUTHORITY_BUNDLE_CAP]; /* what the configuration had when it was looked at */
    uint64_t trusted_since_ms;          /* monotonic; 0: it hasn't all of the bundle */
    uint64_t next_ms;
    uint64_t told_ms;
    bool busy;
    bool failing;
};

/* --- telling --- */

/* While what isn't renewed still holds, and long before it doesn't. */
static void tell_end(struct keeper *keeper)
{
    uint64_t left_ms = authority_left_ms(&keeper->authority, clock_unix_ms());
    uint64_t now = clock_monotonic_ms();
    if (left_ms >= keeper->rules.valid_ms / 4 || keeper->version[0] == '\0' ||
        (keeper->told_ms != 0 && now - keeper->told_ms < TELL_MS))
        return;
    keeper->told_ms = now;
    log_event("alarm", "certificate-ends", no_service,
              "in %" PRIu64 " s, and it wasn't renewed: no pod that asks for Guard starts then",
              left_ms / 1000);
}

static void failed(struct keeper *keeper, const char *what, const char *message)
{
    keeper->busy = false;
    keeper->next_ms = clock_monotonic_ms() + LOOK_MS;
    if (!keeper->failing)
        log_event("alarm", "certificate-not-kept", no_service, "%s: %s", what, message);
    keeper->failing = true;
}

static void done(struct keeper *keeper)
{
    keeper->busy = false;
    keeper->next_ms = clock_monotonic_ms() + LOOK_MS;
    if (keeper->failing)
        log_event("info", "certificate-kept", no_service, "%s", "again");
    keeper->failing = false;
}

static void again(struct keeper *keeper)
{
    keeper->busy = false;
    keeper->next_ms = 0;
}

/* --- files --- */

static bool replace(const char *path, const char *text, struct guard_err *err)
{
    return file_replace(path, (struct guard_span){(const uint8_t *)text, strlen(text)}, 0600, false,
                        err) == GUARD_OK;
}

/* The key first: nginx looks at both when the certificate's file is new. */
static bool write_files(struct keeper *keeper)
{
    const struct certificate *server = &keeper->authority.server;
    struct guard_err err;
    if (strcmp(keeper->written, server->text) == 0)
        return true;
    if (!replace(keeper->cfg.key, server->key, &err) ||
        !replace(keeper->cfg.certificate, server->text, &err)) {
        failed(keeper, "its files", err.text);
        return false;
    }
    memcpy(keeper->written, server->text, sizeof(keeper->written));
    log_event("info", "certificate-taken", no_service, "it holds for %" PRIu64 " s",
              authority_left_ms(&keeper->authority, clock_unix_ms()) / 1000);
    return true;
}

/* --- the configuration --- */

static void configuration_path(const struct keeper *keeper, char out[KUBERNETES_PATH_MAX])
{
    snprintf(out, KUBERNETES_PATH_MAX,
             "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/%.253s",
             keeper->cfg.configuration);
}

/* Trust is counted from when all of the bundle was seen there. */
static void note_trusted(struct keeper *keeper, const char *bundle)
{
    if (keeper->trusted_since_ms == 0 || strcmp(keeper->trusted, bundle) != 0)
        keeper->trusted_since_ms = clock_monotonic_ms();
    snprintf(keeper->trusted, sizeof(keeper->trusted), "%s", bundle);
}

static void on_configured(void *ctx, const struct api_answer *answer)
{
    struct keeper *keeper = ctx;
    if (answer->status == CONFLICT || answer->status == 200)
        again(keeper);
    else
        failed(keeper, keeper->cfg.configuration, answer->message);
}

/* Of each webhook of it; the version keeps what others change meanwhile. */
static void configure(struct keeper *keeper, const struct document_node *root, const char *coded)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err = {.text = "no memory"};
    struct json_writer json;
    char *body = malloc(CONFIGURATION_CAP);
    if (body == NULL) {
        failed(keeper, keeper->cfg.configuration, err.text);
        return;
    }
    json_writer_init(&json, body, CONFIGURATION_CAP);
    json_open(&json, NULL, '{');
    json_open(&json, "metadata", '{');
    json_text(&json, "resourceVersion", text_of(member_of(root, "metadata"), "resourceVersion"));
    json_close(&json, '}');
    json_open(&json, "webhooks", '[');
    for (const struct document_node *one = member_of(root, "webhooks")->first; one != NULL;
         one = one->next) {
        json_open(&json, NULL, '{');
        json_text(&json, "name", text_of(one, "name"));
        json_open(&json, "clientConfig", '{');
        json_text(&json, "caBundle", coded);
        json_close(&json, '}');
        json_close(&json, '}');
    }
    json_close(&json, ']');
    json_close(&json, '}');
    configuration_path(keeper, path);
    const struct api_call call = {
        .method = "PATCH",
        .path = path,
        .content_type = "application/strategic-merge-patch+json",
        .body = {(const uint8_t *)body, json.len},
        .done = on_configured,
        .ctx = keeper,
    };
    keeper->trusted_since_ms = 0;
    if (json.overflow || api_client_call(keeper->client, &call, &err) != GUARD_OK)
        failed(keeper, keeper->cfg.configuration, json.overflow ? "too many webhooks" : err.text);
    free(body);
}

static bool is_trusted(const struct document_node *webhooks, const char *coded)
{
    for (const struct document_node *one = webhooks->first; one != NULL; one = one->next) {
        const struct document_node *client =
            one->kind == DOCUMENT_MAPPING ? member_of(one, "clientConfig") : NULL;
        if (client == NULL || client->kind != DOCUMENT_MAPPING ||
            strcmp(text_of(client, "caBundle"), coded) != 0)
            return false;
    }
    return true;
}

static void on_configuration(void *ctx, const struct api_answer *answer)
{
    struct keeper *keeper = ctx;
    char bundle[AUTHORITY_BUNDLE_CAP];
    char coded[2 * AUTHORITY_BUNDLE_CAP];
    if (answer->status != 200) {
        failed(keeper, keeper->cfg.configuration, answer->message);
        return;
    }
    const struct document_node *webhooks = member_of(answer->root, "webhooks");
    const struct document_node *metadata = member_of(answer->root, "metadata");
    if (webhooks == NULL || webhooks->kind != DOCUMENT_SEQUENCE || metadata == NULL ||
        metadata->kind != DOCUMENT_MAPPING) {
        failed(keeper, keeper->cfg.configuration, "it has no webhooks");
        return;
    }
    authority_bundle(&keeper->authority, bundle);
    base64_encode(coded, (struct guard_span){(const uint8_t *)bundle, strlen(bundle)});
    if (!is_trusted(webhooks, coded)) {
        configure(keeper, answer->root, coded);
        return;
    }
    note_trusted(keeper, bundle);
    done(keeper);
}

static void read_configuration(struct keeper *keeper)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    configuration_path(keeper, path);
    const struct api_call call = {
        .method = "GET", .path = path, .done = on_configuration, .ctx = keeper};
    if (api_client_call(keeper->client, &call, &err) != GUARD_OK)
        failed(keeper, keeper->cfg.configuration, err.text);
}

/* --- the Secret --- */

static void secret_path(const struct keeper *keeper, char out[KUBERNETES_PATH_MAX])
{
    snprintf(out, KUBERNETES_PATH_MAX, "/api/v1/namespaces/%s/secrets/%.253s",
             keeper->config.namespace, keeper->cfg.secret);
}

static void on_saved(void *ctx, const struct api_answer *answer)
{
    struct keeper *keeper = ctx;
    if (answer->status == 200 || answer->status == CONFLICT)
        again(keeper);
    else
        failed(keeper, keeper->cfg.secret, answer->message);
}

static void save(struct keeper *keeper)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err = {.text = "no memory"};
    struct json_writer json;
    char *body = malloc(AUTHORITY_SECRET_CAP);
    if (body == NULL) {
        failed(keeper, keeper->cfg.secret, err.text);
        return;
    }
    json_writer_init(&json, body, AUTHORITY_SECRET_CAP);
    json_open(&json, NULL, '{');
    json_open(&json, "metadata", '{');
    json_text(&json, "resourceVersion", keeper->version);
    if (!keeper->authority.renew) {
        json_open(&json, "annotations", '{');
        json_null(&json, AUTHORITY_RENEW);
        json_close(&json, '}');
    }
    json_close(&json, '}');
    authority_write(&keeper->authority, &json);
    json_close(&json, '}');
    secret_path(keeper, path);
    const struct api_call call = {
        .method = "PATCH",
        .path = path,
        .content_type = "application/merge-patch+json",
        .body = {(const uint8_t *)body, json.len},
        .done = on_saved,
        .ctx = keeper,
    };
    if (json.overflow || api_client_call(keeper->client, &call, &err) != GUARD_OK)
        failed(keeper, keeper->cfg.secret, json.overflow ? "it is too large" : err.text);
    explicit_bzero(body, AUTHORITY_SECRET_CAP);
    free(body);
}

/* Of the bundle that stands in the Secret now. */
static uint64_t trusted_ms(const struct keeper *keeper)
{
    char bundle[AUTHORITY_BUNDLE_CAP];
    authority_bundle(&keeper->authority, bundle);
    return keeper->trusted_since_ms != 0 && strcmp(bundle, keeper->trusted) == 0
               ? clock_monotonic_ms() - keeper->trusted_since_ms
               : 0;
}

static void on_secret(void *ctx, const struct api_answer *answer)
{
    struct keeper *keeper = ctx;
    struct guard_err err;
    bool changed = false;
    if (answer->status != 200) {
        failed(keeper, keeper->cfg.secret, answer->message);
        return;
    }
    const struct document_node *metadata = member_of(answer->root, "metadata");
    const char *version = metadata != NULL && metadata->kind == DOCUMENT_MAPPING
                              ? text_of(metadata, "resourceVersion")
                              : "";
    snprintf(keeper->version, sizeof(keeper->version), "%.60s", version);
    authority_read(&keeper->authority, answer->root);
    if (authority_step(&keeper->authority, &keeper->rules, clock_unix_ms(), trusted_ms(keeper),
                       &changed, &err) != GUARD_OK)
        failed(keeper, keeper->cfg.secret, err.text);
    else if (changed)
        save(keeper);
    else if (write_files(keeper))
        read_configuration(keeper);
}

static void read_secret(struct keeper *keeper)
{
    char path[KUBERNETES_PATH_MAX];
    struct guard_err err;
    secret_path(keeper, path);
    const struct api_call call = {.method = "GET", .path = path, .done = on_secret, .ctx = keeper};
    keeper->busy = true;
    if (api_client_call(keeper->client, &call, &err) != GUARD_OK)
        failed(keeper, keeper->cfg.secret, err.text);
}

/* --- life --- */

static enum guard_rc open_parts(struct keeper *keeper, struct guard_err *err)
{
    char own[128];
    GUARD_TRY(kubernetes_config_load(&keeper->config, keeper->cfg.cluster, err));
    snprintf(own, sizeof(own), "guard-webhook.%s.svc", keeper->config.namespace);
    GUARD_TRY(certificate_names_read(&keeper->rules.names,
                                     keeper->cfg.names != NULL ? keeper->cfg.names : own, err));
    keeper->rules.valid_ms = keeper->cfg.valid_ms;
    keeper->rules.overlap_ms = keeper->cfg.overlap_ms;
    return api_client_open(&keeper->client, &keeper->config, "guard/" GUARD_VERSION " (linux)",
                           err);
}

enum guard_rc keeper_open(struct keeper **out, const struct keeper_cfg *cfg, struct guard_err *err)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL)
        return guard_fail(err, GUARD_E_NOMEM, "no memory for certificates");
    keeper->cfg = *cfg;
    enum guard_rc rc = open_parts(keeper, err);
    if (rc != GUARD_OK) {
        keeper_close(keeper);
        return rc;
    }
    *out = keeper;
    return GUARD_OK;
}

void keeper_close(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    keeper->failing = true; /* what ends here isn't told */
    api_client_close(keeper->client);
    kubernetes_config_free(&keeper->config);
    authority_wipe(&keeper->authority);
    free(keeper);
}

void keeper_tick(struct keeper *keeper)
{
    if (keeper == NULL)
        return;
    api_client_run(keeper->client);
    tell_end(keeper);
    uint64_t now = clock_monotonic_ms();
    if (!keeper->busy && now >= keeper->next_ms && api_client_ready(keeper->client, now))
        read_secret(keeper);
}

bool keeper_ready(const struct keeper *keeper)
{
    return keeper == NULL || keeper->written[0] != '\0';
}

int keeper_fd(const struct keeper *keeper)
{
    return keeper != NULL ? api_client_fd(keeper->client) : -1;
}
