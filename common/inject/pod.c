/* SPDX-License-Identifier: Apache-2.0 */
/* Carries a plan out: names of ports move to the gate, the application's own probes and hooks keep
 * going to the application. */
#include "common/inject/parts.h"

#include <string.h>

/* A probe or hook that names the port gets its number: names are looked up in its own container,
 * which has it no longer. */
static void renumber(struct injection *in, const struct document_node *action,
                     const struct inject_port *port)
{
    static const char *const ways[] = {"httpGet", "tcpSocket"};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct document_node *way = NULL;
        for (struct document_node *one = action->first; one != NULL; one = one->next) {
            if (strcmp((const char *)one->key->text.ptr, ways[i]) == 0 &&
                one->kind == DOCUMENT_MAPPING)
                way = one;
        }
        if (way != NULL && strcmp(text_of(way, "port"), port->name) == 0)
            edit_number(&in->edit, way, "port", port->app);
    }
}

static void keep_probes(struct injection *in, const struct inject_port *port)
{
    static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
    static const char *const hooks[] = {"postStart", "preStop"};
    if (port->container == NULL || port->name == NULL)
        return;
    for (size_t i = 0; i < sizeof(probes) / sizeof(probes[0]); i++) {
        const struct document_node *probe = member_of(port->container, probes[i]);
        if (probe != NULL && probe->kind == DOCUMENT_MAPPING)
            renumber(in, probe, port);
    }
    const struct document_node *cycle = member_of(port->container, "lifecycle");
    for (size_t i = 0; cycle != NULL && cycle->kind == DOCUMENT_MAPPING && i < 2; i++) {
        const struct document_node *hook = member_of(cycle, hooks[i]);
        if (hook != NULL && hook->kind == DOCUMENT_MAPPING)
            renumber(in, hook, port);
    }
}

/* What leads to the pod from outside leads to the gate from now on. */
static void give_up_port(const struct inject_port *port)
{
    static const char *const moved[] = {"name", "hostPort", "hostIP"};
    for (size_t i = 0; port->entry != NULL && i < sizeof(moved) / sizeof(moved[0]); i++) {
        const struct document_node *member = member_of(port->entry, moved[i]);
        if (member != NULL)
            edit_remove(port->entry, member);
    }
}

static struct document_node *ours_in(struct document_node *list)
{
    struct document_node *one = list != NULL ? list->first : NULL;
    while (one != NULL &&
           (one->kind != DOCUMENT_MAPPING || strcmp(text_of(one, "name"), INJECT_CONTAINER) != 0))
        one = one->next;
    return one;
}

/* Where an earlier one stands, else at the end of the containers, or first of those that come
 * before them. */
static void put_container(struct injection *in, const struct inject_plan *plan,
                          struct document_node *made)
{
    struct document_node *first = NULL;
    const struct document_node *list = member_of(plan->spec, "initContainers");
    if (plan->native || (list != NULL && list->kind == DOCUMENT_SEQUENCE))
        first = edit_list(&in->edit, plan->spec, "initContainers");
    struct document_node *wanted = plan->native ? first : plan->containers;
    struct document_node *other = plan->native ? plan->containers : first;
    struct document_node *old = ours_in(wanted);
    if (ours_in(other) != NULL)
        edit_remove(other, ours_in(other));
    if (old != NULL) {
        edit_replace(old, made);
        return;
    }
    struct document_node *placed = edit_add_copy(&in->edit, wanted, made);
    if (plan->native)
        edit_to_front(wanted, placed);
}

/* An earlier gate's ports, with what others have added to them. */
static void keep_ports(struct injection *in, const struct inject_plan *plan,
                       struct document_node *made)
{
    const struct document_node *old = ours_in(plan->containers);
    const struct document_node *init = member_of(plan->spec, "initContainers");
    for (struct document_node *one = init != NULL && init->kind == DOCUMENT_SEQUENCE ? init->first
                                                                                     : NULL;
         old == NULL && one != NULL; one = one->next) {
        if (one->kind == DOCUMENT_MAPPING && strcmp(text_of(one, "name"), INJECT_CONTAINER) == 0)
            old = one;
    }
    const struct document_node *ports = old != NULL ? member_of(old, "ports") : NULL;
    if (ports != NULL && ports->kind == DOCUMENT_SEQUENCE && !plan->knative)
        edit_replace(edit_list(&in->edit, made, "ports"), ports);
}

enum guard_rc inject_apply(struct injection *in, struct inject_plan *plan)
{
    struct document_node *ignored;
    GUARD_TRY(inject_member(in, plan->spec, "volumes", DOCUMENT_SEQUENCE, &ignored));
    GUARD_TRY(inject_member(in, plan->spec, "initContainers", DOCUMENT_SEQUENCE, &ignored));
    struct document_node *made = edit_new_mapping(&in->edit);
    inject_gate(in, plan, made);
    if (plan->marked)
        keep_ports(in, plan, made);
    for (uint32_t i = 0; !plan->marked && plan->queue_port == NULL && i < plan->port_count; i++) {
        keep_probes(in, &plan->ports[i]);
        give_up_port(&plan->ports[i]);
    }
    if (plan->queue_port != NULL)
        edit_text(&in->edit, plan->queue_port, "value",
                  edit_keep(&in->edit, "%ld", plan->ports[0].gate));
    put_container(in, plan, made);
    inject_volumes(in, plan);
    inject_write_mark(in, plan);
    return in->edit.failed ? guard_fail(in->err, GUARD_E_NOMEM, "%s: no memory", in->object)
                           : GUARD_OK;
}
