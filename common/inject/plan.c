/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done to a pod: its own words, the configuration's, and what stands against it. */
#include "common/inject/parts.h"

#include "common/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_LEN = 253, DRAIN_MAX_S = 3600 };

static const char prefix[] = "guard.security/";

enum guard_rc inject_fail(const struct injection *in, const struct document_node *at,
                          enum guard_rc rc, const char *format, ...)
{
    char text[200];
    struct guard_err place = {{0}};
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)document_fail_member(in->document, at, rc, &place, "%s", text);
    return guard_fail(in->err, rc, "%.120s: %s", in->object, place.text);
}

void inject_say(const struct injection *in, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (in->tell != NULL)
        in->tell(in->ctx, in->object, text);
}

static bool is_null(const struct document_node *node)
{
    return node->kind == DOCUMENT_SCALAR && !node->quoted &&
           (node->text.len == 0 || strcmp((const char *)node->text.ptr, "null") == 0 ||
            strcmp((const char *)node->text.ptr, "~") == 0);
}

enum guard_rc inject_member(const struct injection *in, const struct document_node *parent,
                            const char *name, enum document_kind kind, struct document_node **out)
{
    static const char *const kinds[] = {"a text or number", "a list", "a mapping"};
    *out = NULL;
    for (struct document_node *child = parent != NULL ? parent->first : NULL; child != NULL;
         child = child->next) {
        if (strcmp((const char *)child->key->text.ptr, name) != 0 || is_null(child))
            continue;
        if (child->kind != kind)
            return inject_fail(in, child, GUARD_E_SYNTAX, "must be %s", kinds[kind]);
        *out = child;
    }
    return GUARD_OK;
}

long inject_number(const char *text)
{
    char *end = NULL;
    if (text[0] < '1' || text[0] > '9' || strlen(text) > 5)
        return 0;
    long value = strtol(text, &end, 10);
    return *end == '\0' && value <= 65535 ? value : 0;
}

bool inject_is_name(const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        bool alnum = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9');
        bool inner = i > 0 && i + 1 < len && (text[i] == '-' || text[i] == '.');
        if (!alnum && !inner)
            return false;
    }
    return len > 0 && len <= NAME_MAX_LEN;
}

bool inject_is_mode(const char *text)
{
    return strcmp(text, "observe") == 0 || strcmp(text, "alert") == 0 || strcmp(text, "block") == 0;
}

/* 0: it is none. */
static long seconds_of(const char *text)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9' || strlen(text) > 6)
        return 0;
    long value = strtol(text, &end, 10);
    long unit = strcmp(end, "m") == 0 ? 60 : strcmp(end, "s") == 0 ? 1 : 0;
    return value * unit;
}

bool inject_is_time(const char *text)
{
    long seconds = seconds_of(text);
    return seconds > 0 && seconds <= DRAIN_MAX_S;
}

/* What ends up in a container's image field: no blank, no quote, nothing of a shell's. */
static bool is_image(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool alnum =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!alnum && strchr("/._:@-", *c) == NULL)
            return false;
    }
    return text[0] != '\0' && strlen(text) <= 512;
}

static bool is_parent(const char *text)
{
    if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
        return false;
    return is_image(text) && strlen(text) <= 300;
}

static bool is_policy(const char *text)
{
    return strcmp(text, "Always") == 0 || strcmp(text, "IfNotPresent") == 0 ||
           strcmp(text, "Never") == 0;
}

static bool is_service(const char *text)
{
    return state_service_valid((struct guard_span){(const uint8_t *)text, strlen(text)});
}

static bool is_audience(const char *text)
{
    return is_image(text) && strlen(text) <= 253;
}

