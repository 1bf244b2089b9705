#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs benchmarks by name, all if none is named:  main.py [--rounds N] [NAME ...]"""

import argparse
import importlib
import pathlib
import platform
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from measure import Unmeasured  # noqa: E402

ENGINES = ["partitioned", "in-process", "onnxruntime", "pytorch"]
NAMES = ("answers", "calls", "partitioned", "first-answer", "start", "recovery", "sharing", "attest", "programs",
         "proxy", "zoo", "engine")


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in text.splitlines()
                  if line.startswith("model name")), "unknown processor")
    return f"{text.count('processor	:')} cores of {model}, Linux {platform.release()}"


def words(text):
    return text.split(",")


def numbers(text):
    return [int(word) for word in words(text)]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description="Measures Casemate with its peers beside it.")
    parser.add_argument("names", nargs="*", choices=[[], *NAMES], metavar="NAME",
                        help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--models", type=words, default=[],
                        help="of `engine`: only these, separated by commas")
    parser.add_argument("--batches", type=numbers, default=[1, 8], help="ditto")
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="ditto")
    parser.add_argument("--loads", type=int, default=5, help="ditto: processes that load each model; 0 for none")
    parser.add_argument("--engines", type=words, default=ENGINES, help=f"ditto: of {','.join(ENGINES)}")
    options = parser.parse_args()
    print(f"# {machine()}")
    failed = 0
    for name in options.names or NAMES:
        try:
            more = {"models": options.models, "batches": options.batches, "threads": options.threads,
                    "loads": options.loads, "engines": options.engines}
            importlib.import_module(name.replace("-", "_")).main(options.rounds, **(more if name == "engine" else {}))
        except Unmeasured as why:
            print(f"\n## {name}: not measured: {why}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
