# SPDX-License-Identifier: Apache-2.0
"""Gets the old packages of the victims, once for each build, from whatever registry npm is set up for. Where there is no npm or it
reaches none, that is said and nothing is tested; a lock file that doesn't fit is a failure."""

import fcntl
import hashlib
import shutil
import subprocess

from harness import BUILD

from .catalogue import HERE

VICTIMS = HERE / "victims"
OURS = ("EUSAGE", "EINTEGRITY", "EJSONPARSE", "EBADENGINE")  # what npm says of files of ours that are wrong


class Unreachable(Exception):
    """The packages can't be had here; says why."""


def installed():
    """The folder of modules; it is kept beside the build folder, which others copy, for as long as the lock file is the same."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Unreachable(f"there is no {program}")
    cache = BUILD.with_name(BUILD.name + "-victims")
    cache.mkdir(parents=True, exist_ok=True)
    lock = (VICTIMS / "package-lock.json").read_bytes()
    folder = cache / hashlib.sha256(lock).hexdigest()[:16]
    with open(cache / "lock", "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not folder.exists():
            install(folder)
    return folder / "node_modules"


def install(folder):
    made = folder.with_suffix(".new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(VICTIMS / name, made)
    try:
        done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"], cwd=made,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise Unreachable("npm ci isn't done within 300 s") from None
    if done.returncode != 0:
        text = (done.stderr + done.stdout).strip()
        assert not any(code in text for code in OURS), text
        raise Unreachable(f"npm ci: {text[:300]}")
    made.rename(folder)
