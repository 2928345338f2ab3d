# SPDX-License-Identifier: Apache-2.0
"""The console over thousands of alerts that guardd keeps: both ends and the middle of the list cost a page each. Nothing is timed; what a
step asks for and what lies in the page is counted (ui/e2e/scale.mjs, which bench/console.py runs with 100,000)."""

import sys

import pytest

from harness import ROOT
from test_console import missing

sys.path.insert(0, str(ROOT / "bench"))
import console  # noqa: E402

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def test_the_end_of_many_alerts_costs_a_page(capfd):
    console.run(alerts=4000, services=20, measure=("browser",))
    said = capfd.readouterr().out
    print(said)
    assert "ok the oldest alert is in view" in said and "ok a new alert moves nothing" in said
