#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `./dev bench engine` computes from times, and that engines which fail leave nothing behind."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/perf/bench"))
from engines import Engine, Partitioned, alive, descendants  # noqa: E402
from measure import Unmeasured  # noqa: E402
from ratios import Ratio, geometric_mean, summary, turns  # noqa: E402

try:
    import tensors
except ImportError:  # numpy is a package of the peers alone
    tensors = None

# Engines in a few words of shell: a line when they are loaded, and one for each that they read.
WELL = 'echo warming up; echo \'{"load_ms": 1.5, "peak_kib": 7}\'; ' \
       'while read line; do echo "{\\"median_ms\\": $line, \\"written\\": 1}"; done'
# A system: a monitor of its own, which ends with its starter as PR_SET_PDEATHSIG has it.
SYSTEM = 'sleep 1000 & monitor=$!; echo "{\\"folder\\": \\"$1\\", \\"monitor\\": $monitor}"; '


def shell(text, *arguments):
    return ("bash", "-c", text, "bash", *arguments)


class Ratios(unittest.TestCase):
    def test_a_ratio_of_single_events_is_that_of_their_medians(self):
        ratio = Ratio.of_medians("m", [4.0, 1.0, 2.0], [1.0, 2.0, 8.0])
        self.assertEqual((ratio.median, ratio.rounds), (1.0, [0.5, 1.0, 1.0]))

    def test_a_ratio_is_the_median_of_the_rounds_own(self):
        ratio = Ratio("m", [1.0, 9.0, 2.0], [2.0, 3.0, 2.0])
        self.assertEqual((ratio.median, ratio.rounds), (1.0, [0.5, 1.0, 3.0]))
        self.assertEqual(ratio.text(), "1.000 (0.500–3.000)")

    def test_rounds_that_are_missing_are_no_ratio(self):
        with self.assertRaises(ValueError):
            Ratio("m", [1.0, 2.0], [1.0])

    def test_the_geometric_mean_takes_double_and_half_for_opposites(self):
        self.assertAlmostEqual(geometric_mean([0.5, 2.0]), 1.0)
        self.assertAlmostEqual(geometric_mean([0.4, 0.9]), 0.6)

    def test_a_summary_names_the_worst_and_tells_noise_from_loss(self):
        ratios = [Ratio("good", [1, 1, 1], [2, 2, 2]), Ratio("noisy", [1.1, 1.1, 0.9], [1, 1, 1]),
                  Ratio("slow", [1.5, 1.3, 1.2], [1, 1, 1])]
        self.assertEqual(summary(ratios), "geometric mean 0.894, largest 1.300 (slow), 2 of 3 above 1.00, "
                                          "1 of them in every round")
        self.assertEqual(summary([]), "nothing was measured")

    def test_a_ratio_of_one_is_not_above_one(self):
        self.assertIn("0 of 1 above 1.00", summary([Ratio("same", [1, 1], [1, 1])]))

    def test_turns_give_everybody_the_first_place_as_often(self):
        orders = list(turns("abc", 6))
        self.assertTrue(all(sorted(order) == ["a", "b", "c"] for order in orders))
        self.assertEqual(sorted(order[0] for order in orders), sorted("abc" * 2))


