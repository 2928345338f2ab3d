/* SPDX-License-Identifier: Apache-2.0 */
/* `guard node-pods`: follows the pods of one node and keeps a file of them for its sensor. A
 * process of its own, since the sensor has the kernel's ear and this has a token that reads all
 * pods. */
#include "command.h"
#include "node_pod_list.h"

#include "common/file.h"
#include "common/log.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#ifndef GUARD_VERSION
#define GUARD_VERSION "development"
#endif

enum { NODE_PODS_NODE, NODE_PODS_OUT, NODE_PODS_KUBERNETES };
enum { TURN_MS = 200, NODE_MAX = 253 };

static const struct option_spec options[] = {
    {"node", "NAME", "whose pods, as the cluster calls it"},
    {"out", "FILE", "a PodList for guard-podwatch, replaced when something changes"},
    {"kubernetes", "in-cluster|KUBECONFIG", "who is asked (default in-cluster)"},
    {NULL, NULL, NULL},
};
static const char pods_path[] = "/api/v1/pods";
static const struct guard_span no_service = {NULL, 0};
static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

struct following {
    struct kubernetes_config config;
    struct api_client *client;
    struct informer informer;
    struct node_pod_list list;
    char query[INFORMER_QUERY_MAX];
    bool away; /* that was said */
};

/* As Kubernetes takes them; nothing of it is special in a query. */
static bool is_node(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= NODE_MAX &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789.-")] == '\0';
}

static void tell_away(struct following *following)
{
    const struct informer *informer = &following->informer;
    bool away = informer->failures > 0;
    if (away && !following->away)
        log_event("alarm", "cluster-away", no_service, "%s; the list that was written last stays",
                  informer->failure);
    if (!away && following->away)
        log_event("info", "cluster-back", no_service, "%u pods", following->list.count);
    following->away = away;
}

static void follow(struct following *following)
{
    bool told = false;
    while (!stopping) {
        uint64_t mono_ms = clock_monotonic_ms();
        informer_tick(&following->informer, mono_ms);
        struct pollfd wake = {.fd = api_client_fd(following->client), .events = POLLIN};
        (void)poll(&wake, 1, (int)api_client_wait_ms(following->client, TURN_MS));
        api_client_run(following->client);
        node_pod_list_tick(&following->list, clock_monotonic_ms());
        tell_away(following);
        if (!told && following->list.files > 0)
            log_event("info", "listed", no_service, "%u pods in %s", following->list.count,
                      following->list.path);
        told = following->list.files > 0;
    }
}

static int run(const struct arguments *arguments)
{
    static struct following following;
    struct sigaction action = {.sa_handler = on_signal};
    const char *const *values = arguments->values;
    const char *where = values[NODE_PODS_KUBERNETES];
    struct guard_err err;
    if (arguments->count != 0)
        return complain(EXIT_USAGE, "there are no operands; see guard node-pods --help");
    if (values[NODE_PODS_NODE] == NULL || values[NODE_PODS_OUT] == NULL)
        return complain(EXIT_USAGE, "--node and --out are needed");
    if (!is_node(values[NODE_PODS_NODE]))
        return complain(EXIT_USAGE, "--node: \"%.100s\" is no node's name", values[NODE_PODS_NODE]);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    umask(027);
    following.list.path = values[NODE_PODS_OUT];
    snprintf(following.query, sizeof(following.query), "fieldSelector=spec.nodeName%%3D%s",
             values[NODE_PODS_NODE]);
    enum guard_rc rc =
        kubernetes_config_load(&following.config, where != NULL ? where : "in-cluster", &err);
    if (rc == GUARD_OK)
        rc = api_client_open(&following.client, &following.config, "guard-node-pods/" GUARD_VERSION,
                             &err);
    if (rc == GUARD_OK) {
        following.informer = (struct informer){.client = following.client,
                                               .path = pods_path,
                                               .query = following.query,
                                               .take = node_pod_list_take,
                                               .ctx = &following.list};
        follow(&following);
    }
    api_client_close(following.client);
    informer_close(&following.informer);
    kubernetes_config_free(&following.config);
    node_pod_list_free(&following.list);
    return rc == GUARD_OK ? EXIT_GOOD : complain(EXIT_USAGE, "%s", err.text);
}

const struct command command_node_pods = {
    .name = "node-pods",
    .usage = "--node NAME --out FILE",
    .summary = "keep a list of a node's pods for its sensor",
    .details = "Lists the pods of one node and watches them. Needs to list and watch pods and "
               "nothing else;\nthe file has their names, owners, containers' ids and services, "
               "none of their\nspecifications. While the cluster is away the file stays as it is.",
    .options = options,
    .run = run,
};
