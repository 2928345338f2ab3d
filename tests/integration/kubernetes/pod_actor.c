/* SPDX-License-Identifier: Apache-2.0 */
/* A responder for tests: does one thing to a pod of the cluster of a kubeconfig, and says what came
 * of it as "OUTCOME RETRY_AFTER BUDGET MESSAGE". */
#include "common/file.h"
#include "common/kubernetes/pod_actions.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

static const char *const outcomes[] = {"done", "gone", "later", "refused", "failed"};
static bool over;

static void on_done(void *ctx, const struct pod_result *result)
{
    (void)ctx;
    over = true;
    printf("%s %u %d %s\n", outcomes[result->outcome], result->retry_after_s, result->budget,
           result->message);
}

static enum guard_rc begin(struct api_client *client, struct pod_action *action, char **words,
                           struct guard_err *err)
{
    const struct pod_ref pod = {words[0], words[1], words[2]};
    const struct pod_label labels[] = {{words[3], words[4][0] != '\0' ? words[4] : NULL}};
    const char *verb = words[-1];
    if (strcmp(verb, "relabel") == 0)
        return pod_relabel(client, action, &pod, labels, 1, err);
    if (strcmp(verb, "deny") == 0)
        return pod_deny(client, action, pod.namespace, labels, err);
    if (strcmp(verb, "undeny") == 0)
        return pod_undeny(client, action, pod.namespace, labels, err);
    return pod_evict(client, action, &pod,
                     strcmp(verb, "evict-v1") == 0 ? EVICTION_V1 : EVICTION_V1BETA1, false, err);
}

/* KUBECONFIG VERB NAMESPACE POD UID LABEL VALUE */
int main(int argc, char **argv)
{
    struct kubernetes_config config;
    struct api_client *client = NULL;
    struct pod_action action = {.done = on_done};
    struct guard_err err = {.text = ""};
    if (argc != 8)
        return 2;
    enum guard_rc rc = kubernetes_config_load(&config, argv[1], &err);
    if (rc == GUARD_OK)
        rc = api_client_open(&client, &config, "guard-test", &err);
    if (rc == GUARD_OK)
        rc = begin(client, &action, argv + 3, &err);
    while (rc == GUARD_OK && !over) {
        struct pollfd wake = {.fd = api_client_fd(client), .events = POLLIN};
        (void)poll(&wake, 1, (int)api_client_wait_ms(client, 100));
        api_client_run(client);
    }
    if (rc != GUARD_OK)
        printf("wrong 0 0 %s\n", err.text);
    api_client_close(client);
    kubernetes_config_free(&config);
    return 0;
}