class Engines(unittest.TestCase):
    def test_an_engine_that_works_answers_and_ends_with_its_input(self):
        engine = Engine(shell(WELL))
        self.assertEqual(engine.loaded["load_ms"], 1.5)
        self.assertEqual(engine.run(0.25)["median_ms"], 0.25)
        engine.close()
        self.assertEqual(engine.process.returncode, 0)

    def test_an_engine_that_dies_says_why(self):
        with self.assertRaisesRegex(Unmeasured, "no such model"):
            Engine(shell("echo no such model >&2; exit 1"))
        engine = Engine(shell('echo \'{"load_ms": 1}\'; read line; echo out of memory >&2'))
        with self.assertRaisesRegex(Unmeasured, "out of memory"):
            engine.run(1)
        engine.close()

    def test_an_engine_that_does_not_answer_is_ended(self):
        begin = time.monotonic()
        with self.assertRaisesRegex(Unmeasured, "does not answer"):
            Engine(shell("exec sleep 1000"), answer_s=0.2)
        self.assertLess(time.monotonic() - begin, 20)

    def test_an_engine_may_say_much_on_the_side(self):
        engine = Engine(shell("head -c 1000000 /dev/zero >&2; " + WELL), answer_s=20)
        engine.close()

    def test_nothing_of_a_system_that_fails_is_left(self):
        folder = tempfile.mkdtemp(prefix="casemate-test-")
        ends = ["trap 'kill $monitor' EXIT; echo the model does not load >&2; exit 1",
                "trap 'kill $monitor' EXIT; echo '{\"start_ms\": 1}'; read line"]
        for end in ends:
            os.makedirs(folder, exist_ok=True)
            started = []

            class Seen(Partitioned):
                def answer(self, key):
                    found = super().answer(key)
                    started.append(found.get("monitor"))
                    return found

            try:
                Seen(shell(SYSTEM + end, folder)).close()
            except Unmeasured as why:
                self.assertIn("does not load", str(why))
            self.assertFalse(alive(started[0]))
            self.assertFalse(os.path.exists(folder))


@unittest.skipUnless(tensors, "there is no numpy here; it is in the root that ./dev bench works in")
class Tensors(unittest.TestCase):
    PORTS = [{"name": "input_ids", "type": "int64", "shape": "[batch,sequence]"},
             {"name": "position_ids", "type": "int64", "shape": "[batch,sequence]"},
             {"name": "attention_mask", "type": "int64", "shape": "[batch,total_sequence]"},
             {"name": "past.0.key", "type": "float", "shape": "[batch,12,past_sequence,64]"}]
    SYMBOLS = {"batch": 2, "sequence": 3, "past_sequence": 5, "total_sequence": 8}

    def test_made_up_inputs_have_the_extents_that_symbols_stand_for(self):
        made = tensors.made_up(self.PORTS, self.SYMBOLS)
        self.assertEqual([array.shape for array in made.values()], [(2, 3), (2, 3), (2, 8), (2, 12, 5, 64)])
        self.assertEqual(made["position_ids"].tolist(), [[5, 6, 7]] * 2)
        self.assertTrue((made["attention_mask"] == 1).all())

    def test_a_file_keeps_them_even_where_one_is_empty(self):
        made = tensors.made_up(self.PORTS, self.SYMBOLS | {"past_sequence": 0})
        with tempfile.TemporaryDirectory() as folder:
            tensors.write_tensors(f"{folder}/file", made)
            kept = tensors.read_tensors(f"{folder}/file")
        self.assertEqual(tensors.difference(kept, made), 0)
        self.assertTrue(all(kept[name].dtype == made[name].dtype for name in made))

    def test_outputs_that_are_not_the_same_are_apart(self):
        right = {0: tensors.np.array([1.0, -4.0], "float32")}
        for wrong, apart in (([1.5, -4.0], 0.125), ([float("nan"), -4.0], float("inf")), ([1.0], float("inf"))):
            self.assertEqual(tensors.difference({0: tensors.np.array(wrong, "float32")}, right), apart)
        self.assertEqual(tensors.difference({}, right), float("inf"))


class Processes(unittest.TestCase):
    def test_descendants_are_those_below_at_any_depth_with_their_peak(self):
        # Two words each, or bash would become the last program itself.
        process = subprocess.Popen(shell("(sleep 1000; true) & wait; true"), start_new_session=True)
        try:
            deadline = time.monotonic() + 10
            names = []
            while "sleep" not in names and time.monotonic() < deadline:
                found = list(descendants(process.pid))
                names = sorted(name for name, _, _ in found)
            self.assertEqual(names, ["bash", "sleep"])
            self.assertTrue(all(alive(pid) and peak > 0 for _, pid, peak in found))
            self.assertTrue(alive(process.pid))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.assertFalse(alive(process.pid))


if __name__ == "__main__":
    unittest.main()
