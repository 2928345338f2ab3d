/* SPDX-License-Identifier: Apache-2.0 */
/* Only pods as the kubelet tells them are asked, at addresses that aren't this machine's own: what
 * tenants write into a namespace chooses among their pods, and nothing else. */
#include "paths.h"

#include "common/document_members.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- members --- */

static const struct document_node *list_in(const struct document_node *mapping, const char *name)
{
    const struct document_node *node = member_of(mapping, name);
    return node != NULL && node->kind == DOCUMENT_SEQUENCE ? node->first : NULL;
}

static bool copy(char *out, size_t cap, const char *text)
{
    size_t len = strlen(text);
    if (len >= cap)
        return false;
    memcpy(out, text, len + 1);
    return true;
}

static bool begins(const char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0;
}

/* Of pods and Services, and of nobody else: not this machine's, its link's, or of many. */
static bool is_address(const char *text)
{
    struct in6_addr wide;
    struct in_addr narrow;
    if (inet_pton(AF_INET, text, &narrow) == 1) {
        uint32_t address = ntohl(narrow.s_addr);
        return address >> 24 != 0 && address >> 24 != 127 && address >> 16 != 0xa9fe &&
               address >> 28 < 14;
    }
    return inet_pton(AF_INET6, text, &wide) == 1 && !IN6_IS_ADDR_LOOPBACK(&wide) &&
           !IN6_IS_ADDR_LINKLOCAL(&wide) && !IN6_IS_ADDR_V4MAPPED(&wide) &&
           !IN6_IS_ADDR_MULTICAST(&wide) && !IN6_IS_ADDR_UNSPECIFIED(&wide);
}

static uint16_t port_number(int64_t number)
{
    return number > 0 && number < 65536 ? (uint16_t)number : 0;
}

/* --- Services --- */

enum speech { OTHER, HTTP, HTTPS };

/* As injection takes them: by name, or because there is no other. */
static enum speech speech_of(const struct document_node *port, bool only)
{
    static const char *const others[] = {"grpc", "h2c", "tcp", "tls", "udp"};
    const char *name = text_of(port, "name");
    const char *protocol = text_of(port, "appProtocol");
    int64_t number = whole_of(port, "port");
    if (strcmp(text_of(port, "protocol"), "TCP") != 0 && text_of(port, "protocol")[0] != '\0')
        return OTHER;
    if (protocol[0] != '\0')
        return strcmp(protocol, "https") == 0  ? HTTPS
               : strcmp(protocol, "http") == 0 ? HTTP
                                               : OTHER;
    if (begins(name, "https"))
        return HTTPS;
    if (begins(name, "http") || begins(name, "web"))
        return HTTP;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        only = only && !begins(name, others[i]);
    if (!only)
        return OTHER;
    return number == 443 || number == 8443 ? HTTPS : HTTP;
}

static void take_port(struct path_service *service, const struct document_node *port, bool only)
{
    enum speech speech = speech_of(port, only);
    struct path_port taken = {.number = port_number(whole_of(port, "port")),
                              .tls = speech == HTTPS};
    const char *target = text_of(port, "targetPort");
    if (speech == OTHER || taken.number == 0 || service->port_count == PATHS_PORTS ||
        !copy(taken.target, sizeof(taken.target),
              target[0] != '\0' ? target : text_of(port, "port")))
        return;
    service->ports[service->port_count++] = taken;
}

static bool take_selector(struct path_service *service, const struct document_node *selector)
{
    size_t len = 0;
    for (const struct document_node *label = selector->first; label != NULL; label = label->next) {
        if (label->kind != DOCUMENT_SCALAR || service->labels == PATHS_LABELS)
            return false;
        int more =
            snprintf(service->selector + len, PATH_SELECTOR_CAP - len, "%s%c%s",
                     (const char *)label->key->text.ptr, '\0', (const char *)label->text.ptr);
        if (more < 0 || len + (size_t)more + 1 >= PATH_SELECTOR_CAP)
            return false;
        len += (size_t)more + 1;
        service->labels++;
    }
    return service->labels > 0;
}

