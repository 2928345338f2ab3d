/* SPDX-License-Identifier: Apache-2.0 */
/* The container with the gate and its guardd, and what it mounts. It passes the restricted Pod
 * Security Standard, has no access to the API, and writes nowhere but in its own volume. */
#include "common/inject/parts.h"

#include <string.h>

#define GUARDIAN_DIR "/etc/guard/guardian"
#define PARENT_DIR "/etc/guard/parent"

enum { TOKEN_S = 3600, USER = 65532 };

static void add_option(struct document_edit *edit, struct document_node *args, const char *option,
                       const char *value)
{
    if (value == NULL)
        return;
    edit_add_text(edit, args, option);
    edit_add_text(edit, args, value);
}

/* Who has a parent says of which pod it is. Knative refuses such fields by default. */
static bool names_pod(const struct injection *in, const struct inject_plan *plan)
{
    return in->cfg->parent != NULL && !plan->knative;
}

/* Programs can be seen where the pod's containers share a process namespace. */
static const char *watched(struct injection *in, const struct inject_plan *plan)
{
    return edit_keep(&in->edit,
                     "service=%s,namespace=$(GUARD_POD_NAMESPACE),workload=%s,pod=$(GUARD_POD),"
                     "uid=$(GUARD_POD_UID)%s%s",
                     plan->service, in->name,
                     plan->revision != NULL ? ",hash=$(GUARD_REVISION)" : "",
                     true_in(plan->spec, "shareProcessNamespace") ? ",processes=yes" : "");
}

static void put_arguments(struct injection *in, const struct inject_plan *plan,
                          struct document_node *container)
{
    struct document_edit *edit = &in->edit;
    struct document_node *command = edit_list(edit, container, "command");
    struct document_node *args = edit_list(edit, container, "args");
    edit_add_text(edit, command, "/usr/bin/guard");
    edit_add_text(edit, args, "run");
    for (uint32_t i = 0; i < plan->port_count; i++) {
        const char *listen = edit_keep(edit, "0.0.0.0:%ld", plan->ports[i].gate);
        const char *upstream = edit_keep(edit, "http://127.0.0.1:%ld", plan->ports[i].app);
        if (i == 0) {
            add_option(edit, args, "--listen", listen);
            add_option(edit, args, "--upstream", upstream);
        } else {
            add_option(edit, args, "--also", edit_keep(edit, "%s=%s", listen, upstream));
        }
    }
    add_option(edit, args, "--service", plan->service);
    add_option(edit, args, "--state", "/var/lib/guard/state");
    add_option(edit, args, "--workers", "1");
    add_option(edit, args, "--drain", plan->drain);
    add_option(edit, args, "--mode", plan->mode);
    add_option(edit, args, "--probe", plan->probe);
    add_option(edit, args, "--revision", plan->revision != NULL ? "env:GUARD_REVISION" : NULL);
    add_option(edit, args, "--revision", plan->knative ? "env:K_REVISION" : NULL);
    add_option(edit, args, "--guardian",
               plan->guardian != NULL ? GUARDIAN_DIR "/guardian.yaml" : NULL);
    if (in->cfg->parent != NULL) {
        add_option(edit, args, "--parent", in->cfg->parent);
        add_option(edit, args, "--parent-token", PARENT_DIR "/token");
        add_option(edit, args, "--parent-ca", PARENT_DIR "/ca.crt");
        add_option(edit, args, "--policy-key", PARENT_DIR "/policy.pub");
    }
    if (names_pod(in, plan)) /* the kubelet puts them in */
        add_option(edit, args, "--pod", "$(GUARD_POD_NAMESPACE)/$(GUARD_POD)/$(GUARD_POD_UID)");
    if (names_pod(in, plan) && plan->pod_sensor)
        add_option(edit, args, "--pod-sensor", watched(in, plan));
}

