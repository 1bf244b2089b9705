# SPDX-License-Identifier: Apache-2.0
"""Null calls: sRPC against gRPC over a Unix socket."""

from measure import PEERS, RELEASE, Spread, Table, met, run_one

SECONDS = 1
OURS = ("spin", "sleep", "apart", "stream")
THEIRS = ("one", "many")


def main(rounds):
    results = {name: [] for name in OURS + THEIRS}
    for _ in range(rounds):
        for name in OURS:
            results[name].append(run_one(RELEASE / "bench/isolated_srpc_srpc_bench", name, SECONDS))
        for name in THEIRS:
            results[name].append(run_one(PEERS / "grpc_peer", name, SECONDS))
    trip = {name: Spread([r["median_ns"] / 1e3 for r in results[name]])
            for name in results if name != "many"}
    rate = {name: Spread([r["calls_per_s"] / 1e3 for r in results[name]]) for name in results}
    table = Table(f"Null calls between two processes, {rounds} rounds of {SECONDS} s each, in turns",
                  ("how", "round trip µs", "thousand calls/s", "against gRPC", "bar"))

    def row(text, name, peer, bar):
        ratio = rate[name].median / rate[peer].median
        trip_text = trip[name].text() if name in trip and name != "stream" else "-"
        table.add(text, trip_text, rate[name].text(0), f"{ratio:.1f} ×" if name in OURS else "1",
                  bar(ratio))

    row("sRPC, one at a time, both sides spin", "spin", "one",
        lambda ratio: f"{met(trip['spin'].median <= 1)} (1 µs), {met(ratio >= 20)} (20 ×)")
    row("sRPC, one at a time, both sides sleep", "sleep", "one",
        lambda ratio: f"{met(trip['sleep'].median <= 15)} (15 µs)")
    row("the same, wherever the kernel puts them", "apart", "one", lambda ratio: "")
    row("gRPC, one at a time", "one", "one", lambda ratio: "")
    row("sRPC, a stream of posted calls", "stream", "many",
        lambda ratio: f"{met(ratio >= 20)} (20 ×)")
    row("gRPC, 64 calls in flight", "many", "many", lambda ratio: "")
    table.show()
