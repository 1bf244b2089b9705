# SPDX-License-Identifier: Apache-2.0
"""What a partition costs: the same engine called in-process and across the walls, in turns."""

import tempfile

from measure import BIN, SOURCE, Spread, Table, met, resnet50, run


def main(rounds):
    table = Table(f"A request in another partition against the same engine in-process, {rounds} rounds",
                  ("model", "caller", "in-process", "partitioned", "more", "bar"))
    with tempfile.TemporaryDirectory(prefix="casemate-bench-") as folder:
        small, large = SOURCE / "models/digits/1/model.onnx", resnet50(folder)
        for name, path, threads, runs, waiting, bar in (
                ("digits", small, 1, 5000, "spinning", 40), ("digits", small, 1, 5000, "asleep", 40),
                ("resnet50, 1 thread", large, 1, 30, "spinning", None),
                ("resnet50, 1 thread", large, 1, 30, "asleep", None)):
            results = run(BIN / "casemate-perf-partitioned", path, threads, runs, rounds, waiting)
            inside = Spread([r["inside_us"] for r in results])
            apart = Spread([r["apart_us"] for r in results])
            extra = Spread([r["extra_us"] for r in results])
            share = extra.median / inside.median
            if any(r["different"] for r in results):
                verdict = "**results differ**"
            elif bar:
                verdict = f"{met(extra.median <= bar)} ({bar} µs)"
            else:
                verdict = f"{met(share <= 0.03)} (3 %)"
            table.add(name, waiting, inside.text(1, " µs"), apart.text(1, " µs"),
                      f"{extra.median:.1f} µs, {100 * share:.1f} %", verdict)
    table.show()
