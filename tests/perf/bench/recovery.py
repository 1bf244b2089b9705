# SPDX-License-Identifier: Apache-2.0
"""Kill -9 of a model's partition under load, seen by its clients and by its neighbour's."""

import json
import os
import signal
import subprocess
import tempfile
import time

import numpy as np

from measure import BIN, SOURCE, Server, Spread, Table, Unmeasured, met, repository

KILLS = 40  # a round
PAUSE = 0.5  # seconds between kills: its standby has loaded by then
RATE = 200
BARS = {"median": 20, "worst": 100, "neighbour": 1.10}  # ms, ms, times
CONFIG = """
repository = "{models}"
[gateway]
listen = "127.0.0.1:0"
[[partition]]
name = "victim"
models = ["victim"]
[partition.restart]
stable_ms = 1
failures_max = 1000000
[[partition]]
name = "neighbour"
models = ["neighbour"]
"""


def load(server, model, picture, seconds):
    return subprocess.Popen(
        [BIN / "casemate-load", "--json", server.url, model, f"image={picture}", str(RATE),
         str(seconds), "4"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process):
    out, err = process.communicate()
    if not out.startswith("{"):
        raise Unmeasured(f"casemate-load: {err or out}")
    return json.loads(out)


def beat(server, kills, kill_times):
    """One pause with a kill at its beginning, or with everything but the kill."""
    partition = server.partition("victim")
    if kills:
        kill_times.append(time.monotonic())
        os.kill(partition["pid"], signal.SIGKILL)
    time.sleep(PAUSE)
    if kills and server.partition("victim")["starts"] == partition["starts"]:
        raise Unmeasured("the partition did not come back in time")


def phases_of(server, at, answers):
    """Where the time from a kill to the next answer goes, in ms: the monitor's own lines tell, each
    of which it writes when that is done. An answer before it has noticed is the dying instance's:
    its runtime is what was killed, and it follows."""
    def line_after(start, words):
        return next((when for when, text in list(server.lines) if when >= start and words in text), None)
    noticed = line_after(at, "partition victim: its runtime died")
    running = line_after(at, "partition victim: running again")
    answered = min((when for when in answers if noticed is not None and when > noticed), default=None)
    if noticed is None or running is None or answered is None:
        raise Unmeasured("the monitor did not say what became of the partition")
    return [1e3 * ms for ms in (noticed - at, running - noticed, answered - running, answered - at)]


def round_of(server, picture, kills):
    """Loads of both models over the same time, with kills or without."""
    # A pause takes a little more than its time: a status is asked for twice.
    both = [load(server, model, picture, KILLS * (PAUSE + 0.1) + 1) for model in ("victim", "neighbour")]
    time.sleep(0.5)
    kill_times = []
    for _ in range(KILLS):
        beat(server, kills, kill_times)
    victim, neighbour = (result(process) for process in both)
    answers = [begin + ms / 1e3 for begin, ms in victim["calls"]]
    return victim, neighbour, [phases_of(server, at, answers) for at in kill_times]


def p99(calls):
    return float(np.percentile([ms for _, ms in calls], 99))


def row(table, what, values, bar=""):
    at = np.percentile(values, [50, 99, 100])
    table.add(what, *(f"{ms:.1f} ms" for ms in at), bar)


def main(rounds):
    quiet, disturbed, outages = [], [], []
    failed = wrong = answered = 0
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        model = SOURCE / "models/digits/1/model.onnx"
        where = repository(f"{folder}/models", {"victim": model, "neighbour": model})
        picture = f"{folder}/digit.npy"
        np.save(picture, np.full((1, 1, 28, 28), 0.5, np.float32))
        with Server(CONFIG.format(models=where)) as server:
            for number in range(rounds):
                # In turns, and which comes first changes: what else the machine does meets both.
                for kills in (False, True) if number % 2 == 0 else (True, False):
                    victim, neighbour, seen = round_of(server, picture, kills)
                    (disturbed if kills else quiet).append(p99(neighbour["calls"]))
                    outages += seen
                    for report in (victim, neighbour):
                        answered += report["answered"]
                        failed += report["failed"]
                        wrong += report["wrong"]
    noticed, started, connected, whole = (list(each) for each in zip(*outages))
    table = Table(f"{len(outages)} × kill -9 of a partition under {RATE} requests/s on it and on its "
                  "neighbour", ("what", "median", "p99", "worst", "bar"))
    in_time = np.median(whole) <= BARS["median"] and max(whole) <= BARS["worst"]
    row(table, "from SIGKILL to the next right answer, as clients see it", whole,
        f"{met(in_time)} (median {BARS['median']} ms, worst {BARS['worst']} ms)")
    row(table, "of that: until the monitor has noticed, revoked and killed", noticed)
    row(table, "... until the standby is active, its instance runs and its stream is made", started)
    row(table, "... until requests run again and one is answered", connected)
    table.add("requests answered / failed / wrong", f"{answered} / {failed} / {wrong}", "", "",
              met(failed + wrong == 0))
    before, after = Spread(quiet), Spread(disturbed)
    ratio = Spread([b / a for a, b in zip(quiet, disturbed)])
    table.add("neighbour's p99, rounds without kills", f"{before.text()} ms", "", "", "")
    table.add("neighbour's p99, rounds with kills", f"{after.text()} ms", "", "", "")
    table.add("... as a ratio of rounds in turns", f"{ratio.text()} ×", "", "",
              f"{met(ratio.median <= BARS['neighbour'])} ({BARS['neighbour']:.2f} ×)")
    table.show()
