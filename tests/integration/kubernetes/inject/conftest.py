# SPDX-License-Identifier: Apache-2.0
"""One cluster for all tests of this folder that need it, started when the first of them does."""

import pathlib
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]
from cluster import Cluster  # noqa: E402


@pytest.fixture(scope="session")
def injected_cluster():
    with tempfile.TemporaryDirectory(prefix="guard-k8s.") as folder:
        cluster = Cluster(pathlib.Path(folder) / "cluster")
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(scope="session")
def images(injected_cluster):
    with tempfile.TemporaryDirectory(prefix="guard-images.") as folder:
        print(injected_cluster.load_images(pathlib.Path(folder)))
