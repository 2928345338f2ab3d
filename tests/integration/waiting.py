# SPDX-License-Identifier: Apache-2.0
"""Waiting for conditions, and what to tell when one doesn't come true: the states of the processes that we started and of the machine.
A test that waits in vain must explain itself, since it may not do so again."""

import os
import pathlib
import signal
import subprocess
import time

# Seconds until a condition is given up. A test that passes never waits so long; a machine that stands still for a while isn't a defect.
PATIENCE = float(os.environ.get("GUARD_TEST_PATIENCE", "60"))

LONG_PAUSE = 0.2  # at most, where a test asks for no longer one

running = []  # harness.Nginx instances


def wait_for(condition, what, timeout=PATIENCE, pause=0.01):
    """Polls until condition() is true and returns its value. An exception in it means not yet (a file half-written, a command that
    refuses so far); when the time is over the last one is told. `what` is a text, or a function that makes it then. A look that takes
    long (it runs a program, or reads much) is followed by as long a pause, else those who wait keep what they wait for from coming."""
    end, tries = time.monotonic() + timeout, 0
    while True:
        trouble, begun = None, time.monotonic()
        tries += 1
        try:
            value = condition()
            if value:
                return value
        except Exception as error:  # noqa: BLE001 - see above
            trouble = error
        if time.monotonic() > end and tries >= 10:  # one try may take long where everything stands still
            raise AssertionError(f"waited {timeout} s for {what() if callable(what) else what}\n{describe()}") from trouble
        time.sleep(max(pause, min(time.monotonic() - begun, LONG_PAUSE)))


def stat_of(pid):
    """(parent, state) of a process; None when it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(fields[1]), fields[0]
    except (OSError, IndexError):
        return None


def processes_below(parent):
    """Ids of the living children of a process."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            stat = stat_of(entry)
            if stat is not None and stat[0] == parent and stat[1] != "Z":
                found.append(int(entry))
    return sorted(found)


def all_below(parent):
    found = []
    for pid in processes_below(parent):
        found += [pid, *all_below(pid)]
    return found


def settle(timeout=5):
    """Until each worker of our nginx instances sleeps: only then it has done all that belongs to an answer that a client has already:
    its record, its alert, its line in the access log. Goes on when one never rests (its tests wait for what they need)."""
    end = time.monotonic() + timeout
    busy = [pid for instance in running for master in instance.masters() for pid in (processes_below(master) or [master])]
    while busy and time.monotonic() < end:
        busy = [pid for pid in busy if (stat_of(pid) or (0, "Z"))[1] in "RD"]
        if busy:
            time.sleep(0.001)


def read_proc(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text(errors="replace").replace("\0", " ").strip()
    except OSError as error:
        return f"({error.strerror})"


def state_of(pid):
    status = dict(line.split(":\t", 1) for line in read_proc(pid, "status").splitlines() if ":\t" in line)
    words = [f"{name}={status.get(name, '?').strip()}" for name in (
        "State", "VmRSS", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")]
    times = read_proc(pid, "stat").rpartition(")")[2].split()[11:13]
    return (f"{pid}: {read_proc(pid, 'cmdline')[:120]}\n    {' '.join(words)} ticks={'+'.join(times)} "
            f"wchan={read_proc(pid, 'wchan')} syscall={read_proc(pid, 'syscall')}")


def tail(path, lines=15):
    try:
        return "\n".join("    " + line for line in pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"    ({error.strerror})"


def describe():
    """The machine, what we have started and what nginx wrote into its error log last."""
    try:
        lines = [f"load {' '.join(map(str, os.getloadavg()))}"]
        for name in ("cpu", "io", "memory"):
            pressure = pathlib.Path(f"/proc/pressure/{name}")
            if pressure.exists():
                lines.append(f"{name} pressure: {pressure.read_text().splitlines()[0]}")
        pids = set(all_below(os.getpid()))
        for instance in running:
            for master in instance.masters():
                pids |= {master, *all_below(master)}
        lines += [state_of(pid) for pid in sorted(pids)]
        for instance in running:
            lines += [f"{instance.error_log.parent.name}/error.log:", tail(instance.error_log)]
        return "\n".join(lines)
    except OSError as error:  # processes come and go
        return f"(no more can be told: {error})"


def end_process(process, number=signal.SIGTERM, timeout=PATIENCE):
    """Ends a process that we started, by its id, and insists when it doesn't."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            print(f"{process.pid} doesn't end by signal {int(number)} within {timeout} s\n{describe()}")
            process.kill()
            process.wait()
    return process.returncode


def end_process_of(pid):
    """Ends a child of ours that nobody holds."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
            wait_for(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, "a child to end", 10)
            return
        except (OSError, AssertionError):
            continue