void paths_take_service(struct paths *paths, const struct document_node *service)
{
    const struct document_node *spec = member_of(service, "spec");
    const struct document_node *selector = member_of(spec, "selector");
    const struct document_node *ports = list_in(spec, "ports");
    if (paths->service_count == PATHS_SERVICES) {
        paths->more = true;
        return;
    }
    struct path_service *taken = &paths->services[paths->service_count];
    *taken = (struct path_service){.name = ""};
    /* Without a selector its addresses are whatever somebody wrote. */
    if (selector == NULL || selector->kind != DOCUMENT_MAPPING || !take_selector(taken, selector) ||
        strcmp(text_of(spec, "type"), "ExternalName") == 0 ||
        !copy(taken->name, sizeof(taken->name), text_of(member_of(service, "metadata"), "name")))
        return;
    if (is_address(text_of(spec, "clusterIP")))
        (void)copy(taken->address, sizeof(taken->address), text_of(spec, "clusterIP"));
    for (const struct document_node *port = ports; port != NULL; port = port->next)
        take_port(taken, port, ports->next == NULL);
    paths->service_count += taken->port_count > 0;
}

/* --- pods --- */

static bool selects(const struct path_service *service, const struct document_node *labels)
{
    const char *at = service->selector;
    for (uint32_t i = 0; i < service->labels; i++) {
        const char *value = at + strlen(at) + 1;
        const struct document_node *label = member_of(labels, at);
        if (label == NULL || label->kind != DOCUMENT_SCALAR ||
            strcmp((const char *)label->text.ptr, value) != 0)
            return false;
        at = value + strlen(value) + 1;
    }
    return true;
}

static uint16_t named_port(const struct document_node *spec, const char *name)
{
    static const char *const lists[] = {"containers", "initContainers"};
    for (size_t i = 0; i < 2; i++) {
        for (const struct document_node *one = list_in(spec, lists[i]); one != NULL;
             one = one->next) {
            for (const struct document_node *port = list_in(one, "ports"); port != NULL;
                 port = port->next) {
                if (strcmp(text_of(port, "name"), name) == 0)
                    return port_number(whole_of(port, "containerPort"));
            }
        }
    }
    return 0;
}

static uint16_t target_port(const struct document_node *spec, const char *target)
{
    char *end = NULL;
    unsigned long number = strtoul(target, &end, 10);
    if (target[0] >= '0' && target[0] <= '9' && *end == '\0')
        return number < 65536 ? (uint16_t)number : 0;
    return named_port(spec, target);
}

static bool is_ready(const struct document_node *pod)
{
    const struct document_node *status = member_of(pod, "status");
    if (text_of(member_of(pod, "metadata"), "deletionTimestamp")[0] != '\0' ||
        strcmp(text_of(status, "phase"), "Running") != 0)
        return false;
    for (const struct document_node *one = list_in(status, "conditions"); one != NULL;
         one = one->next) {
        if (strcmp(text_of(one, "type"), "Ready") == 0)
            return strcmp(text_of(one, "status"), "True") == 0;
    }
    return false;
}

/* The object that the pod was made for, as injection names its service; an annotation says another.
 */
static bool name_workload(struct path_pod *out, const char *namespace,
                          const struct document_node *metadata)
{
    const struct document_node *labels = member_of(metadata, "labels");
    const char *said = text_of(member_of(metadata, "annotations"), "guard.security/service");
    size_t len = strlen(namespace);
    if (said[0] != '\0')
        return copy(out->workload, sizeof(out->workload),
                    begins(said, namespace) && said[len] == '.' ? said + len + 1 : said);
    const char *name = text_of(labels, "serving.knative.dev/service");
    const char *hash = text_of(labels, "pod-template-hash");
    if (name[0] != '\0')
        return copy(out->workload, sizeof(out->workload), name);
    for (const struct document_node *owner = list_in(metadata, "ownerReferences"); owner != NULL;
         owner = owner->next) {
        if (strcmp(text_of(owner, "controller"), "true") == 0)
            name = text_of(owner, "name");
    }
    if (!copy(out->workload, sizeof(out->workload), name[0] != '\0' ? name : out->name))
        return false;
    size_t whole = strlen(out->workload);
    len = strlen(hash);
    if (len > 0 && whole > len + 1 && out->workload[whole - len - 1] == '-' &&
        strcmp(out->workload + whole - len, hash) == 0)
        out->workload[whole - len - 1] = '\0';
    return true;
}

