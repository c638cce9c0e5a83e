"""The table of what a port of Gold-YOLO may be left careless in: python3 -m unittest discover -s scripts/tests."""

import re
import sys
import unittest
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))

from gold.faults import CLASSES, FAITHFUL, FAULTS  # noqa: E402

LIVE, RECORDED = {"run", "steps"}, {"parameters", "fresh", "recorded", "assign", "loss", "gradients"}


class Table(unittest.TestCase):
    def test_every_class_has_two_faults_and_every_fault_a_class(self):
        found = Counter(fault.kind for fault in FAULTS)
        self.assertEqual(set(found), set(CLASSES))
        self.assertEqual({kind: count for kind, count in found.items() if count < 2}, {})

    def test_no_fault_is_twice_and_six_are_what_the_frameworks_do_otherwise(self):
        self.assertEqual(len({fault.name for fault in FAULTS}), len(FAULTS))
        self.assertGreaterEqual(sum(fault.differs for fault in FAULTS), 6)

    def test_the_port_is_careless_in_these_and_in_nothing_else(self):
        text = "".join(path.read_text() for path in (ROOT / "tests/fixtures/gold/jittor").glob("*.py"))
        self.assertEqual(set(re.findall(r'careless\("(\w+)"\)', text)), {fault.name for fault in FAULTS})

    def test_port_and_original_share_no_file(self):
        files = [{path.read_text() for path in (ROOT / "tests/fixtures/gold" / side).glob("*.py")} for side in ("torch", "jittor")]
        names = [{path.name for path in (ROOT / "tests/fixtures/gold" / side).glob("*.py")} for side in ("torch", "jittor")]
        self.assertFalse(files[0] & files[1] or names[0] & names[1])

    def test_every_check_of_a_fault_is_one_that_the_faithful_port_passes(self):
        self.assertLessEqual({check for fault in FAULTS for check in fault.found}, set(FAITHFUL))

    def test_what_shows_in_a_live_run_and_can_be_recorded_is_found_there_too(self):
        alone = {fault.name for fault in FAULTS if not set(fault.found) & RECORDED}
        # What is made of the outputs, running statistics and a step's state are in no recording.
        self.assertEqual(alone, {"best", "biased", "decay"})


if __name__ == "__main__":
    unittest.main()
