/* SPDX-License-Identifier: Apache-2.0 */
/* Names go into paths: only those that Kubernetes itself would take. */
#include "common/kubernetes/pod_actions.h"

#include "common/document_members.h"
#include "common/json_writer.h"

#include <stdio.h>
#include <string.h>

enum {
    BODY_MAX = 8192,
    LABEL_MAX = 63,
    RETRY_S = 10, /* after 429 without a word of when; what later servers say of a budget */
    NOT_FOUND = 404,
    CONFLICT = 409,
    TOO_MANY = 429,
};

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define LETTERS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool name_valid(const char *name, size_t max)
{
    size_t len = strlen(name);
    return len > 0 && len <= max && strspn(name, LOWER ".-") == len && name[0] != '.' &&
           name[0] != '-' && strstr(name, "..") == NULL;
}

bool pod_label_valid(const struct pod_label *label)
{
    const char *slash = strchr(label->name, '/');
    const char *plain = slash != NULL ? slash + 1 : label->name;
    size_t len = strlen(plain);
    size_t value = label->value != NULL ? strlen(label->value) : 0;
    bool prefix =
        slash == NULL || ((size_t)(slash - label->name) <= 253 &&
                          strspn(label->name, LOWER ".-") == (size_t)(slash - label->name));
    return prefix && len > 0 && len <= LABEL_MAX && strspn(plain, LETTERS "-_.") == len &&
           value <= LABEL_MAX && (value == 0 || strspn(label->value, LETTERS "-_.") == value);
}

enum guard_rc pod_ref_check(const struct pod_ref *pod, struct guard_err *err)
{
    if (!name_valid(pod->namespace, LABEL_MAX) || !name_valid(pod->name, POD_NAME_CAP - 1))
        return guard_fail(err, GUARD_E_RANGE, "\"%.64s/%.200s\" names no pod", pod->namespace,
                          pod->name);
    if (strlen(pod->uid) >= POD_UID_CAP || !name_valid(pod->uid, POD_UID_CAP - 1))
        return guard_fail(err, GUARD_E_RANGE, "\"%.64s\" is no pod's uid", pod->uid);
    return GUARD_OK;
}

/* --- answers --- */

/* A budget's refusal names its cause, in all versions; a server that has too much to do doesn't. */
static bool by_budget(const struct document_node *root)
{
    const struct document_node *details = root != NULL ? member_of(root, "details") : NULL;
    const struct document_node *causes =
        details != NULL && details->kind == DOCUMENT_MAPPING ? member_of(details, "causes") : NULL;
    for (const struct document_node *cause = causes != NULL ? causes->first : NULL; cause != NULL;
         cause = cause->next) {
        if (cause->kind == DOCUMENT_MAPPING &&
            strcmp(text_of(cause, "reason"), "DisruptionBudget") == 0)
            return true;
    }
    return false;
}

static enum pod_outcome outcome_of(const struct api_answer *answer, bool makes)
{
    if (answer->status >= 200 && answer->status < 300)
        return POD_DONE;
    switch (answer->status) {
    case NOT_FOUND:
        return POD_GONE;
    case CONFLICT:
        return makes ? POD_DONE : POD_GONE; /* another uid */
    case TOO_MANY:
        return POD_LATER;
    default:
        break;
    }
    if (answer->status == 503 && answer->retry_after_s > 0)
        return POD_LATER;
    return answer->status >= 400 && answer->status < 500 ? POD_REFUSED : POD_FAILED;
}

void pod_result_read(struct pod_result *out, const struct api_answer *answer, bool makes)
{
    *out = (struct pod_result){.outcome = outcome_of(answer, makes), .status = answer->status};
    if (out->outcome == POD_LATER) {
        out->retry_after_s = answer->retry_after_s > 0 ? answer->retry_after_s : RETRY_S;
        out->budget = by_budget(answer->root);
    }
    if (out->outcome != POD_DONE)
        snprintf(out->message, sizeof(out->message), "%s", answer->message);
}

static void on_answer(void *ctx, const struct api_answer *answer)
{
    struct pod_action *action = ctx;
    struct pod_result result;
    pod_result_read(&result, answer, action->makes);
    action->done(action->ctx, &result);
}

/* --- calls --- */

static enum guard_rc begin(struct api_client *client, struct pod_action *action, const char *method,
                           const char *path, const char *type, const struct json_writer *json,
                           struct guard_err *err)
{
    if (json != NULL && json->overflow)
        return guard_fail(err, GUARD_E_LIMIT, "%s: is too long", path);
    const struct api_call call = {
        .method = method,
        .path = path,
        .content_type = json != NULL ? type : NULL,
        .body = json != NULL ? (struct guard_span){(const uint8_t *)json->ptr, json->len}
                             : (struct guard_span){NULL, 0},
        .done = on_answer,
        .ctx = action,
        .own_limit = true,
    };
    return api_client_call(client, &call, err);
}

