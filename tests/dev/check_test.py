#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How ./dev check counts: what ctest prints, and what it does not print, as numbers."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = """
set -euo pipefail
passed=0 failed=0 skipped=0
fail() { failed=$((failed + 1)); printf 'FAILED  %s\\n' "$1"; }
. "$SOURCE/tools/dev/count_tests.sh"
count_tests release -R something
printf '%d passed, %d failed, %d skipped\\n' "$passed" "$failed" "$skipped"
"""
SKIPPED = """
100% tests passed, 0 tests failed out of 7

Total Test time (real) =   0.10 sec

The following tests did not run:
\t  3 - base_test.Old.kernel_is_too_old (Skipped)
\t  5 - base_test.Switched.off_by_hand (Disabled)

"""
LOG = """3/7 Testing: base_test.Old.kernel_is_too_old
3/7 Test: base_test.Old.kernel_is_too_old
Output:
[ RUN      ] Old.kernel_is_too_old
/a/file_test.cc:42: Skipped
this kernel is older than 6.3

[  SKIPPED ] Old.kernel_is_too_old (0 ms)
"""


class Counting(unittest.TestCase):
    def count(self, printed, log=""):
        with tempfile.TemporaryDirectory(prefix="casemate-dev-") as name:
            folder = pathlib.Path(name)
            (folder / "ctest").write_text(f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\nexit 8\n")
            (folder / "ctest").chmod(0o755)
            temporary = folder / "build/release/Testing/Temporary"
            temporary.mkdir(parents=True)
            (temporary / "LastTest.log").write_text(log)
            environment = dict(os.environ, SOURCE=str(ROOT), PATH=f"{folder}:{os.environ['PATH']}")
            done = subprocess.run(["bash", "-c", COUNT], cwd=folder, env=environment, text=True, capture_output=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            return done.stdout.splitlines()

    def test_all_passed(self):
        self.assertEqual(self.count("100% tests passed, 0 tests failed out of 12")[-1], "12 passed, 0 failed, 0 skipped")

    def test_some_failed(self):
        lines = self.count("80% tests passed, 1 tests failed out of 5\n\nThe following tests FAILED:\n\t 4 - bad (Failed)")
        self.assertEqual(lines[-1], "4 passed, 1 failed, 0 skipped")
        self.assertIn("\t 4 - bad (Failed)", lines)

    def test_what_was_skipped_has_not_passed_and_says_why(self):
        lines = self.count(SKIPPED, LOG)
        self.assertEqual(lines[-1], "5 passed, 0 failed, 2 skipped")
        self.assertIn("  skipped: base_test.Old.kernel_is_too_old: this kernel is older than 6.3", lines)

    def test_tests_that_did_not_run_are_a_failure(self):
        for printed in ("", "ctest: error while loading shared libraries", "No tests were found!!!"):
            lines = self.count(printed)
            self.assertIn("FAILED  tests of release did not run", lines)
            self.assertEqual(lines[-1], "0 passed, 1 failed, 0 skipped")


if __name__ == "__main__":
    unittest.main()
