# SPDX-License-Identifier: Apache-2.0
"""What /proc says of processes."""

import pathlib


def stat_of(pid):
    """Name, state and parent of a process; None when it is not there."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, rest = text.split("(", 1)[1].rsplit(")", 1)
    state, parent = rest.split()[:2]
    return name, state, int(parent)


def alive(pid):
    stat = stat_of(pid)
    return stat is not None and stat[1] not in "ZX"


def descendants(ancestor):
    """Name, number and peak memory in KiB of all processes below that one."""
    stats = {int(entry.name): stat_of(entry.name) for entry in pathlib.Path("/proc").iterdir()
             if entry.name.isdigit()}
    for pid, stat in stats.items():
        above = stat
        while above and above[2] not in (0, ancestor):
            above = stats.get(above[2])
        if not above or above[2] != ancestor:
            continue
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        peak = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")), 0)
        yield stat[0], pid, int(peak)


def family(pid):
    """The process and all below it."""
    return [pid, *(child for _, child, _ in descendants(pid))]


def processor_s(pids):
    """Processor time that these processes have had so far, in seconds."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                pass
    return total / 1e9
