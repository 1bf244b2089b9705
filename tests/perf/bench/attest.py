# SPDX-License-Identifier: Apache-2.0
"""What it costs to know whom one talks to: evidence that is reused against evidence for each client,
and how many verified connections a second one core makes, both ends on it."""

from measure import BIN, Spread, Table, Unmeasured, met, run_one
from ratios import Ratio, turns

PROGRAM = BIN / "casemate-perf-attest"
ROOTS = ("software", "tpm")
TIMES_LESS = 4  # Temper's figure
TOTAL_MS = 5
PER_SECOND = 300
CLIENTS = 200  # of each run
QUOTED = ("evidence-fresh", "connect-fresh")  # modes in which the root signs for each client
SLOW_CLIENTS = 20  # of those, where a quote takes long
EVIDENCE = {
    "evidence-fresh": "a quote and a token for each client",
    "evidence-first": "reused, and the client sees it for the first time",
    "evidence-proof": "reused and seen before, and a token for the client's nonce",
    "evidence-known": "reused and seen before",
}
CONNECTIONS = {
    "connect-tls": "TLS 1.3 alone, nothing verified",
    "connect-fresh": "a quote for each client",
    "connect-first": "reused evidence, a client that knows nothing, and a proof",
    "connect-known": "reused evidence, a client that has been there before",
}


def measured(root, modes, rounds):
    """{mode: [result of each round]}; the modes take turns."""
    results = {mode: [] for mode in modes}
    for order in turns(modes, rounds):
        for mode in order:
            slow = root != "software" and mode in QUOTED
            results[mode].append(run_one(PROGRAM, root, mode, SLOW_CLIENTS if slow else CLIENTS))
    return results


def totals(results):
    return [result["server_ms"] + result["client_ms"] for result in results]


def spread(results, key):
    return Spread([result[key] for result in results]).text(3)


def show_evidence(root, rounds):
    results = measured(root, EVIDENCE, rounds)
    fresh = totals(results["evidence-fresh"])
    table = Table(f"Evidence of one client, root {root}: ms, median (least–largest) of {rounds} rounds",
                  ("what", "server", "client", "total", "times less in total than fresh"))
    for mode, what in EVIDENCE.items():
        total = totals(results[mode])
        table.add(what, spread(results[mode], "server_ms"), spread(results[mode], "client_ms"),
                  Spread(total).text(3), Ratio(mode, fresh, total).text())
    table.show()
    known = Ratio("known", fresh, totals(results["evidence-known"])).median
    first = Ratio("first", fresh, totals(results["evidence-first"])).median
    worst = max(Spread(totals(results[mode])).median for mode in EVIDENCE)
    print(f"\nat least {TIMES_LESS} times less: {met(known >= TIMES_LESS)} by a client that has been there before "
          f"({known:.1f}), {met(first >= TIMES_LESS)} by one that has not ({first:.1f})")
    if root == "software":
        print(f"at most {TOTAL_MS} ms in total, whichever: {met(worst <= TOTAL_MS)} ({worst:.2f} ms)")


def show_connections(root, rounds):
    results = measured(root, CONNECTIONS, rounds)
    table = Table(f"Connections of one client after the other, root {root}: server and client on one core",
                  ("what", "per second", "server, ms", "client, ms"))
    for mode, what in CONNECTIONS.items():
        rate = Spread([result["per_second"] for result in results[mode]])
        table.add(what, rate.text(0), spread(results[mode], "server_ms"), spread(results[mode], "client_ms"))
    table.show()
    for mode in ("connect-known", "connect-first"):
        rate = Spread([result["per_second"] for result in results[mode]]).median
        print(f"{CONNECTIONS[mode]}: at least {PER_SECOND} a second on one core: {met(rate >= PER_SECOND)} ({rate:.0f})")


def main(rounds):
    found = 0
    for root in ROOTS:
        try:
            sizes = run_one(PROGRAM, root, "sizes", 1)
        except Unmeasured as why:
            print(f"\nroot {root}: not measured: {why}")
            continue
        found += 1
        show_evidence(root, rounds)
        show_connections(root, rounds)
        print(f"\nfirst message of a client: {sizes['hello_hybrid']} bytes with X25519MLKEM768, "
              f"{sizes['hello_classical']} with X25519; evidence: {sizes['evidence']} bytes")
    if found == 0:
        raise Unmeasured("no root can be opened here")