enum guard_rc inject_check(const struct inject_cfg *cfg, struct guard_err *err)
{
    const struct {
        const char *option;
        const char *value;
        bool (*good)(const char *text);
        const char *wanted;
    } checks[] = {
        {"image", cfg->image != NULL ? cfg->image : "", is_image, "the name of an image"},
        {"pull-policy", cfg->pull_policy, is_policy, "Always, IfNotPresent or Never"},
        {"service", cfg->service, is_service, "1 to 64 letters, digits, '.', '_' or '-'"},
        {"mode", cfg->mode, inject_is_mode, "observe, alert or block"},
        {"guardian", cfg->guardian, inject_is_name, "the name of a ConfigMap"},
        {"parent", cfg->parent, is_parent, "https://HOST[:PORT]"},
        {"trust", cfg->trust, inject_is_name, "the name of a ConfigMap"},
        {"audience", cfg->audience, is_audience, "a word"},
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        if (checks[i].value != NULL && !checks[i].good(checks[i].value))
            return guard_fail(err, GUARD_E_RANGE, "--%s must be %s", checks[i].option,
                              checks[i].wanted);
    }
    if ((cfg->parent != NULL) != (cfg->trust != NULL))
        return guard_fail(err, GUARD_E_RANGE,
                          "--parent and --trust go together: what the parent publishes is "
                          "verified with the key in the ConfigMap");
    return GUARD_OK;
}

/* The pod's annotation, else what the configuration says. */
static enum guard_rc setting(const struct injection *in, const struct inject_plan *plan,
                             const char *name, const char *otherwise, bool (*good)(const char *),
                             const char *wanted, const char **out)
{
    char key[64];
    struct document_node *value = NULL;
    snprintf(key, sizeof(key), "%s%s", prefix, name);
    GUARD_TRY(inject_member(in, plan->annotations, key, DOCUMENT_SCALAR, &value));
    *out = value != NULL ? (const char *)value->text.ptr : otherwise;
    if (value != NULL && good != NULL &&
        (strlen(*out) != value->text.len || !good((const char *)value->text.ptr)))
        return inject_fail(in, value, GUARD_E_RANGE, "must be %s", wanted);
    return GUARD_OK;
}

