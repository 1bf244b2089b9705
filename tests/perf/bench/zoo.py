# SPDX-License-Identifier: Apache-2.0
"""The models of `casemate zoo`, written here and run by somebody else's engine."""

import json
import pathlib
import subprocess
import tempfile
import time

from measure import BIN, PEERS, Table, met, run

# Of text: a prompt of 128 tokens with nothing cached.
SYMBOLS = ("sequence=128", "past_sequence=0", "total_sequence=128")


def zoo(*arguments):
    done = subprocess.run([BIN / "casemate", "zoo", *arguments, "--json"], capture_output=True,
                          check=True)
    return json.loads(done.stdout)


def sound(output):
    """Finite, not constant, of a size that floats like, and not the same whatever comes in."""
    return output["finite"] and 1e-3 <= output["deviation"] <= 1e3 and output["change"] >= 1e-3


def main(rounds):
    del rounds  # the models do not vary
    table = Table("casemate zoo: every architecture, written and then run by ONNX Runtime 1.21",
                  ("architecture", "parameters", "MB", "written in", "one thread of ONNX Runtime",
                   "deviation of outputs", "sound"))
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        path = pathlib.Path(folder) / "model.onnx"
        for architecture in zoo():
            begin = time.monotonic()
            facts = zoo(architecture["name"], "-o", path)
            seconds = time.monotonic() - begin
            *outputs, times = run(PEERS / "zoo_peer", path, 1, *SYMBOLS)
            deviations = sorted(output["deviation"] for output in outputs)
            table.add(facts["name"], f"{facts['parameters']:,}", f"{facts['file_bytes'] / 1e6:.1f}",
                      f"{seconds:.2f} s", f"{times['second_ms']:.1f} ms",
                      "–".join(f"{end:.2f}" for end in deviations[:1] + deviations[1:][-1:]),
                      met(all(sound(output) for output in outputs)))
    table.show()