static void put_ports(struct injection *in, const struct inject_plan *plan,
                      struct document_node *container)
{
    static const char *const moved[] = {"hostIP", "hostPort"};
    struct document_edit *edit = &in->edit;
    struct document_node *ports = edit_list(edit, container, "ports");
    for (uint32_t i = 0; i < plan->port_count; i++) {
        const struct inject_port *port = &plan->ports[i];
        struct document_node *entry = edit_element(edit, ports);
        if (port->name != NULL)
            edit_text(edit, entry, "name", port->name);
        edit_number(edit, entry, "containerPort", port->gate);
        for (size_t k = 0; port->entry != NULL && k < sizeof(moved) / sizeof(moved[0]); k++) {
            const char *text = text_of(port->entry, moved[k]);
            if (text[0] != '\0' && inject_number(text) > 0)
                edit_number(edit, entry, moved[k], inject_number(text));
            else if (text[0] != '\0')
                edit_text(edit, entry, moved[k], text);
        }
    }
}

/* Ready is asked of the gate itself, which says 503 while the pod is withdrawn, so that Services
 * leave it out. Whether it started isn't: then it would be started anew for being withdrawn. */
static void put_probe(struct injection *in, const struct inject_plan *plan,
                      struct document_node *container, const char *name, long failures)
{
    struct document_edit *edit = &in->edit;
    struct document_node *probe = edit_mapping(edit, container, name);
    bool ready = strcmp(name, "readinessProbe") == 0;
    struct document_node *asked = edit_mapping(edit, probe, ready ? "httpGet" : "tcpSocket");
    if (ready)
        edit_text(edit, asked, "path", "/.guard/ready");
    edit_number(edit, asked, "port", plan->ports[0].gate);
    edit_number(edit, probe, "periodSeconds", 1);
    edit_number(edit, probe, "failureThreshold", failures);
}

static void put_field(struct injection *in, struct document_node *container, const char *variable,
                      const char *path)
{
    struct document_edit *edit = &in->edit;
    struct document_node *entry = edit_element(edit, edit_list(edit, container, "env"));
    edit_text(edit, entry, "name", variable);
    struct document_node *from = edit_mapping(edit, entry, "valueFrom");
    edit_text(edit, edit_mapping(edit, from, "fieldRef"), "fieldPath", path);
}

static void put_environment(struct injection *in, const struct inject_plan *plan,
                            struct document_node *container)
{
    if (plan->revision != NULL)
        put_field(in, container, "GUARD_REVISION",
                  edit_keep(&in->edit, "metadata.labels['%s']", plan->revision));
    if (!names_pod(in, plan))
        return;
    put_field(in, container, "GUARD_POD_NAMESPACE", "metadata.namespace");
    put_field(in, container, "GUARD_POD", "metadata.name");
    put_field(in, container, "GUARD_POD_UID", "metadata.uid");
}

static void put_limits(struct injection *in, struct document_node *container)
{
    struct document_edit *edit = &in->edit;
    struct document_node *resources = edit_mapping(edit, container, "resources");
    struct document_node *requests = edit_mapping(edit, resources, "requests");
    struct document_node *limits = edit_mapping(edit, resources, "limits");
    edit_text(edit, requests, "cpu", "10m");
    edit_text(edit, requests, "memory", "40Mi");
    edit_text(edit, limits, "memory", "160Mi");
    struct document_node *security = edit_mapping(edit, container, "securityContext");
    edit_word(edit, security, "allowPrivilegeEscalation", "false");
    edit_word(edit, security, "readOnlyRootFilesystem", "true");
    edit_word(edit, security, "runAsNonRoot", "true");
    edit_number(edit, security, "runAsUser", USER);
    edit_number(edit, security, "runAsGroup", USER);
    struct document_node *capabilities = edit_mapping(edit, security, "capabilities");
    edit_add_text(edit, edit_list(edit, capabilities, "drop"), "ALL");
    edit_text(edit, edit_mapping(edit, security, "seccompProfile"), "type", "RuntimeDefault");
}

static void put_mount(struct injection *in, struct document_node *mounts, const char *volume,
                      const char *path, bool writable)
{
    struct document_node *mount = edit_element(&in->edit, mounts);
    edit_text(&in->edit, mount, "name", volume);
    edit_text(&in->edit, mount, "mountPath", path);
    if (!writable)
        edit_word(&in->edit, mount, "readOnly", "true");
}

