#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures of docs/guide/console.md anew, of `make run`. usage: GUARD_BUILD=FOLDER GUARD_BIN=FOLDER/bin pictures.py FOLDER"""

import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from harness import end_process  # noqa: E402
from test_console import Demo, missing  # noqa: E402


def main():
    if len(sys.argv) != 2 or missing() is not None:
        sys.exit(missing() or __doc__)
    with tempfile.TemporaryDirectory(prefix="guard-ui.") as folder:
        os.chmod(folder, 0o711)
        demo = Demo(folder)
        try:
            demo.drive("pictures.mjs", TO=str(pathlib.Path(sys.argv[1]).resolve()))
        finally:
            end_process(demo.process)


main()