static bool read_pod(struct path_pod *out, const char *namespace, const struct document_node *pod)
{
    const struct document_node *metadata = member_of(pod, "metadata");
    const struct document_node *spec = member_of(pod, "spec");
    const char *address = text_of(member_of(pod, "status"), "podIP");
    const char *host = text_of(spec, "hostname");
    *out = (struct path_pod){.name = ""};
    if (!is_address(address) || !copy(out->address, sizeof(out->address), address) ||
        !copy(out->name, sizeof(out->name), text_of(metadata, "name")) || out->name[0] == '\0' ||
        !name_workload(out, namespace, metadata))
        return false;
    if (strcmp(text_of(spec, "hostNetwork"), "true") != 0)
        snprintf(out->host, sizeof(out->host), "%.63s", host[0] != '\0' ? host : out->name);
    return true;
}

/* The same port of a pod behind several Services is one. */
static void add_target(struct paths *paths, uint32_t service, uint16_t number, bool tls)
{
    uint32_t pod = paths->pod_count;
    for (uint32_t i = paths->target_count; i-- > 0 && paths->targets[i].pod == pod;) {
        if (paths->targets[i].number == number)
            return;
    }
    if (number == 0)
        return;
    if (paths->target_count == PATHS_TARGETS) {
        paths->more = true;
        return;
    }
    paths->targets[paths->target_count++] =
        (struct path_target){.service = service, .pod = pod, .number = number, .tls = tls};
}

void paths_take_pod(struct paths *paths, const struct document_node *pod)
{
    const struct document_node *labels = member_of(member_of(pod, "metadata"), "labels");
    const char *name = text_of(member_of(pod, "metadata"), "name");
    uint32_t before = paths->target_count;
    bool more = paths->more;
    if (paths->rest || strcmp(name, paths->after) <= 0 || !is_ready(pod))
        return;
    if (paths->pod_count == paths->pods_max) {
        paths->rest = true;
        return;
    }
    if (!read_pod(&paths->pods[paths->pod_count], paths->namespace, pod))
        return;
    for (uint32_t i = 0; i < paths->service_count; i++) {
        struct path_service *service = &paths->services[i];
        for (uint32_t k = 0; k < service->port_count && selects(service, labels); k++) {
            uint16_t number = target_port(member_of(pod, "spec"), service->ports[k].target);
            service->used = service->used || number != 0;
            add_target(paths, i, number, service->ports[k].tls);
        }
    }
    if (paths->target_count == PATHS_TARGETS && before > 0) { /* maybe not all of them */
        paths->target_count = before;
        paths->more = more;
        paths->rest = true;
    }
    paths->pod_count += paths->target_count > before;
}

void paths_take_addresses(struct paths *paths)
{
    for (uint32_t i = 0; i < paths->service_count; i++) {
        const struct path_service *service = &paths->services[i];
        for (uint32_t k = 0;
             k < service->port_count && service->used && service->address[0] != '\0'; k++) {
            if (paths->target_count == PATHS_TARGETS) {
                paths->more = true;
                return;
            }
            paths->targets[paths->target_count++] =
                (struct path_target){.service = i,
                                     .pod = PATH_NO_POD,
                                     .number = service->ports[k].number,
                                     .tls = service->ports[k].tls};
        }
    }
}

bool paths_server(const struct paths *paths, const struct path_target *target, char *out,
                  size_t cap)
{
    const char *address = target->pod != PATH_NO_POD ? paths->pods[target->pod].address
                                                     : paths->services[target->service].address;
    bool wide = strchr(address, ':') != NULL;
    int len = snprintf(out, cap, "http%s://%s%s%s:%u", target->tls ? "s" : "", wide ? "[" : "",
                       address, wide ? "]" : "", target->number);
    return len > 0 && (size_t)len < cap;
}

/* --- life --- */

bool paths_begin(struct paths *paths, const char *namespace, const char *after)
{
    *paths = (struct paths){.pods_max = PATHS_PODS,
                            .services = calloc(PATHS_SERVICES, sizeof(*paths->services)),
                            .pods = calloc(PATHS_PODS, sizeof(*paths->pods)),
                            .targets = calloc(PATHS_TARGETS, sizeof(*paths->targets))};
    return copy(paths->namespace, sizeof(paths->namespace), namespace) &&
           copy(paths->after, sizeof(paths->after), after) && paths->services != NULL &&
           paths->pods != NULL && paths->targets != NULL;
}

void paths_free(struct paths *paths)
{
    free(paths->services);
    free(paths->pods);
    free(paths->targets);
    *paths = (struct paths){.services = NULL};
}
