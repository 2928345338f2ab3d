# SPDX-License-Identifier: Apache-2.0
"""When the gate can't inspect, one place decides: serve without inspection or refuse."""

import os
import subprocess

import pytest

from harness import wait_for

from .conftest import ATTACK_QUERY

# Refuses the blocks that exchanges are inspected in, while the file exists.
NO_MEMORY = """
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
void *malloc(size_t size)
{
    static void *(*real)(size_t);
    if (real == NULL)
        real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    if (size == 16 * 1024 + 16 && access(getenv("NO_MEMORY"), F_OK) == 0)
        return NULL;
    return real(size);
}
"""


@pytest.fixture(scope="session")
def no_memory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("no_memory")
    (folder / "no_memory.c").write_text(NO_MEMORY)
    subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", folder / "no_memory.so", folder / "no_memory.c", "-ldl"],
                   check=True)
    return folder / "no_memory.so"


@pytest.mark.parametrize("failure,status", [("", 200), ("guard_failure open;", 200), ("guard_failure closed;", 503)])
def test_no_memory(gate, tmp_path, no_memory, failure, status):
    flag = tmp_path / "flag"
    nginx = gate(f"""
    server {{ listen 127.0.0.1:{{port}}; {failure} location / {{ proxy_pass http://{{echo}}; }} }}""",
                 main="env NO_MEMORY; env LD_PRELOAD;",
                 env={**os.environ, "LD_PRELOAD": str(no_memory), "NO_MEMORY": str(flag)})
    flag.touch()
    for _ in range(5):
        assert nginx.curl(f"/a?{ATTACK_QUERY}", "-d", "x=1").status == status
    flag.unlink()
    assert nginx.curl(f"/a?{ATTACK_QUERY}", "-d", "x=1").status == 403
    wait_for(lambda: "5 exchanges were not inspected" in nginx.log_text(), "the count")
    # Told once, not for each; where two seconds lie between two of them it was over meanwhile, which is told, too.
    log = nginx.log_text()
    assert 1 <= log.count("no memory to inspect exchanges with") == log.count("inspecting again")
    nginx.stop()
    assert len(gate.state.records()) == 1