enum guard_rc pod_evict(struct api_client *client, struct pod_action *action,
                        const struct pod_ref *pod, enum eviction_version version, bool dry,
                        struct guard_err *err)
{
    char path[KUBERNETES_PATH_MAX];
    char body[BODY_MAX];
    struct json_writer json;
    GUARD_TRY(pod_ref_check(pod, err));
    action->makes = false;
    json_writer_init(&json, body, sizeof(body));
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", version == EVICTION_V1 ? "policy/v1" : "policy/v1beta1");
    json_text(&json, "kind", "Eviction");
    json_open(&json, "metadata", '{');
    json_text(&json, "name", pod->name);
    json_text(&json, "namespace", pod->namespace);
    json_close(&json, '}');
    json_open(&json, "deleteOptions", '{');
    json_open(&json, "preconditions", '{');
    json_text(&json, "uid", pod->uid);
    json_close(&json, '}');
    if (dry) {
        json_open(&json, "dryRun", '[');
        json_text(&json, NULL, "All");
        json_close(&json, ']');
    }
    json_close(&json, '}');
    json_close(&json, '}');
    snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s/eviction", pod->namespace,
             pod->name);
    return begin(client, action, "POST", path, "application/json", &json, err);
}

enum guard_rc pod_relabel(struct api_client *client, struct pod_action *action,
                          const struct pod_ref *pod, const struct pod_label *labels, size_t count,
                          struct guard_err *err)
{
    char path[KUBERNETES_PATH_MAX];
    char body[BODY_MAX];
    struct json_writer json;
    GUARD_TRY(pod_ref_check(pod, err));
    if (count == 0 || count > POD_LABELS_MAX)
        return guard_fail(err, GUARD_E_RANGE, "1 to %d labels can be changed at once",
                          (int)POD_LABELS_MAX);
    action->makes = false;
    json_writer_init(&json, body, sizeof(body));
    json_open(&json, NULL, '{');
    json_open(&json, "metadata", '{');
    json_text(&json, "uid", pod->uid); /* of another pod: 409 */
    json_open(&json, "labels", '{');
    for (size_t i = 0; i < count; i++) {
        if (!pod_label_valid(&labels[i]))
            return guard_fail(err, GUARD_E_RANGE, "\"%.64s\" is no label", labels[i].name);
        if (labels[i].value != NULL)
            json_text(&json, labels[i].name, labels[i].value);
        else
            json_null(&json, labels[i].name);
    }
    json_close(&json, '}');
    json_close(&json, '}');
    json_close(&json, '}');
    snprintf(path, sizeof(path), "/api/v1/namespaces/%s/pods/%s", pod->namespace, pod->name);
    return begin(client, action, "PATCH", path, "application/merge-patch+json", &json, err);
}

/* A label's value as a part of a name: in lower case, what isn't allowed there as '-'. */
static enum guard_rc policy_name(char out[POD_NAME_CAP], const char *namespace,
                                 const struct pod_label *label, struct guard_err *err)
{
    if (!name_valid(namespace, LABEL_MAX) || !pod_label_valid(label) || label->value == NULL ||
        label->value[0] == '\0')
        return guard_fail(err, GUARD_E_RANGE, "\"%.64s\": no namespace with a label of pods",
                          namespace);
    if (!name_valid(label->value, LABEL_MAX))
        return guard_fail(err, GUARD_E_RANGE, "\"%.64s\": is a name's part: lower case, digits, -",
                          label->value);
    snprintf(out, POD_NAME_CAP, "guard-deny-%s", label->value);
    return GUARD_OK;
}

enum guard_rc pod_deny(struct api_client *client, struct pod_action *action, const char *namespace,
                       const struct pod_label *label, struct guard_err *err)
{
    char path[KUBERNETES_PATH_MAX];
    char body[BODY_MAX];
    char name[POD_NAME_CAP];
    struct json_writer json;
    GUARD_TRY(policy_name(name, namespace, label, err));
    action->makes = true;
    json_writer_init(&json, body, sizeof(body));
    json_open(&json, NULL, '{');
    json_text(&json, "apiVersion", "networking.k8s.io/v1");
    json_text(&json, "kind", "NetworkPolicy");
    json_open(&json, "metadata", '{');
    json_text(&json, "name", name);
    json_open(&json, "labels", '{');
    json_text(&json, "app.kubernetes.io/part-of", "guard");
    json_close(&json, '}');
    json_close(&json, '}');
    json_open(&json, "spec", '{');
    json_open(&json, "podSelector", '{');
    json_open(&json, "matchLabels", '{');
    json_text(&json, label->name, label->value);
    json_close(&json, '}');
    json_close(&json, '}');
    json_open(&json, "policyTypes", '['); /* no rules: nothing is let through */
    json_text(&json, NULL, "Ingress");
    json_text(&json, NULL, "Egress");
    json_close(&json, ']');
    json_close(&json, '}');
    json_close(&json, '}');
    snprintf(path, sizeof(path), "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies",
             namespace);
    return begin(client, action, "POST", path, "application/json", &json, err);
}

enum guard_rc pod_undeny(struct api_client *client, struct pod_action *action,
                         const char *namespace, const struct pod_label *label,
                         struct guard_err *err)
{
    char path[KUBERNETES_PATH_MAX];
    char name[POD_NAME_CAP];
    GUARD_TRY(policy_name(name, namespace, label, err));
    action->makes = false;
    snprintf(path, sizeof(path), "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies/%s",
             namespace, name);
    return begin(client, action, "DELETE", path, NULL, NULL, err);
}
