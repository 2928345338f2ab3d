# SPDX-License-Identifier: Apache-2.0
"""What unit tests take for an API server's answers is what one says."""

import json

from kubernetes.transcripts import FILE, record


def test_an_api_server_answers_as_it_is_recorded(api_cluster, namespace):
    kept = json.loads(FILE.read_text())
    now = record(api_cluster, namespace)
    assert list(now["exchanges"]) == list(kept["exchanges"])
    for name, exchange in now["exchanges"].items():
        same = ("method", "path", "body", "status", *(["answer"] if now["server"] == kept["server"] else []))
        assert [exchange[word] for word in same] == [kept["exchanges"][name][word] for word in same], name
