# SPDX-License-Identifier: Apache-2.0
"""Unmodified OpenCL programs: Rodinia's nine on the machine's own OpenCL, through `casemate run`, and with each call
encrypted and answered before the next (tests/opencl/lockstep), in turns."""

import math
import os
import subprocess
import tempfile

from measure import BIN, RELEASE, Spread, Table, Unmeasured, met

# Sizes with which most run for more than 50 ms on two cores.
SIZES = {"backprop": 262144, "bfs": 1000000, "gaussian": 512, "hotspot": 1024, "lud": 1024, "nn": 4194304,
         "nw": 2048, "pathfinder": 400000, "srad": 1024}


TURNS = 4


class Program:
    """One that runs a round when it is told to."""

    def __init__(self, command, environment):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, env=environment, text=True)
        self.round()  # compiles what it has not compiled yet

    def round(self):
        self.process.stdin.write("x")
        self.process.stdin.flush()
        line = self.process.stderr.readline()
        if not line.endswith(" ms\n"):
            raise Unmeasured(f"{' '.join(self.process.args)} said '{line.strip()}'")
        return float(line.split()[1])

    def end(self):
        self.process.stdin.close()
        self.process.stderr.close()
        return self.process.wait()


def in_turns(commands, environment, times):
    """Times of fresh processes: where the kernel puts their pages decides more than anything, for all of a process's
    life. What a turn begins with changes."""
    programs = {name: Program(list(map(str, command)), environment) for name, command in commands.items()}
    for i in range(TURNS):
        for name in list(programs) if i % 2 == 0 else list(programs)[::-1]:
            times[name].append(programs[name].round())
    if any([program.end() for program in programs.values()]):
        raise Unmeasured(f"{commands['native'][0].name} computed something else")


def main(rounds):
    table = Table(f"Rodinia's nine on PoCL, natively, through casemate run, and with AES-256-GCM around each call, "
                  f"{rounds} times afresh, {TURNS} turns each",
                  ("program", "size", "natively", "casemate run", "ratio", "bar", "one by one, encrypted", "to the stream"))
    ratios, gains = [], []
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        environment = os.environ | {"POCL_CACHE_DIR": f"{folder}/cache", "CASEMATE_RUN": f"{folder}/run",
                                    "CASEMATE_STATE": f"{folder}/state"}
        for name, size in SIZES.items():
            command = [RELEASE / f"opencl/rodinia_{name}", str(size), "turns"]
            commands = {"native": command, "ours": [BIN / "casemate", "run", "--", *command],
                        "lockstep": [BIN / "casemate-opencl-pair", BIN / "libcasemate_opencl_lockstep.so", *command]}
            times = {name: [] for name in commands}
            for _ in range(rounds):
                in_turns(commands, environment, times)
            native, ours, lockstep = (Spread(times[name]) for name in commands)
            ratio = ours.median / native.median
            ratios.append(ratio)
            bar = f"{met(ratio <= 1.071)} (7.1 %)" if native.median > 50 else "below 50 ms"
            gains.append(lockstep.median / ours.median)
            table.add(name, size, native.text(1, " ms"), ours.text(1, " ms"), f"{ratio:.2f}", bar,
                      lockstep.text(1, " ms"), f"{gains[-1]:.2f} ×")
    mean, gain = (math.exp(sum(map(math.log, each)) / len(each)) for each in (ratios, gains))
    table.add("geometric mean", "", "", "", f"{mean:.3f}", f"{met(mean <= 1.05)} (5 %)", "", f"{gain:.2f} ×")
    table.show()
