/* SPDX-License-Identifier: Apache-2.0 */
/* Knative: its Services have one container with the one port, which is the gate's then; pods of its
 * revisions have a queue-proxy that is told where the application listens. */
#include "common/inject/parts.h"

#include <stdio.h>
#include <string.h>

enum { APP_PORT = 8081, DEFAULT_PORT = 8080 };

/* Of queue-proxy, its metrics, and the autoscaler's. */
static bool reserved(long port)
{
    static const long ports[] = {8008, 8012, 8013, 8022, 9090, 9091, 8112};
    for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
        if (ports[i] == port)
            return true;
    }
    return false;
}

static struct document_node *variable(struct document_node *container, const char *name)
{
    struct document_node *found = NULL;
    for (struct document_node *one = container->first; one != NULL; one = one->next) {
        if (strcmp((const char *)one->key->text.ptr, "env") != 0 || one->kind != DOCUMENT_SEQUENCE)
            continue;
        for (struct document_node *env = one->first; env != NULL; env = env->next) {
            if (env->kind == DOCUMENT_MAPPING && strcmp(text_of(env, "name"), name) == 0)
                found = env;
        }
    }
    return found;
}

enum guard_rc inject_queue(struct injection *in, struct inject_plan *plan, bool *found)
{
    *found = false;
    for (struct document_node *one = plan->containers->first; one != NULL; one = one->next) {
        struct document_node *port = variable(one, "USER_PORT");
        if (strcmp(text_of(one, "name"), "queue-proxy") != 0 || port == NULL || plan->marked)
            continue;
        long number = inject_number(text_of(port, "value"));
        if (number == 0)
            return inject_fail(in, port, GUARD_E_RANGE, "USER_PORT isn't a port");
        plan->ports[0] = (struct inject_port){.app = number};
        plan->port_count = 1;
        plan->queue_port = port;
        *found = true;
    }
    return GUARD_OK;
}

/* The container that has the port; the only one may say none. */
static enum guard_rc serving(const struct injection *in, const struct inject_plan *plan,
                             struct document_node **container, struct document_node **entry)
{
    *container = NULL;
    *entry = NULL;
    for (struct document_node *one = plan->containers->first; one != NULL; one = one->next) {
        struct document_node *ports = NULL;
        GUARD_TRY(inject_member(in, one, "ports", DOCUMENT_SEQUENCE, &ports));
        if (ports == NULL || ports->count == 0)
            continue;
        if (*container != NULL || ports->count > 1 || ports->first->kind != DOCUMENT_MAPPING)
            return inject_fail(in, ports, GUARD_E_STATE, "Knative takes one port in all");
        *container = one;
        *entry = ports->first;
    }
    if (*container == NULL && plan->containers->count == 1)
        *container = plan->containers->first;
    return *container != NULL
               ? GUARD_OK
               : inject_fail(in, plan->containers, GUARD_E_STATE, "no container has a port");
}

/* Probes of a container without the port aren't Knative's to ask. What asked the application over
 * HTTP asks the gate for the same path; what asked for its port, the gate's, which is open when the
 * application's is. */
static enum guard_rc move_probes(struct injection *in, struct inject_plan *plan,
                                 struct document_node *app, struct document_node *gate)
{
    static const char *const probes[] = {"readinessProbe", "livenessProbe", "startupProbe"};
    struct document_edit *edit = &in->edit;
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        struct document_node *probe = NULL;
        struct document_node *get = NULL;
        GUARD_TRY(inject_member(in, app, probes[i], DOCUMENT_MAPPING, &probe));
        if (probe == NULL)
            continue;
        GUARD_TRY(inject_member(in, probe, "httpGet", DOCUMENT_MAPPING, &get));
        if (member_of(probe, "exec") != NULL || member_of(probe, "grpc") != NULL)
            return inject_fail(in, probe, GUARD_E_STATE,
                               "only httpGet and tcpSocket can be asked through the gate");
        const char *path = get != NULL ? text_of(get, "path") : NULL;
        if (path != NULL && path[0] == '\0')
            path = "/";
        if (path != NULL && plan->probe != NULL && strcmp(path, plan->probe) != 0)
            return inject_fail(in, get, GUARD_E_STATE,
                               "all probes must ask for the same path, %.64s", plan->probe);
        if (path != NULL && strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789/._~-") != strlen(path))
            return inject_fail(in, get, GUARD_E_RANGE, "a path of letters, digits and /._~-");
        plan->probe = path != NULL ? path : plan->probe;
        struct document_node *moved = edit_mapping(edit, gate, probes[i]);
        edit_replace(moved, probe);
        edit_remove(app, probe);
        if (get != NULL)
            edit_text(edit, get, "path", "/.guard/probe");
        const struct document_node *port = get != NULL ? member_of(get, "port") : NULL;
        if (port != NULL)
            edit_remove(get, port);
    }
    return GUARD_OK;
}

