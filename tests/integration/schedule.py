# SPDX-License-Identifier: Apache-2.0
"""How several processes share the files of tests: the longest begin first, so that none is left alone with one at the end; and files that
need the same cluster stay with one process, which starts it once."""

# By their measured times, but those with a cluster, which mostly wait, apart from one another; what isn't named follows as ever.
LONGEST = [
    ["kubernetes/inject/test_node_installed.py", "kubernetes/inject/test_node_replicas.py", "kubernetes/inject/test_node.py", "kubernetes/inject/test_admission.py"],
    ["ui/test_console.py"],
    ["kubernetes/test_canary.py", "kubernetes/test_webhook_authority.py", "kubernetes/test_identity.py", "kubernetes/test_profile.py",
     "kubernetes/test_install.py"],
    ["tree/test_tree_withdrawals.py"],
    ["guardd/test_postgres.py"],
    ["kubernetes/test_operator.py", "kubernetes/test_rollout.py", "kubernetes/test_crds.py", "kubernetes/test_plugin.py",
     "kubernetes/test_pod_actions.py", "kubernetes/test_node_agents.py", "kubernetes/test_transcripts.py"],
    ["gate/test_rings.py"],
    ["tree/test_tree_pods.py"],
    ["tree/test_tree_pods_shared.py"],
    ["pods/test_sensor.py"],
    ["kubernetes/test_operators.py", "kubernetes/test_compaction.py", "kubernetes/test_access.py", "kubernetes/test_chart.py"],
    ["api/test_api_reading.py"],
    ["pods/test_pod_orders.py"],
    ["guardd/test_shared.py"],
    ["gate/test_timer.py"],
    ["kubernetes/test_responder_cluster.py"],
    ["pods/test_pod_budget.py"],
    ["pods/test_responder.py"],
    ["pods/test_podwatch.py"],
    ["gate/test_egress.py"],
    ["vulnerable/test_vulnerable.py"],
    ["pods/test_pod_learning.py"],
    ["peers/test_learning.py"],
    ["tree/test_tree_postgres.py"],
    ["api/test_api_distributions.py"],
    ["exploits/test_patch_from.py"],
    ["peers/test_gate.py"],
    ["pods/test_pod_decisions.py"],
    ["tree/test_tree_returning.py"],
    ["tree/test_tree.py"],
    ["guardd/test_releases.py"],
    ["outputs/test_outputs.py"],
    ["api/test_api_trust.py"],
    ["api/test_api_fuzzed.py"],
    ["guardd/test_rollback.py"],
    ["protocols/test_matrix.py"],
    ["tree/test_tree_withdrawals_shared.py"],
    ["pods/test_sensor_requests.py"],
    ["gate/test_policies.py"],
    ["guardd/test_patterns.py"],
    ["guardd/test_guardd.py"],
    ["gate/test_identity.py"],
    ["ui/test_console_press.py"],
    ["api/test_api_remote.py"],
    ["guardd/test_patches_enforced.py"],
    ["pods/test_sensor_processes.py"],
    ["guardd/test_exceptions.py"],
    ["peers/test_daemon.py"],
    ["guardd/test_clients.py"],
    ["gate/test_system_calls.py"],
    ["tree/test_tree_faults.py"],
    ["tree/test_tree_pod_sensors.py"],
    ["guardd/test_client_blocks.py"],
    ["outputs/test_alert_kills.py"],
]
FOLDER = "tests/integration/"


def unit_of(path):
    """What is handed out with a file, named by the first one of it; and its place."""
    name = path.rpartition(FOLDER)[2]
    for place, files in enumerate(LONGEST):
        if name in files:
            return files[0], place
    return name, len(LONGEST)


def order(items):
    """Sorts collected tests; those of a unit stay as they were."""
    items.sort(key=lambda item: unit_of(item.nodeid.partition("::")[0])[1])


def scheduler(config, log):
    from xdist.scheduler import LoadFileScheduling

    class Units(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return unit_of(super()._split_scope(nodeid))[0]

    return Units(config, log)
