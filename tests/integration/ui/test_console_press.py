# SPDX-License-Identifier: Apache-2.0
"""What people press in the console that reaches others or is for good. It has a demo of its own: what was learned and decided by other
tests would have a say in what deviates, as has the budget of false blocks that the journey of an operator leaves."""

import pytest

from test_console import demo, missing, pod_writer  # noqa: F401

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def test_what_reaches_others_or_is_for_good(demo):  # noqa: F811
    demo.drive("press.mjs")
