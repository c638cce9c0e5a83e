"""Tests of scripts/trend: what is kept of a Run, and that a ratio which creeps is told before it crosses, one that does not is silent."""

import importlib.machinery
import importlib.util
import json
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parent.parent / "trend"
loader = importlib.machinery.SourceFileLoader("trend", str(SCRIPT))
trend = importlib.util.module_from_spec(importlib.util.spec_from_loader("trend", loader))
loader.exec_module(trend)


def run(ratio, alone=0.1, outcome="agree"):
    values = {"comparison": {"values": {"max_abs": {"value": 2e-6}}}}
    compared = {"compared": {**values, "ratio": ratio, "by": {"noise": {"runs": 4}}}}
    rounded = {"compared": {**values, "ratio": 0.99, "by": "rounding"}}
    isolated = {"bounded": {"bounded": {"reference": alone, "candidate": 0.05}}}
    tensors = [
        {"name": "a", "accumulated": compared, "isolated": isolated},
        {"name": "r", "accumulated": rounded, "isolated": "exact"},
        {"name": "b", "accumulated": "tie_flip", "isolated": "exact"},
    ]
    return {
        "scenario": {"name": "s"},
        "environment": {"cpu": "C"},
        "verdict": {"outcome": outcome},
        "tensors": tensors,
        "timings": {"x": 1.5, "y": 0.25},
    }


class Trend(unittest.TestCase):
    def nights(self, *ratios, processor="C", outcome="agree"):
        lines = [trend.line(run(r, outcome=outcome), "s") for r in ratios]
        return [{**one, "processor": processor} for one in lines]

    def test_the_worst_of_both_ways_is_kept_with_its_place(self):
        kept = trend.line(run(0.4), "s")
        self.assertEqual((kept["worst"], kept["where"], kept["how"], kept["judged"]), (0.4, "a", "accumulated", 2))
        self.assertAlmostEqual(kept["floor"], 5e-6)
        self.assertEqual(kept["seconds"], 1.75)
        self.assertEqual(trend.line(run(0.1, alone=0.7), "s")["how"], "alone")
        self.assertEqual(trend.line(run("inf"), "s")["worst"], float("inf"))

    def test_what_creeps_is_told_and_what_does_not_is_silent(self):
        for ratios, creeps in [
            ((0.3, 0.3, 0.3), False),
            ((0.1, 0.1, 0.45), False),  # far from its tolerance
            ((0.4, 0.4, 0.55), True),
            ((0.6, 0.6, 0.6), False),  # as ever
            ((0.6, 0.6, 0.7), False),
            ((0.85, 0.86, 0.91), True),
            ((0.95,), False),  # nothing to hold it against
            ((0.95, 0.95), False),  # the same bits
            ((0.95, 0.96), True),
            ((0.6,), False),
        ]:
            self.assertEqual(bool(list(trend.creeps(self.nights(*ratios)))), creeps, ratios)

    def test_another_processor_is_another_history_and_a_divergence_its_own_alarm(self):
        lines = self.nights(0.2, 0.2) + self.nights(0.6, processor="D")
        self.assertEqual(trend.alert(lines), 0)
        self.assertEqual(trend.alert(lines + self.nights(0.6)), 1)
        self.assertEqual(list(trend.creeps(self.nights(0.2, outcome="agree") + self.nights(5.0, outcome="diverge"))), [])

    def test_lines_are_added_and_shown(self):
        with tempfile.TemporaryDirectory() as folder:
            history, one = Path(folder, "kept/h.jsonl"), Path(folder, "one.json")
            one.write_text(json.dumps(run(0.4)))
            for _ in range(2):
                trend.add(history, one)
            lines = trend.read(history)
            self.assertEqual(len(lines), 2)
            self.assertIn("| s | 2 | 0.400 ▄▄ | `a`, accumulated | 5.00e-06 | 1.8 |", trend.page(lines))


if __name__ == "__main__":
    unittest.main()