/* Its place is first: Knative shows that container's image. */
static enum guard_rc rebuild(struct injection *in, struct inject_plan *plan,
                             struct document_node *app, struct document_node *entry)
{
    struct document_edit *edit = &in->edit;
    struct document_node *gate = edit_new_mapping(edit);
    struct document_node *kept = edit_new_mapping(edit);
    if (gate == NULL || kept == NULL)
        return guard_fail(in->err, GUARD_E_NOMEM, "%s: no memory", in->object);
    GUARD_TRY(move_probes(in, plan, app, kept));
    inject_gate(in, plan, gate);
    struct document_node *port = edit_element(edit, edit_list(edit, gate, "ports"));
    edit_number(edit, port, "containerPort", plan->ports[0].gate);
    if (entry != NULL && text_of(entry, "name")[0] != '\0')
        edit_text(edit, port, "name", text_of(entry, "name"));
    for (struct document_node *probe = kept->first; probe != NULL;) {
        struct document_node *next = probe->next;
        edit_replace(edit_mapping(edit, gate, (const char *)probe->key->text.ptr), probe);
        probe = next;
    }
    const struct document_node *ports = member_of(app, "ports");
    if (ports != NULL)
        edit_remove(app, ports);
    struct document_node *told = variable(app, "PORT");
    if (told == NULL)
        told = edit_element(edit, edit_list(edit, app, "env"));
    edit_text(edit, told, "name", "PORT");
    edit_text(edit, told, "value", edit_keep(edit, "%ld", plan->ports[0].app));
    if (text_of(app, "name")[0] == '\0')
        edit_text(edit, app, "name", "app");
    edit_to_front(plan->containers, edit_add_copy(edit, plan->containers, gate));
    inject_volumes(in, plan);
    inject_write_mark(in, plan);
    return edit->failed ? guard_fail(in->err, GUARD_E_NOMEM, "%s: no memory", in->object)
                        : GUARD_OK;
}

/* An earlier gate in the Service: its container anew, its port and probes as they are. */
static enum guard_rc renew(struct injection *in, struct inject_plan *plan)
{
    static const char *const kept[] = {"ports", "readinessProbe", "livenessProbe", "startupProbe"};
    struct document_edit *edit = &in->edit;
    struct document_node *gate = edit_new_mapping(edit);
    struct document_node *old = plan->containers->first;
    while (old != NULL && strcmp(text_of(old, "name"), INJECT_CONTAINER) != 0)
        old = old->next;
    const struct document_node *args = old != NULL ? member_of(old, "args") : NULL;
    for (const struct document_node *arg = args != NULL ? args->first : NULL; arg != NULL;
         arg = arg->next) {
        if (arg->kind == DOCUMENT_SCALAR && strcmp((const char *)arg->text.ptr, "--probe") == 0 &&
            arg->next != NULL && arg->next->kind == DOCUMENT_SCALAR)
            plan->probe = (const char *)arg->next->text.ptr;
    }
    inject_gate(in, plan, gate);
    for (size_t i = 0; old != NULL && i < sizeof(kept) / sizeof(kept[0]); i++) {
        const struct document_node *member = member_of(old, kept[i]);
        if (member != NULL && member->kind == DOCUMENT_SEQUENCE)
            edit_replace(edit_list(edit, gate, kept[i]), member);
        else if (member != NULL)
            edit_replace(edit_mapping(edit, gate, kept[i]), member);
    }
    edit_replace(old, gate);
    inject_volumes(in, plan);
    inject_write_mark(in, plan);
    return edit->failed ? guard_fail(in->err, GUARD_E_NOMEM, "%s: no memory", in->object)
                        : GUARD_OK;
}

enum guard_rc inject_knative(struct injection *in, struct document_node *object,
                             enum inject_result *result)
{
    struct inject_plan plan;
    struct document_node *spec = NULL;
    struct document_node *template = NULL;
    struct document_node *app = NULL;
    struct document_node *entry = NULL;
    bool wanted = false;
    GUARD_TRY(inject_member(in, object, "spec", DOCUMENT_MAPPING, &spec));
    GUARD_TRY(inject_member(in, spec, "template", DOCUMENT_MAPPING, &template));
    if (template == NULL)
        return inject_fail(in, object, GUARD_E_SYNTAX, "has no spec.template");
    in->kind = "Knative Service";
    GUARD_TRY(inject_knative_plan(in, template, &plan, &wanted));
    if (!wanted)
        return GUARD_OK;
    *result = INJECT_DONE;
    if (plan.marked)
        return renew(in, &plan);
    GUARD_TRY(serving(in, &plan, &app, &entry));
    const char *name = entry != NULL ? text_of(entry, "name") : "";
    if (strcmp(name, "h2c") == 0)
        return inject_fail(in, entry, GUARD_E_STATE,
                           "the gate speaks HTTP/1.1 to the application, not h2c");
    const struct document_node *number = entry != NULL ? member_of(entry, "containerPort") : NULL;
    long port = number != NULL ? inject_number((const char *)number->text.ptr) : DEFAULT_PORT;
    if (port == 0 || reserved(port))
        return inject_fail(in, number, GUARD_E_RANGE,
                           "containerPort must be 1 to 65535 and none of Knative's own");
    plan.ports[0] = (struct inject_port){.gate = port, .app = port == APP_PORT ? 8082 : APP_PORT};
    plan.port_count = 1;
    inject_say(in, "guarded as \"%s\": the gate has port %ld, the application %ld (by PORT)",
               plan.service, plan.ports[0].gate, plan.ports[0].app);
    return rebuild(in, &plan, app, entry);
}
