# SPDX-License-Identifier: Apache-2.0
"""The memory that learning takes. A process of its own starts it, a small one: what a process was before it became another program
counts for its peak."""

import subprocess
import sys

from conftest import BIN

SMALL = """if True:
    import resource, subprocess, sys
    subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def peak_kib(*arguments):
    done = subprocess.run([sys.executable, "-c", SMALL, BIN / "guard", "learn", *map(str, arguments)], capture_output=True, text=True,
                          timeout=120, check=True)
    return int(done.stdout)
