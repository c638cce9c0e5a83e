"""Tests of scripts/others: one rule judges what every tool says, and what it says is read as a user reads it."""

import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.append(str(SCRIPTS))

from others import Said, lines, tools, verdict  # noqa: E402

AT_MODULE = """DIVERGE at module 'stem.norm' (BatchNorm2d), network.py:20: the graph computes another function here
  tensor      'stem.norm' [1, 8, 18, 18], in the candidate 'getitem'
  reference   'pad.pad()', 'stem.conv', 'stem.norm'
  candidate   'node_Conv_110'
"""
BETWEEN = """Divergence: 12 of 22 layers exceed tolerance (rtol=0.0001, atol=0.0001). First: 'encoder.attention.out' (Linear)
The first diverging layer already receives different inputs: the error entered between layers (functional ops, residual adds, glue code).
"""


class Rule(unittest.TestCase):
    def test_what_a_tool_says_first_is_held_against_the_module_that_is_no_longer_the_same(self):
        for said, culprit, expected in (
            (None, "pad", "could not run"),
            (Said(False), None, "agrees"),
            (Said(False), "pad", "nothing"),
            (Said(True, ("pad",)), None, "false alarm"),
            (Said(True), "pad", "output only"),
            (Said(True, ("pad",)), "pad", "culprit"),
            (Said(True, ("",)), "", "culprit"),
            (Said(True, ("norm", "conv", "pad")), "pad", "among 3"),
            (Said(True, ("norm", "conv")), "pad", "other place"),
            (Said(True, ("padding",)), "pad", "other place"),
            (Said(True, ("attention.out",)), "attention", "a part"),
            (Said(True, ("attention.out",), in_front=True), "attention", "in front"),
            (Said(True, ("merge",), in_front=True), "", "in front"),
            (Said(True, ("merge",)), "", "other place"),
            (Said(True, ("merge",), in_front=True), "attention", "other place"),
            (Said(True, ("attention",)), "attention.out", "other place"),
        ):
            self.assertEqual(verdict(said, culprit), expected, (said, culprit))


class Reading(unittest.TestCase):
    def test_parity_names_a_module_first_and_the_others_of_its_stretch(self):
        for text, expected in (
            ("AGREE: the graph computes what was recorded", Said(False)),
            (AT_MODULE, Said(True, ("stem.norm", "stem.conv", "pad"))),
            ("DIVERGE at the model itself (Network): another function\n  reference   'cubic.interpolate()', 'mul()'\n", Said(True, ("", "cubic"))),
            ("DIVERGE somewhere in front of 'act': one of 9 nodes\n  reference   'act'\n", Said(True, ("act",))),
            ("DIVERGE first at tensor 'a.softmax()' of node 'a.softmax()' (Softmax); own fault not tested\n", Said(True, ("a",))),
            ("DIVERGE in the outputs\n", Said(True)),
            ("parity: no such file", None),
        ):
            self.assertEqual(tools.parity(text, Path()), expected, text)

    def test_localize_divergence_names_a_layer_or_what_lies_in_front_of_it(self):
        self.assertEqual(tools.localize("No divergence: all 22 layers within tolerance", Path()), Said(False))
        self.assertEqual(tools.localize(BETWEEN, Path()), Said(True, ("encoder.attention.out",), True))
        self.assertEqual(tools.localize(BETWEEN.splitlines()[0], Path()), Said(True, ("encoder.attention.out",)))
        self.assertIsNone(tools.localize("", Path()))

    def test_polygraphy_lists_outputs(self):
        failed = "[E]     FAILED | simple | Mismatched outputs: ['boxes', 'scores']\n"
        self.assertEqual(tools.mismatched(failed), ["boxes", "scores"])
        self.assertEqual(tools.outputs(failed, Path()), Said(True))
        self.assertEqual(tools.outputs("[I] PASSED | Runtime: 1.5s", Path()), Said(False))
        self.assertIsNone(tools.outputs("[!] Could not find file", Path()))

    def test_a_module_is_told_from_a_function_in_its_code_and_from_a_later_call(self):
        for tensor, module in (("up.interpolate()", "up"), ("mul()", ""), ("act:1", "act"), ("a.b.mul():2", "a.b"), ("a.b (gate)", "a.b"), ("a.b", "a.b")):
            self.assertEqual(tools.module(tensor), module)


class Lines(unittest.TestCase):
    def test_docstring_comments_and_empty_lines_are_no_code(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "a.py")
            path.write_text('"""What it is."""\n\nimport os  # why\n# a comment\n\n\ndef f():\n    # another\n    return os\n')
            self.assertEqual(lines(path), 3)

    def test_every_file_of_a_tool_is_there(self):
        for tool in (*tools.EXPORTS, *tools.MODULES):
            for name in tool.files:
                self.assertGreater(lines(tools.SNIPPETS / name), 0)


if __name__ == "__main__":
    unittest.main()
