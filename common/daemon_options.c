/* SPDX-License-Identifier: Apache-2.0 */
/* The options of guardd. */
#include "common/option_spec.h"

#include <stddef.h>

const struct option_spec daemon_options[DAEMON_OPTIONS + 1] = {
    [DAEMON_STATE] = {"state", "DIR", "the directory shared with the gates (required)"},
    [DAEMON_API] = {"api", "on|off", "whether DIR/api.sock is served (default on)"},
    [DAEMON_API_GROUP] = {"api-group", "GROUP", "a group that may connect too, with tokens"},
    [DAEMON_API_FRONT] = {"api-front", "on|off",
                          "whether DIR/api-front.sock is served, for nginx (default off)"},
    [DAEMON_RELEASE] = {"release-window", "TIME",
                        "how long new elements of a new revision aren't blocked (default 6h)"},
    [DAEMON_VALID] = {"policy-valid", "TIME",
                      "gates alarm when nothing newer came for so long; 0s: never (default 7d)"},
    [DAEMON_STORE] = {"store", "sqlite:FILE|postgresql://...",
                      "where what was learned is kept (default DIR/guard.db)"},
    [DAEMON_KEEP] = {"keep", "TIME", "how long logs and earlier generations stay (default 30d)"},
    [DAEMON_KEEP_SIZE] = {"keep-size", "SIZE",
                          "how large logs and what was put aside may be (default 1g)"},
    [DAEMON_TASK] = {"task", "forget|check|backup=FILE", "do that and end"},
    [DAEMON_ROLE] = {"role", "standalone|agent|aggregator|node|service",
                     "what it is in the tree (default standalone)"},
    [DAEMON_PARENT] = {"parent", "SERVER",
                       "unix:PATH, https://HOST[:PORT] or http://HOST[:PORT], of agents, "
                       "aggregators and nodes"},
    [DAEMON_PARENT_TOKEN] = {"parent-token", "FILE", "holds the token for the parent"},
    [DAEMON_PARENT_CA] = {"parent-ca", "FILE", "certificates that the parent's must be signed by"},
    [DAEMON_POLICY_KEY] = {"policy-key", "FILE",
                           "the root's public key (default DIR/keys/policy.pub)"},
    [DAEMON_SIGNING_KEY] = {"signing-key", "FILE",
                            "the key that policies are signed with, never written (default "
                            "DIR/keys/policy.key, made when it isn't there)"},
    [DAEMON_REPORT_EVERY] = {"report-every", "TIME", "between two reports (default 60s)"},
    [DAEMON_SPOOL] = {"spool", "SIZE",
                      "of reports that wait for the parent, at most (default 64M)"},
    [DAEMON_WHOLE_PILES] = {"whole-piles", "NAMES",
                            "reporters whose piles are believed (NAME,NAME or *); those of all "
                            "others teach as much as fewer than four clients"},
    [DAEMON_FOLLOW] = {"follow", "NAMES",
                       "services (NAME,NAME) whose policies are asked for before a gate is there"},
    [DAEMON_KUBERNETES] = {"kubernetes", "in-cluster|KUBECONFIG",
                           "be an operator: Guardians are objects of that cluster"},
    [DAEMON_WRITE_EVERY] = {"write-every", "TIME",
                            "an operator's, between two writes of a Guardian's status, of its "
                            "profile or of one of its events (default 30s)"},
    [DAEMON_CANARY_EVERY] = {"canary-every", "TIME",
                             "an operator's, between two rounds of canaries in a namespace "
                             "(default 60s)"},
    [DAEMON_TOKEN_REVIEWS] = {"token-reviews", "in-cluster|KUBECONFIG",
                              "let agents in that show tokens of that cluster's pods, of the "
                              "audience guard.security"},
    [DAEMON_TOKEN_KEEP] = {"token-keep", "TIME",
                           "how long what the cluster said of a token counts (default 3m)"},
    [DAEMON_NODE_AGENTS] = {"node-agents", "NAMESPACE/ACCOUNT",
                            "the service account of what runs on each node with --role node: its "
                            "pods speak for the pods of their own node"},
    [DAEMON_ACCESS_REVIEWS] = {"access-reviews", "in-cluster|KUBECONFIG",
                               "let that cluster's users in by their bearer tokens: they may do "
                               "here what they may do with its Guardians"},
    [DAEMON_ACCESS_KEEP] = {"access-keep", "TIME",
                            "how long what it said of a user counts (default 60s)"},
    [DAEMON_POD_SENSOR] =
        {"pod-sensor", "WHO",
         "watch the pod that guardd runs in: workload=NAME,pod=NAME, and "
         "namespace, container, service, image, hash, uid, node, cgroup, processes, "
         "records, interval (default: no pod)"},
    [DAEMON_POD] = {"pod", "NAMESPACE/POD/UID",
                    "the pod that this guardd stands beside: its gate can be withdrawn (the uid "
                    "may be left out)"},
    [DAEMON_POD_ORDERS] = {"pod-orders", "off|dry-run|act",
                           "have a pod replaced that alone is misused: orders to the responder, "
                           "that may touch nothing, or may where the service's mode is block "
                           "(default off)"},
    [DAEMON_HELP] = {"help", NULL, "print this text"},
    [DAEMON_VERSION] = {"version", NULL, "print the version"},
    [DAEMON_OPTIONS] = {NULL, NULL, NULL},
};
