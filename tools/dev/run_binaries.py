#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs test programs whole, many tests in a process, where ctest starts one for each: what a sanitizer does at
a program's start is most of what a short test costs.

    run_binaries.py BUILD [--only REGEX] [--without GTEST_PATTERN ...]

Prints what failed and what was skipped, and in the last line "TOTAL FAILED SKIPPED". What a program that crashes
had not reached counts as one failure, beside the program's own.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

SHARD = 120  # tests of a process, so that the cores end together
TIMEOUT_S = 600
SOURCE = pathlib.Path(__file__).resolve().parents[2]


def programs(build, only):
    return sorted(path for path in build.rglob("*_test")
                  if path.is_file() and os.access(path, os.X_OK) and re.search(only, path.name))


def environment(build, **more):
    return dict(os.environ, CASEMATE_SOURCE=str(SOURCE), CASEMATE_BUILD=str(build), **more)


def shards(build, program, pattern):
    """[(program, number of this shard, how many there are)]; a program that lists nothing gets one, to be heard."""
    listed = subprocess.run([program, pattern, "--gtest_list_tests"], env=environment(build), cwd=program.parent,
                            capture_output=True, text=True)
    count = sum(line.startswith("  ") for line in listed.stdout.splitlines())
    if listed.returncode == 0 and count == 0:
        return []
    many = max(1, -(-count // SHARD))
    return [(program, index, many) for index in range(many)]


def run(build, pattern, shard):
    """(tests, failed, [skipped, with its reason], what to say)."""
    program, index, many = shard
    report = build / "reports" / f"{program.name}.{index}.json"
    report.unlink(missing_ok=True)
    variables = environment(build, GTEST_TOTAL_SHARDS=str(many), GTEST_SHARD_INDEX=str(index))
    try:
        done = subprocess.run([program, pattern, f"--gtest_output=json:{report}"], env=variables, cwd=program.parent,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TIMEOUT_S, text=True, errors="replace")
        said, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        said, code = (late.stdout or b"").decode(errors="replace"), f"nothing after {TIMEOUT_S} s"
    try:
        suites = json.loads(report.read_text())["testsuites"]
    except (OSError, ValueError):
        reached = said.count("[ RUN      ]")
        return reached, 1, [], f"FAILED  {program.name} ended with {code} in a test:\n{tail(said)}"
    cases = [(f"{suite['name']}.{case['name']}", case) for suite in suites for case in suite["testsuite"]]
    failed = [name for name, case in cases if case.get("failures")]
    skipped = [f"  skipped: {program.name}.{name}: {case['skipped'][0]['message'].strip().splitlines()[-1]}"
               for name, case in cases if case.get("skipped")]
    words = "".join(f"FAILED  {program.name}.{name}\n" for name in failed)
    if failed:
        words += relevant(said)
    elif code != 0:
        return len(cases), 1, skipped, f"FAILED  {program.name} ended with {code} behind its tests:\n{tail(said)}"
    return len(cases), len(failed), skipped, words


def tail(said):
    return "\n".join(said.splitlines()[-60:])


def relevant(said):
    lines = said.splitlines()
    at = {j for i, line in enumerate(lines) if re.search(r"Failure$|ERROR: .*Sanitizer|WARNING: ThreadSanitizer", line)
          for j in range(i, i + 12)}
    return "\n".join(lines[i] for i in sorted(at) if i < len(lines))[:8000]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--without", nargs="*", default=[])
    options = parser.parse_args()
    build = options.build.resolve()
    (build / "reports").mkdir(exist_ok=True)
    pattern = "--gtest_filter=*" + ("-" + ":".join(options.without) if options.without else "")
    total = failed = 0
    skips = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        work = [shard for found in pool.map(lambda program: shards(build, program, pattern),
                                            programs(build, options.only)) for shard in found]
        for tests, bad, left, words in pool.map(lambda shard: run(build, pattern, shard), work):
            total, failed, skips = total + tests, failed + bad, skips + left
            if words:
                print(words, flush=True)
    print("\n".join(skips))
    print(total, failed, len(skips))
    return 0 if failed == 0 and total > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
