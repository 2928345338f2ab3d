/* SPDX-License-Identifier: Apache-2.0 */
/* Which ports of a pod the gate takes over, and which numbers it gets for that. */
#include "common/inject/parts.h"

#include <stdio.h>
#include <string.h>

enum { DECLARED_MAX = 256 };

struct declared {
    struct inject_port ports[DECLARED_MAX];
    uint32_t count;
};

static enum guard_rc read_entry(const struct injection *in, struct document_node *container,
                                struct document_node *entry, struct declared *declared)
{
    struct document_node *protocol = NULL;
    struct document_node *name = NULL;
    struct document_node *number = NULL;
    if (entry->kind != DOCUMENT_MAPPING)
        return inject_fail(in, entry, GUARD_E_SYNTAX, "must be a mapping");
    GUARD_TRY(inject_member(in, entry, "protocol", DOCUMENT_SCALAR, &protocol));
    GUARD_TRY(inject_member(in, entry, "name", DOCUMENT_SCALAR, &name));
    GUARD_TRY(inject_member(in, entry, "containerPort", DOCUMENT_SCALAR, &number));
    if (protocol != NULL && strcmp((const char *)protocol->text.ptr, "TCP") != 0)
        return GUARD_OK;
    long port = number != NULL ? inject_number((const char *)number->text.ptr) : 0;
    if (port == 0)
        return inject_fail(in, number != NULL ? number : entry, GUARD_E_RANGE,
                           "containerPort must be 1 to 65535");
    if (declared->count == DECLARED_MAX)
        return inject_fail(in, entry, GUARD_E_LIMIT, "more than %d ports", DECLARED_MAX);
    declared->ports[declared->count++] = (struct inject_port){
        .name = name != NULL && name->text.len > 0 ? (const char *)name->text.ptr : NULL,
        .app = port,
        .container = container,
        .entry = entry};
    return GUARD_OK;
}

static enum guard_rc read_declared(const struct injection *in, const struct inject_plan *plan,
                                   struct declared *declared)
{
    declared->count = 0;
    for (struct document_node *container = plan->containers->first; container != NULL;
         container = container->next) {
        struct document_node *ports = NULL;
        GUARD_TRY(inject_member(in, container, "ports", DOCUMENT_SEQUENCE, &ports));
        for (struct document_node *entry = ports != NULL ? ports->first : NULL; entry != NULL;
             entry = entry->next)
            GUARD_TRY(read_entry(in, container, entry, declared));
    }
    return GUARD_OK;
}

static bool begins(const char *name, const char *word)
{
    size_t len = strlen(word);
    return strncmp(name, word, len) == 0 && (name[len] == '\0' || name[len] == '-');
}

/* What a name tells of a protocol that the gate can't read. */
static const char *unreadable(const char *name)
{
    static const char *const words[] = {"https", "tls", "grpc", "h2c", "http2", "grpc-web"};
    for (size_t i = 0; name != NULL && i < sizeof(words) / sizeof(words[0]); i++) {
        if (begins(name, words[i]))
            return words[i];
    }
    return NULL;
}

static enum guard_rc take(const struct injection *in, struct inject_plan *plan,
                          const struct inject_port *port)
{
    const struct document_node *at = port->entry != NULL ? port->entry : plan->spec;
    if (unreadable(port->name) != NULL)
        return inject_fail(in, at, GUARD_E_STATE,
                           "port \"%.63s\": the gate speaks HTTP/1.1 without TLS to the "
                           "application",
                           port->name);
    for (uint32_t i = 0; i < plan->port_count; i++) {
        if (plan->ports[i].app == port->app)
            return inject_fail(in, at, GUARD_E_RANGE, "port %ld is named twice", port->app);
    }
    if (plan->port_count == INJECT_PORTS_MAX)
        return inject_fail(in, at, GUARD_E_LIMIT, "a gate has at most %d ports", INJECT_PORTS_MAX);
    plan->ports[plan->port_count++] = *port;
    return GUARD_OK;
}

/* One word of the list: a name that must be there, or a number. */
static enum guard_rc take_word(const struct injection *in, struct inject_plan *plan,
                               const struct declared *declared, const char *word)
{
    long number = inject_number(word);
    for (uint32_t i = 0; i < declared->count; i++) {
        const struct inject_port *port = &declared->ports[i];
        if (number > 0 ? port->app == number : port->name != NULL && strcmp(port->name, word) == 0)
            return take(in, plan, port);
    }
    if (number == 0)
        return inject_fail(in, plan->containers, GUARD_E_RANGE, "no TCP port \"%.63s\"", word);
    return take(in, plan, &(struct inject_port){.app = number});
}

static enum guard_rc take_words(const struct injection *in, struct inject_plan *plan,
                                const struct declared *declared, const char *list)
{
    char word[64];
    do {
        size_t len = strcspn(list, ",");
        if (len == 0 || len >= sizeof(word))
            return inject_fail(in, plan->containers, GUARD_E_RANGE,
                               "ports are names or numbers, separated by commas");
        memcpy(word, list, len);
        word[len] = '\0';
        GUARD_TRY(take_word(in, plan, declared, word));
        list += len;
    } while (*list++ == ',');
    return GUARD_OK;
}

static enum guard_rc take_obvious(const struct injection *in, struct inject_plan *plan,
                                  const struct declared *declared)
{
    if (declared->count == 1)
        return take(in, plan, &declared->ports[0]);
    for (uint32_t i = 0; i < declared->count; i++) {
        const char *name = declared->ports[i].name;
        if (name != NULL && (begins(name, "http") || begins(name, "web")))
            GUARD_TRY(take(in, plan, &declared->ports[i]));
    }
    if (plan->port_count == 0 && declared->count > 0)
        return inject_fail(in, plan->containers, GUARD_E_STATE,
                           "several ports, and none is called http or web: name those to guard "
                           "(--port, or annotation guard.security/port)");
    return GUARD_OK;
}

enum guard_rc inject_ports(struct injection *in, struct inject_plan *plan, const char *wanted,
                           bool *found)
{
    struct declared declared;
    GUARD_TRY(read_declared(in, plan, &declared));
    GUARD_TRY(wanted != NULL ? take_words(in, plan, &declared, wanted)
                             : take_obvious(in, plan, &declared));
    for (uint32_t i = 0; i < plan->port_count; i++) {
        if (in->cfg->named_only && plan->ports[i].name == NULL)
            return inject_fail(in, plan->ports[i].entry != NULL ? plan->ports[i].entry : plan->spec,
                               GUARD_E_STATE,
                               "port %ld has no name: a Service that gives its number would lead "
                               "past the gate. Name it here and as the Service's targetPort",
                               plan->ports[i].app);
    }
    *found = plan->port_count > 0;
    return GUARD_OK;
}

static bool taken(const struct inject_plan *plan, const struct declared *declared, long port)
{
    for (uint32_t i = 0; i < declared->count; i++) {
        if (declared->ports[i].app == port)
            return true;
    }
    for (uint32_t i = 0; i < plan->port_count; i++) {
        if (plan->ports[i].app == port || plan->ports[i].gate == port)
            return true;
    }
    return false;
}

enum guard_rc inject_gate_ports(const struct injection *in, struct inject_plan *plan)
{
    struct declared declared;
    long next = INJECT_GATE_PORT;
    GUARD_TRY(read_declared(in, plan, &declared));
    for (uint32_t i = 0; i < plan->port_count; i++) {
        if (plan->ports[i].gate != 0)
            continue;
        while (taken(plan, &declared, next))
            next++;
        plan->ports[i].gate = next;
    }
    return GUARD_OK;
}
