# SPDX-License-Identifier: Apache-2.0
"""tools/setup.sh beside stand-ins for Debian's tools: no service starts, and the administrator's policy is the same
afterwards."""

import os
import subprocess

import pytest

from harness import ROOT

ALLOWS = "#!/bin/sh\nexit 0\n"
FORBIDS = "#!/bin/sh\n# of the administrator\nexit 101\n"


class Debian:
    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.policy = folder / "policy-rc.d"
        self.log = folder / "log"
        self.log.touch()
        self.program("id", "echo 0")
        self.program("dpkg-query", "true")
        self.program("update-rc.d", 'echo "update-rc.d $*" >>"$LOG"')
        self.program("apt-get", 'case "$*" in *install*) "$POLICY_RC_D" nginx start; echo "install under $?" >>"$LOG" ;; esac')

    def program(self, name, text):
        path = self.bin / name
        path.write_text("#!/bin/bash\n" + text + "\n")
        path.chmod(0o755)

    def set_policy(self, text):
        self.policy.write_text(text)
        self.policy.chmod(0o755)

    def setup(self):
        env = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}", "POLICY_RC_D": str(self.policy), "LOG": str(self.log)}
        return subprocess.run([ROOT / "tools" / "setup.sh", "build"], env=env, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=120)


@pytest.fixture
def debian(tmp_path):
    return Debian(tmp_path)


@pytest.mark.parametrize("policy", [None, ALLOWS, FORBIDS])
def test_no_service_starts_and_the_policy_is_as_before(debian, policy):
    if policy is not None:
        debian.set_policy(policy)
    result = debian.setup()
    assert result.returncode == 0, result.stderr
    assert "install under 101\n" in debian.log.read_text()
    assert (debian.policy.read_text() if debian.policy.exists() else None) == policy
    assert sorted(path.name for path in debian.folder.iterdir() if path.name.startswith("policy")) == \
        (["policy-rc.d"] if policy is not None else [])


def test_a_failed_installation_is_told_and_leaves_no_policy(debian):
    debian.program("apt-get", 'case "$*" in *install*) echo no room; exit 100 ;; esac')
    result = debian.setup()
    assert result.returncode == 1 and "no room" in result.stderr and "the installation failed" in result.stderr
    assert not debian.policy.exists()


def test_a_policy_that_a_killed_setup_left_goes_away_with_the_next(debian):
    debian.program("apt-get", "kill -9 $PPID")
    debian.program("env", 'while [[ $1 == *=* ]]; do export "$1"; shift; done; exec "$@"')
    debian.set_policy(ALLOWS)
    assert debian.setup().returncode != 0 and debian.policy.read_text() != ALLOWS
    debian.program("apt-get", "true")
    assert debian.setup().returncode == 0 and debian.policy.read_text() == ALLOWS


@pytest.mark.parametrize("there", [False, True])
def test_only_a_new_nginx_is_left_disabled(debian, there):
    if there:
        debian.program("dpkg-query", "echo installed nginx")
    assert debian.setup().returncode == 0
    assert ("update-rc.d nginx disable" in debian.log.read_text()) is not there


def test_nothing_is_done_when_all_is_there(debian):
    debian.program("dpkg-query", 'shift 3; printf "installed %s\\n" "$@"')
    result = debian.setup()
    assert result.returncode == 0 and result.stdout == "" and debian.log.read_text() == ""


def test_who_may_not_install_is_told_what(debian):
    debian.program("id", "echo 1000")
    debian.program("sudo", "exit 1")
    result = debian.setup()
    assert result.returncode == 1 and "please install as root:  apt-get install" in result.stderr and "nginx-dev" in result.stderr


CONFLICT = """case "$*" in
*-s\\ remove*) echo "Remv libvectorscan5 [1]"; echo "Remv libvectorscan-dev [1]"; NEEDING ;;
*install*) echo "$*" >>"$LOG" ;;
esac"""


@pytest.mark.parametrize("needing", ["", 'echo "Remv rspamd [3]"'])
def test_what_conflicts_goes_unless_something_needs_it(debian, needing):
    debian.program("dpkg-query", 'case "$*" in *libvectorscan5*libvectorscan*|*nginx*) ;; *libvectorscan*) echo installed ;; esac')
    debian.program("apt-get", CONFLICT.replace("NEEDING", needing))
    result = debian.setup()
    if needing:
        assert result.returncode == 1 and "is needed by: rspamd" in result.stderr and debian.log.read_text() == ""
    else:
        assert result.returncode == 0, result.stderr
        assert " libhyperscan-dev " in debian.log.read_text() and "libvectorscan-dev- libvectorscan5-" in debian.log.read_text()