static bool is_switch(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

/* The object's name; where a parent learns for a cluster the namespace before it, as its operator
 * calls the service (guardd/operator). */
static enum guard_rc default_service(struct injection *in, struct inject_plan *plan,
                                     const char *name)
{
    plan->service = name;
    if (in->cfg->parent == NULL)
        return GUARD_OK;
    if (in->name_space[0] == '\0') {
        inject_say(in,
                   "has no namespace: for the parent its service is \"%.64s\", not NAMESPACE.%.64s",
                   name, name);
        return GUARD_OK;
    }
    int len = snprintf(in->service, sizeof(in->service), "%s.%s", in->name_space, name);
    if (len < 0 || (size_t)len > STATE_SERVICE_MAX)
        return inject_fail(
            in, plan->template, GUARD_E_RANGE,
            "%.63s.%.64s is too long for a service's name: give annotation %sservice",
            in->name_space, name, prefix);
    plan->service = in->service;
    return GUARD_OK;
}

static enum guard_rc settings(struct injection *in, struct inject_plan *plan, const char **ports)
{
    const struct inject_cfg *cfg = in->cfg;
    const char *native, *pod_sensor;
    GUARD_TRY(setting(in, plan, "service", cfg->service, is_service,
                      "1 to 64 letters, digits, '.', '_' or '-'", &plan->service));
    GUARD_TRY(setting(in, plan, "mode", cfg->mode, inject_is_mode, "observe, alert or block",
                      &plan->mode));
    GUARD_TRY(setting(in, plan, "guardian", cfg->guardian, inject_is_name,
                      "the name of a ConfigMap", &plan->guardian));
    GUARD_TRY(setting(in, plan, "drain", "5s", inject_is_time, "1s to 60m", &plan->drain));
    GUARD_TRY(setting(in, plan, "port", cfg->ports, NULL, "", ports));
    GUARD_TRY(setting(in, plan, "native", cfg->native ? "true" : "false", is_switch,
                      "\"true\" or \"false\"", &native));
    GUARD_TRY(
        setting(in, plan, "pod-sensor", "false", is_switch, "\"true\" or \"false\"", &pod_sensor));
    if (cfg->parent != NULL && (plan->mode != NULL || plan->guardian != NULL))
        return inject_fail(in, plan->template, GUARD_E_STATE,
                           "with a parent the mode and the Guardian are the parent's");
    plan->native = strcmp(native, "true") == 0;
    plan->pod_sensor = strcmp(pod_sensor, "true") == 0;
    if (plan->pod_sensor && (cfg->parent == NULL || plan->knative))
        return inject_fail(in, plan->template, GUARD_E_STATE,
                           plan->knative ? "annotation %spod-sensor: Knative lets no pod be named"
                                         : "annotation %spod-sensor needs a parent, which compares "
                                           "what pods do",
                           prefix);
    const char *knative =
        plan->labels != NULL ? text_of(plan->labels, "serving.knative.dev/service") : "";
    if (plan->service == NULL)
        GUARD_TRY(default_service(in, plan, knative[0] != '\0' ? knative : in->name));
    if (!is_service(plan->service))
        return inject_fail(in, plan->template, GUARD_E_RANGE,
                           "\"%.64s\" can't be a service's name: give annotation %sservice",
                           plan->service, prefix);
    return GUARD_OK;
}

/* Who is killed while it drains loses what is under way, and what was learned last. What the pod
 * says itself is held to it; our default is shortened (a pod that ends at once has no drain). */
static enum guard_rc fit_drain(struct injection *in, struct inject_plan *plan)
{
    enum { GRACE_S = 30 }; /* the cluster's default */
    struct document_node *said = NULL;
    struct document_node *drain = NULL;
    char key[64];
    snprintf(key, sizeof(key), "%sdrain", prefix);
    GUARD_TRY(inject_member(in, plan->annotations, key, DOCUMENT_SCALAR, &drain));
    GUARD_TRY(
        inject_member(in, plan->spec, "terminationGracePeriodSeconds", DOCUMENT_SCALAR, &said));
    const char *text = said != NULL ? (const char *)said->text.ptr : "";
    if (said != NULL && (text[0] == '\0' || strspn(text, "0123456789") != said->text.len))
        return GUARD_OK; /* the API server will say so */
    long grace = said != NULL ? strtol(text, NULL, 10) : GRACE_S;
    if (seconds_of(plan->drain) < grace)
        return GUARD_OK;
    if (drain != NULL)
        return inject_fail(in, drain, GUARD_E_RANGE,
                           "must be less than the pod's terminationGracePeriodSeconds (%ld): it "
                           "would be killed before it is done",
                           grace);
    plan->drain = "1s";
    return GUARD_OK;
}

/* Which of the pod's own labels tells its revision. */
static const char *revision_label(const struct injection *in, const struct inject_plan *plan)
{
    static const struct {
        const char *kind;
        const char *label;
    } kinds[] = {{"Deployment", "pod-template-hash"},
                 {"ReplicaSet", "pod-template-hash"},
                 {"StatefulSet", "controller-revision-hash"},
                 {"DaemonSet", "controller-revision-hash"}};
    static const char *const labels[] = {"serving.knative.dev/revision", "pod-template-hash",
                                         "controller-revision-hash"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(in->kind, kinds[i].kind) == 0)
            return kinds[i].label;
    }
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (plan->labels != NULL && text_of(plan->labels, labels[i])[0] != '\0')
            return labels[i];
    }
    return NULL;
}

/* All words that the API's reader of YAML takes for true. */
static bool is_true(const char *text)
{
    static const char *const words[] = {"true", "yes", "on", "y"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(text, words[i]) == 0)
            return true;
    }
    return false;
}

static enum guard_rc refuse(const struct injection *in, const struct inject_plan *plan)
{
    struct document_node *system = NULL;
    const struct document_node *network = member_of(plan->spec, "hostNetwork");
    if (network != NULL && is_true(text_of(plan->spec, "hostNetwork")))
        return inject_fail(in, network, GUARD_E_STATE,
                           "a pod in its node's network can't have a gate: its ports are the "
                           "node's");
    GUARD_TRY(inject_member(in, plan->spec, "os", DOCUMENT_MAPPING, &system));
    if (system != NULL && strcmp(text_of(system, "name"), "windows") == 0)
        return inject_fail(in, system, GUARD_E_STATE, "there is no gate for Windows");
    bool job = strcmp(in->kind, "Job") == 0 || strcmp(in->kind, "CronJob") == 0;
    if (job && !plan->native)
        return inject_fail(in, plan->spec, GUARD_E_STATE,
                           "a job ends when all its containers do, and the gate doesn't: say "
                           "--native (Kubernetes 1.29 and later)");
    return GUARD_OK;
}

