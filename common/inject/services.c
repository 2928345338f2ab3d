/* SPDX-License-Identifier: Apache-2.0 */
/* Services of the same files: one that gives the application's number leads past the gate. */
#include "common/inject/parts.h"

#include <stdio.h>
#include <string.h>

static const char *namespace_of(const struct document_node *object)
{
    const struct document_node *metadata = member_of(object, "metadata");
    bool good = metadata != NULL && metadata->kind == DOCUMENT_MAPPING;
    return good ? text_of(metadata, "namespace") : "";
}

static bool selects(const struct document_node *selector, const struct document_node *labels)
{
    for (const struct document_node *want = selector->first; want != NULL; want = want->next) {
        const struct document_node *have =
            labels != NULL ? member_of(labels, (const char *)want->key->text.ptr) : NULL;
        if (have == NULL || have->text.len != want->text.len ||
            memcmp(have->text.ptr, want->text.ptr, have->text.len) != 0)
            return false;
    }
    return selector->count > 0;
}

/* The gate's port for what stands there; NULL when it is none of the application's numbers. */
static const struct inject_port *past(const struct inject_port *ports, uint32_t count, long target)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ports[i].app == target)
            return &ports[i];
    }
    return NULL;
}

static enum guard_rc lead(struct injection *in, struct document_node *port,
                          const struct inject_port *ports, uint32_t count, const char *pod,
                          enum inject_result *result)
{
    struct document_node *target = NULL;
    GUARD_TRY(inject_member(in, port, "targetPort", DOCUMENT_SCALAR, &target));
    long number =
        inject_number(target != NULL ? (const char *)target->text.ptr : text_of(port, "port"));
    const struct inject_port *gate = past(ports, count, number);
    if (gate == NULL)
        return GUARD_OK;
    if (!in->cfg->rewrite_services)
        return inject_fail(in, target != NULL ? target : port, GUARD_E_STATE,
                           "%ld leads past the gate of %.60s: give the port's name, or say "
                           "--rewrite-services",
                           number, pod);
    if (gate->name != NULL)
        edit_text(&in->edit, port, "targetPort", gate->name);
    else
        edit_number(&in->edit, port, "targetPort", gate->gate);
    inject_say(in, "targetPort %ld is now %s%s%ld", number, gate->name != NULL ? gate->name : "",
               gate->name != NULL ? ", the gate's " : "", gate->gate);
    *result = INJECT_DONE;
    return GUARD_OK;
}

enum guard_rc inject_service(struct injection *in, struct document_node *service,
                             const struct inject_pods *pods, enum inject_result *result)
{
    struct document_node *spec = NULL;
    struct document_node *selector = NULL;
    struct document_node *list = NULL;
    GUARD_TRY(inject_member(in, service, "spec", DOCUMENT_MAPPING, &spec));
    GUARD_TRY(inject_member(in, spec, "selector", DOCUMENT_MAPPING, &selector));
    GUARD_TRY(inject_member(in, spec, "ports", DOCUMENT_SEQUENCE, &list));
    for (uint32_t i = 0; selector != NULL && i < pods->count; i++) {
        if (strcmp(namespace_of(service), pods->pods[i].namespace) != 0 ||
            !selects(selector, pods->pods[i].labels))
            continue;
        for (struct document_node *port = list != NULL ? list->first : NULL; port != NULL;
             port = port->next) {
            if (port->kind != DOCUMENT_MAPPING)
                return inject_fail(in, port, GUARD_E_SYNTAX, "must be a mapping");
            GUARD_TRY(lead(in, port, pods->pods[i].ports, pods->pods[i].port_count,
                           pods->pods[i].object, result));
        }
        if (strcmp(text_of(spec, "clusterIP"), "None") == 0)
            inject_say(in,
                       "has no address of its own: clients choose the port of %s themselves; "
                       "admit only the gate's by a NetworkPolicy",
                       pods->pods[i].object);
    }
    return in->edit.failed ? guard_fail(in->err, GUARD_E_NOMEM, "%s: no memory", in->object)
                           : GUARD_OK;
}
