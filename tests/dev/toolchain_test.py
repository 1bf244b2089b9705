#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which toolchain root is used, made, made again and dropped, without packages and without a network.

The scripts are those of the tree, but for make_root.sh, whose part a few lines play that make empty
programs.
"""
import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MONTH_S = 30 * 86400
FAKE = """#!/usr/bin/env bash
set -e
echo made >>"$(dirname "$0")/made"
mkdir -p "$1/usr/bin"
for program in bash g++-14 ld cmake ninja ccache clang++-19 clang-format-19 protoc python3 git; do
  [ "$program" = "${WITHOUT:-}" ] || { : >"$1/usr/bin/$program"; chmod +x "$1/usr/bin/$program"; }
done
if [ -n "${INTERRUPTED:-}" ]; then exit 3; fi
"""


@contextlib.contextmanager
def somebody_inside(root):
    with open(root / ".complete") as stamp:
        fcntl.flock(stamp, fcntl.LOCK_SH)
        yield


def age(root, seconds):
    then = time.time() - seconds
    os.utime(root / ".complete", (then, then))


class Scratch(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="casemate-dev-")
        self.addCleanup(folder.cleanup)
        # What a home folder may be called.
        self.home = pathlib.Path(folder.name) / "d'Arc & co"
        self.tools = self.home / "tools"
        self.roots = self.home / "roots"
        self.tools.mkdir(parents=True)
        shutil.copy(ROOT / "tools/toolchain.sh", self.tools)
        (self.tools / "packages.base").write_text("# a list\n\nninja-build\ncmake\n")
        (self.tools / "packages.peers").write_text("crun\n")
        (self.tools / "make_root.sh").write_text(FAKE)
        (self.tools / "make_root.sh").chmod(0o755)

    def run_script(self, *command, **environment):
        environment = dict(os.environ, CASEMATE_ROOTS=str(self.roots)) | environment
        return subprocess.run(command, cwd=self.home, env=environment, text=True, capture_output=True)

    def toolchain(self, kind="base", **environment):
        return self.run_script(self.tools / "toolchain.sh", kind, **environment)

    def root(self, kind="base", **environment):
        done = self.toolchain(kind, **environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        root = pathlib.Path(done.stdout.rstrip("\n"))
        self.assertTrue((root / "usr/bin/g++-14").exists(), root)
        return root

    def made(self):
        path = self.tools / "made"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def change_list(self):
        with open(self.tools / "packages.base", "a") as out:
            out.write("git\n")


class Toolchain(Scratch):
    def test_a_root_is_made_once_for_one_list(self):
        self.assertEqual(self.root(), self.root())
        self.assertEqual(self.made(), 1)

    def test_a_comment_in_the_list_makes_no_other_root(self):
        root = self.root()
        (self.tools / "packages.base").write_text("# another list\nninja-build\ncmake\n")
        self.assertEqual(self.root(), root)

    def test_a_changed_list_or_rule_makes_another_root_and_leaves_the_first(self):
        first = self.root()
        self.change_list()
        second = self.root()
        with open(self.tools / "make_root.sh", "a") as out:
            out.write("# another rule\n")
        self.assertEqual(len({first, second, self.root()}), 3)
        self.assertTrue((first / ".complete").exists())

    def test_peers_have_a_root_of_their_own(self):
        self.assertTrue(self.root("peers").name.startswith("peers-"))
        self.assertTrue(self.root().name.startswith("base-"))

    def test_a_root_without_a_stamp_is_made_again(self):
        root = self.root()
        (root / ".complete").unlink()
        (root / "left").touch()
        self.assertEqual(self.root(), root)
        self.assertEqual(self.made(), 2)
        self.assertFalse((root / "left").exists())

    def test_a_root_with_another_lists_stamp_is_made_again(self):
        root = self.root()
        (root / ".complete").write_text("0123456789abcdef")
        self.assertEqual(self.root(), root)
        self.assertEqual(self.made(), 2)

    def test_a_root_that_lacks_a_program_is_made_again(self):
        for count, program in enumerate(("g++-14", "cmake", "ninja", "clang-format-19", "ld", "python3"), 2):
            (self.root() / "usr/bin" / program).unlink()
            self.root()
            self.assertEqual(self.made(), count, program)

    def test_an_interrupted_root_is_no_root_and_leaves_nothing(self):
        self.assertEqual(self.toolchain(INTERRUPTED="1").returncode, 3)
        self.assertFalse(list(self.roots.glob("*/.complete")))
        self.root()
        self.assertEqual(self.made(), 2)
        self.assertFalse(list(self.roots.glob("*.half")))

    def test_packages_without_a_needed_program_are_named(self):
        done = self.toolchain(WITHOUT="ninja")
        self.assertEqual(done.returncode, 3)
        self.assertIn("lacks one of", done.stderr)

    def test_a_relative_folder_of_roots_is_answered_from_the_top(self):
        self.assertTrue(self.root(CASEMATE_ROOTS="some where").is_absolute())


class Dropping(Scratch):
    def other(self):
        self.change_list()
        return self.root()

    def test_a_root_that_nobody_has_entered_for_a_month_is_dropped(self):
        old = self.root()
        age(old, MONTH_S + 2 * 86400)
        self.other()
        self.assertFalse(old.exists())

    def test_one_that_was_entered_since_is_kept_however_old_it_is(self):
        old = self.root()
        long_ago = time.time() - 10 * MONTH_S
        os.utime(old, (long_ago, long_ago))
        age(old, MONTH_S - 2 * 86400)
        self.other()
        self.assertTrue(old.exists())

    def test_finding_a_root_counts_as_entering(self):
        old = self.root()
        age(old, 10 * MONTH_S)
        self.root()
        self.other()
        self.assertTrue(old.exists())

    def test_one_that_somebody_is_in_is_kept(self):
        old = self.root()
        age(old, 10 * MONTH_S)
        with somebody_inside(old):
            self.other()
        self.assertTrue((old / ".complete").exists())

    def test_what_is_left_of_one_that_was_being_dropped_is_dropped(self):
        old = self.root()
        (old / ".complete").unlink()
        self.other()
        self.assertFalse(old.exists())

    def test_a_damaged_one_that_somebody_is_in_is_not_taken_from_him(self):
        root = self.root()
        (root / "usr/bin/ld").unlink()
        with somebody_inside(root):
            done = self.toolchain()
        self.assertEqual(done.returncode, 3)
        self.assertIn("somebody works in it", done.stderr)
        self.assertTrue((root / "usr/bin/g++-14").exists())


class Refusals(Scratch):
    def test_a_machine_whose_apt_names_no_debian_mirror_is_told_what_to_do(self):
        programs = self.home / "programs"
        programs.mkdir()
        for name in ("apt-get", "dpkg-deb"):
            (programs / name).write_text("#!/bin/sh\n")
            (programs / name).chmod(0o755)
        environment = {key: value for key, value in os.environ.items() if key != "CASEMATE_DEBIAN_MIRROR"}
        done = subprocess.run([ROOT / "tools/make_root.sh", self.home / "half", self.home / "apt", "none"],
                              env=environment | {"PATH": f"{programs}:{os.environ['PATH']}"},
                              text=True, capture_output=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("names no Debian mirror: set CASEMATE_DEBIAN_MIRROR", done.stderr)


class Entering(Scratch):
    def test_links_to_the_commands_lead_to_their_checkout(self):
        (self.home / "dev").symlink_to(ROOT / "dev")
        done = self.run_script(self.home / "dev", "setup", CASEMATE_INSIDE="/a root")
        self.assertEqual((done.returncode, done.stdout), (0, "the toolchain is ready: /a root\n"), done.stderr)

    def enter(self, folder, *command):
        root = os.environ.get("CASEMATE_INSIDE", "")
        if not root:
            self.skipTest("this machine needs no toolchain root")
        done = self.run_script(ROOT / "tools/enter.sh", root, folder, *command)
        if "refuses user namespaces" in done.stderr:
            self.skipTest("this machine refuses user namespaces here")
        return done

    def test_whoever_is_inside_holds_the_stamp_and_has_touched_it(self):
        stamp = pathlib.Path(os.environ.get("CASEMATE_INSIDE", "/")) / ".complete"
        began = time.time() - 1
        done = self.enter(self.home, "flock", "-n", "-x", str(stamp), "true")
        self.assertEqual(done.returncode, 1, done.stderr)
        if os.access(stamp, os.W_OK):  # else it is another user's
            self.assertGreaterEqual(stamp.stat().st_mtime, began)

    def test_paths_mean_the_same_inside(self):
        for folder in (str(self.home), "/", "/etc", "/var", "/tmp", "/dev/shm"):
            done = self.enter(folder, "sh", "-c", "cd . && echo \"$PWD\"")
            self.assertEqual(done.stdout, folder + "\n", done.stderr)

    def test_a_folder_that_is_another_one_inside_is_refused(self):
        done = self.enter("/proc/self/fdinfo", "true")  # each process has one of its own there
        self.assertEqual(done.returncode, 3)
        self.assertIn("cannot be reached in the toolchain root", done.stderr)


if __name__ == "__main__":
    unittest.main()
