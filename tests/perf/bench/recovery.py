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

KILLS = 10  # a round
PAUSE = 1.0  # seconds between kills
RATE = 200
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
    after = server.partition("victim")
    if kills and after["starts"] == partition["starts"]:
        raise Unmeasured("the partition did not come back in time")
    return after["recovery_us"] / 1e3


def round_of(server, picture, kills):
    """Loads of both models over the same time, with kills or without."""
    both = [load(server, model, picture, KILLS * PAUSE + 1) for model in ("victim", "neighbour")]
    time.sleep(0.5)
    kill_times = []
    monitor = [beat(server, kills, kill_times) for _ in range(KILLS)]
    victim, neighbour = (result(process) for process in both)
    outages = [1e3 * (min(begin + ms / 1e3 for begin, ms in victim["calls"] if begin > at) - at)
               for at in kill_times]
    return victim, neighbour, outages, monitor


def p99(calls):
    return float(np.percentile([ms for _, ms in calls], 99))


def main(rounds):
    quiet, disturbed, outages, monitor = [], [], [], []
    failed = wrong = answered = 0
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        model = SOURCE / "models/digits/1/model.onnx"
        where = repository(f"{folder}/models", {"victim": model, "neighbour": model})
        picture = f"{folder}/digit.npy"
        np.save(picture, np.full((1, 1, 28, 28), 0.5, np.float32))
        with Server(CONFIG.format(models=where)) as server:
            for _ in range(rounds):
                _, neighbour, _, _ = round_of(server, picture, False)
                quiet.append(p99(neighbour["calls"]))
                victim, neighbour, seen, told = round_of(server, picture, True)
                disturbed.append(p99(neighbour["calls"]))
                outages += seen
                monitor += told
                for report in (victim, neighbour):
                    answered += report["answered"]
                    failed += report["failed"]
                    wrong += report["wrong"]
    seen, told = Spread(outages), Spread(monitor)
    table = Table(f"{len(outages)} × kill -9 of a partition under {RATE} requests/s on it and on its "
                  "neighbour", ("what", "median", "worst", "bar"))
    table.add("from SIGKILL to the next right answer, as clients see it", f"{seen.median:.1f} ms",
              f"{seen.values[-1]:.1f} ms", f"{met(seen.values[-1] <= 100)} (100 ms)")
    table.add("from failure noticed to running, as the monitor sees it", f"{told.median:.1f} ms",
              f"{told.values[-1]:.1f} ms", "")
    table.add("requests answered / failed / wrong", f"{answered} / {failed} / {wrong}", "",
              met(failed + wrong == 0))
    before, after = Spread(quiet), Spread(disturbed)
    table.add("neighbour's p99, rounds without kills", f"{before.text()} ms", "", "")
    table.add("neighbour's p99, rounds with kills", f"{after.text()} ms", "",
              f"{after.median / before.median:.2f} ×")
    table.show()