void inject_gate(struct injection *in, const struct inject_plan *plan,
                 struct document_node *container)
{
    struct document_edit *edit = &in->edit;
    edit_text(edit, container, "name", INJECT_CONTAINER);
    edit_text(edit, container, "image", in->cfg->image);
    if (in->cfg->pull_policy != NULL)
        edit_text(edit, container, "imagePullPolicy", in->cfg->pull_policy);
    put_arguments(in, plan, container);
    put_environment(in, plan, container);
    if (plan->native)
        edit_text(edit, container, "restartPolicy", "Always");
    if (!plan->knative)
        put_ports(in, plan, container);
    if (plan->native)
        put_probe(in, plan, container, "startupProbe", 60);
    if (!plan->knative)
        put_probe(in, plan, container, "readinessProbe", 3);
    put_limits(in, container);
    struct document_node *mounts = edit_list(edit, container, "volumeMounts");
    put_mount(in, mounts, INJECT_STATE_VOLUME, "/var/lib/guard", true);
    /* Where the token of the pod's account would be: what stands here, nobody mounts over. */
    put_mount(in, mounts, INJECT_NO_TOKEN_VOLUME, "/var/run/secrets/kubernetes.io/serviceaccount",
              false);
    if (plan->guardian != NULL)
        put_mount(in, mounts, INJECT_GUARDIAN_VOLUME, GUARDIAN_DIR, false);
    if (in->cfg->parent != NULL)
        put_mount(in, mounts, INJECT_PARENT_VOLUME, PARENT_DIR, false);
}

/* In the place of what has this name. */
static struct document_node *volume(struct injection *in, struct document_node *volumes,
                                    const char *name)
{
    struct document_edit *edit = &in->edit;
    for (struct document_node *one = volumes != NULL ? volumes->first : NULL; one != NULL;
         one = one->next) {
        if (one->kind == DOCUMENT_MAPPING && strcmp(text_of(one, "name"), name) == 0) {
            one->first = NULL;
            one->count = 0;
            edit_text(edit, one, "name", name);
            return one;
        }
    }
    struct document_node *made = edit_element(edit, volumes);
    edit_text(edit, made, "name", name);
    return made;
}

static void parent_volume(struct injection *in, struct document_node *volumes)
{
    static const char *const keys[] = {"ca.crt", "policy.pub"};
    struct document_edit *edit = &in->edit;
    struct document_node *projected =
        edit_mapping(edit, volume(in, volumes, INJECT_PARENT_VOLUME), "projected");
    struct document_node *sources = edit_list(edit, projected, "sources");
    struct document_node *token =
        edit_mapping(edit, edit_element(edit, sources), "serviceAccountToken");
    edit_text(edit, token, "audience",
              in->cfg->audience != NULL ? in->cfg->audience : "guard.security");
    edit_number(edit, token, "expirationSeconds", TOKEN_S);
    edit_text(edit, token, "path", "token");
    struct document_node *trust = edit_mapping(edit, edit_element(edit, sources), "configMap");
    edit_text(edit, trust, "name", in->cfg->trust);
    struct document_node *items = edit_list(edit, trust, "items");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        struct document_node *item = edit_element(edit, items);
        edit_text(edit, item, "key", keys[i]);
        edit_text(edit, item, "path", keys[i]);
    }
}

static void drop_volume(struct document_node *volumes, const char *name)
{
    for (struct document_node *one = volumes != NULL ? volumes->first : NULL; one != NULL;
         one = one->next) {
        if (one->kind == DOCUMENT_MAPPING && strcmp(text_of(one, "name"), name) == 0)
            edit_remove(volumes, one);
    }
}

void inject_volumes(struct injection *in, const struct inject_plan *plan)
{
    struct document_edit *edit = &in->edit;
    struct document_node *volumes = edit_list(edit, plan->spec, "volumes");
    edit_text(edit, edit_mapping(edit, volume(in, volumes, INJECT_STATE_VOLUME), "emptyDir"),
              "sizeLimit", "1Gi");
    edit_text(edit, edit_mapping(edit, volume(in, volumes, INJECT_NO_TOKEN_VOLUME), "emptyDir"),
              "sizeLimit", "1Mi");
    if (plan->guardian != NULL)
        edit_text(edit,
                  edit_mapping(edit, volume(in, volumes, INJECT_GUARDIAN_VOLUME), "configMap"),
                  "name", plan->guardian);
    else
        drop_volume(volumes, INJECT_GUARDIAN_VOLUME);
    if (in->cfg->parent != NULL)
        parent_volume(in, volumes);
    else
        drop_volume(volumes, INJECT_PARENT_VOLUME);
}