static enum guard_rc read_template(struct injection *in, struct document_node *template,
                                   struct inject_plan *plan)
{
    struct document_node *metadata = NULL;
    *plan = (struct inject_plan){.template = template};
    GUARD_TRY(inject_member(in, template, "metadata", DOCUMENT_MAPPING, &metadata));
    GUARD_TRY(inject_member(in, template, "spec", DOCUMENT_MAPPING, &plan->spec));
    GUARD_TRY(inject_member(in, metadata, "labels", DOCUMENT_MAPPING, &plan->labels));
    GUARD_TRY(inject_member(in, metadata, "annotations", DOCUMENT_MAPPING, &plan->annotations));
    if (plan->spec == NULL)
        return inject_fail(in, template, GUARD_E_SYNTAX, "has no spec");
    GUARD_TRY(inject_member(in, plan->spec, "containers", DOCUMENT_SEQUENCE, &plan->containers));
    if (plan->containers == NULL || plan->containers->count == 0)
        return inject_fail(in, plan->spec, GUARD_E_SYNTAX, "has no containers");
    for (const struct document_node *one = plan->containers->first; one != NULL; one = one->next) {
        if (one->kind != DOCUMENT_MAPPING)
            return inject_fail(in, one, GUARD_E_SYNTAX, "must be a mapping");
    }
    return GUARD_OK;
}

enum guard_rc inject_plan(struct injection *in, struct document_node *template,
                          struct inject_plan *plan, bool *wanted)
{
    const char *ports = NULL;
    bool found = false;
    *wanted = false;
    GUARD_TRY(read_template(in, template, plan));
    const char *label = plan->labels != NULL ? text_of(plan->labels, INJECT_LABEL) : "";
    if (strcmp(label, "disabled") == 0 || strcmp(label, "false") == 0) {
        inject_say(in, "left as it is: label " INJECT_LABEL " says so");
        return GUARD_OK;
    }
    GUARD_TRY(settings(in, plan, &ports));
    GUARD_TRY(inject_read_mark(in, plan));
    if (plan->marked && !in->cfg->update) {
        inject_say(in, "left as it is: has Guard already");
        return GUARD_OK;
    }
    GUARD_TRY(refuse(in, plan));
    GUARD_TRY(fit_drain(in, plan));
    GUARD_TRY(inject_queue(in, plan, &found));
    if (!found && !plan->marked)
        GUARD_TRY(inject_ports(in, plan, ports, &found));
    if (!found && !plan->marked) {
        inject_say(in, "left as it is: no container has a TCP port");
        return GUARD_OK;
    }
    plan->revision = revision_label(in, plan);
    *wanted = true;
    return plan->marked ? GUARD_OK : inject_gate_ports(in, plan);
}

enum guard_rc inject_knative_plan(struct injection *in, struct document_node *template,
                                  struct inject_plan *plan, bool *wanted)
{
    const char *ports = NULL;
    *wanted = false;
    GUARD_TRY(read_template(in, template, plan));
    const char *label = plan->labels != NULL ? text_of(plan->labels, INJECT_LABEL) : "";
    if (strcmp(label, "disabled") == 0 || strcmp(label, "false") == 0) {
        inject_say(in, "left as it is: label " INJECT_LABEL " says so");
        return GUARD_OK;
    }
    plan->knative = true;
    GUARD_TRY(settings(in, plan, &ports));
    GUARD_TRY(inject_read_mark(in, plan));
    if (plan->marked && !in->cfg->update) {
        inject_say(in, "left as it is: has Guard already");
        return GUARD_OK;
    }
    plan->native = false;
    plan->revision = NULL;
    *wanted = true;
    return GUARD_OK;
}
