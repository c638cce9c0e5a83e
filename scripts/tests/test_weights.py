"""Tests of the rule seeded-1 in plain Python: digests that other languages must reproduce, roles, refusals."""

import hashlib
import json
import struct
import sys
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS / "parity_port"))

from parity_port import weights  # noqa: E402

TOLD = json.loads((SCRIPTS.parent / "golden/gold_yolo/weights.json").read_text())
SMALL = 20_000


class SeededWeights(unittest.TestCase):
    def test_small_tensors_have_the_recorded_digests(self):
        rows = {name: row for name, row in TOLD["tensors"].items() if 0 < len(row[0]) and max(row[0]) <= 64}
        checked = {}
        for name, (shape, digest, _, _) in rows.items():
            role = weights.role_of(name, tuple(shape)).name
            size = weights.math.prod(shape)
            if size <= SMALL and checked.get(role, 0) < 4:
                checked[role] = checked.get(role, 0) + 1
                self.assertEqual(weights.digest(name, tuple(shape), TOLD["seed"]), digest, name)
        self.assertEqual(set(checked) | {"step counter"}, {role.name for role in weights.ROLES})

    def test_a_step_counter_is_a_whole_zero(self):
        row = TOLD["tensors"]["backbone.stem.bn.num_batches_tracked"]
        self.assertEqual(row[:2], [[], hashlib.sha256(struct.pack("<q", 0)).hexdigest()])

    def test_the_first_numbers_of_a_name_are_these(self):
        self.assertEqual(hex(weights.key_of("a.weight", 0)), "0x3c5306a46cdcf2e1")
        self.assertEqual(weights.values("a.weight", (2, 3), 0)[0], -0.614814286666968)

    def test_name_and_seed_both_matter(self):
        drawn = {tuple(weights.values(name, (4,), seed)) for name in ("a.bias", "b.bias") for seed in (0, 1)}
        self.assertEqual(len(drawn), 4)

    def test_a_role_ends_a_name_at_a_dot(self):
        cases = [("x.weight", (3, 4), "weight"), ("x.weight", (3,), "scale"), ("head.cls_preds.2.bias", (20,), "class bias")]
        cases += [("not_cls_preds.2.bias", (20,), "bias"), ("a.branches.dense.bn.weight", (8,), "branch scale")]
        for name, shape, role in cases:
            self.assertEqual(weights.role_of(name, shape).name, role, name)

    def test_a_name_without_a_role_is_refused(self):
        for name, shape in (("x.gamma", (3,)), ("xbias", (3,)), ("x.bias", (3, 4))):
            with self.assertRaisesRegex(ValueError, "no role"):
                weights.role_of(name, shape)


if __name__ == "__main__":
    unittest.main()
