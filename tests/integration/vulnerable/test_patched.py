# SPDX-License-Identifier: Apache-2.0
"""The patch that `guard patch from` makes of a real exploit stops it and its other writings, and nothing that the service gets else."""

import pytest

from .catalogue import EXPLOITS
from .patched import ASKED, patched

SHARE = 0.98


@pytest.mark.parametrize("exploit", EXPLOITS, ids=lambda exploit: exploit.number)
def test_the_patch_alone_stops_the_exploit(exploit):
    outcome, of = patched(exploit)
    assert outcome.stopped == outcome.of == 1, outcome
    assert outcome.mutations >= 5 and outcome.mutations_stopped >= SHARE * outcome.mutations, outcome
    assert of == ASKED and outcome.benign == 0, (outcome.benign, outcome.patch)
