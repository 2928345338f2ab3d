# SPDX-License-Identifier: Apache-2.0
"""How several processes share the files of tests: the longest begin first, so that none is left alone with one at the end; and files that
need the same cluster stay with one process, which starts it once."""

# By their measured times, but those with a cluster, which mostly wait, apart from one another; what isn't named follows as ever.
LONGEST = [
    ["kubernetes/test_operator.py", "kubernetes/test_rollout.py", "kubernetes/test_crds.py", "kubernetes/test_plugin.py",
     "kubernetes/test_pod_actions.py", "kubernetes/test_node_agents.py", "kubernetes/test_transcripts.py"],
    ["pods/test_podwatch.py"],
    ["guardd/test_postgres.py"],
    ["gate/test_egress.py"],
    ["kubernetes/test_canary.py", "kubernetes/test_webhook_authority.py", "kubernetes/test_identity.py", "kubernetes/test_profile.py",
     "kubernetes/test_install.py"],
    ["kubernetes/test_operators.py", "kubernetes/test_compaction.py"],
    ["ui/test_console.py"],
    ["gate/test_rings.py"],
    ["peers/test_learning.py"],
    ["kubernetes/test_responder_cluster.py"],
    ["gate/test_timer.py"],
    ["gate/test_identity.py"],
    ["pods/test_responder.py"],
    ["kubernetes/inject/test_node_installed.py", "kubernetes/inject/test_node_replicas.py", "kubernetes/inject/test_node.py", "kubernetes/inject/test_admission.py"],
    ["api/test_api_reading.py"],
    ["guardd/test_shared.py"],
    ["guardd/test_guardd.py"],
    ["exploits/test_patch_from.py"],
    ["peers/test_gate.py"],
    ["api/test_api_trust.py"],
    ["tree/test_tree_postgres.py"],
    ["peers/test_daemon.py"],
    ["api/test_api_remote.py"],
    ["tree/test_tree_returning.py"],
    ["guardd/test_releases.py"],
    ["gate/test_policies.py"],
    ["gate/test_responses.py"],
    ["guardd/test_patterns.py"],
    ["guardd/test_patches_enforced.py"],
    ["patches/test_shipped.py"],
    ["tree/test_tree.py"],
    ["guardd/test_rollback.py"],
    ["outputs/test_outputs.py"],
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
