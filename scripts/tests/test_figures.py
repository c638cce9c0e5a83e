"""Tests of scripts/figures: a figure that the command prints otherwise is named, what a clock or a processor decides is not."""

import re
import sys
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.append(str(SCRIPTS))

from figures import differences, tables  # noqa: E402

AGREE = "agree: {} (20 of 20 cases compared, {} numbers, {} tie flips, 52 rows on a kink, {} relations)"
# For each table: a line of the page, what the command prints for it, and how it prints that where an excepted figure differs.
CASES = (
    (
        "| arithmetic     | 4130    | 2.00         | 0.50          | 0.50          | 2.00   | 1       | Mul.48 (Mul) |",
        "| arithmetic | 4130    | 2.00         | 0.50          | 0.50          | 2.00   | 1       | Mul.48 (Mul) |",
        "| arithmetic | 4130    | 1.98         | 0.49          | 0.50          | 2.04   | 7       | Add.1 (Add)  |",
    ),
    (
        "| `a`, `b_2` | one 1.2 | 52, 43 | words, 7 of them |",
        "scenarios/real/a.toml seed 0: coverage    52 of 52 tensors compared (100.0 %), 9 s\nscenarios/real/b_2.toml seed 0: coverage    40 of 43 tensors",
        "scenarios/real/a.toml seed 0: coverage    51 of 52 tensors compared (98.1 %), 5 s\nscenarios/real/b_2.toml seed 0: coverage    43 of 43 tensors",
    ),
    ("| minilm | 1.8 GiB | 638 MiB | 1.22 |", "| minilm | 1.8 GiB | 638 MiB | 1.22 |", "| minilm | 1.8 GiB | 1507 MiB | 1.02 |"),
    (
        "| `pad_side-dynamo` | `pad` | among 3: `a`, `pad`, `b` | nothing | 1.5 / 2.0 |\n| `relu-legacy` | `act` | culprit: `act` | nothing | 3.0 / 1.0 |",
        "| `pad_side-dynamo` | `pad` | among 3: `a`, `pad`, `b` | nothing | 1.5 / 2.0 |",
        "| `pad_side-dynamo` | `pad` | among 3: `a`, `pad`, `b` | nothing | 2.5 / 12.0 |",
    ),
    (AGREE.format("atss", 645, 0, 21), AGREE.format("atss", 645, 0, 21), AGREE.format("atss", 640, 3, 19) + "\nagree: atss, onnxruntime (9 of 9 cases"),
    (AGREE.format("iou", 645, 0, 21), AGREE.format("iou", 645, 0, 21), AGREE.format("iou", 645, 0, 21) + "\n" + AGREE.format("atss", 8, 0, 2)),
    ("    37      1  atss other-constant@/a/b.f64=1e-9", " 37  1  atss other-constant@/a/b.f64=1e-9", "     37      1  atss other-constant@/a/b.f64=1e-9"),
)


class Figures(unittest.TestCase):
    def test_every_table_is_tried_here_and_stands_on_its_page_with_the_command_that_prints_it(self):
        self.assertEqual(len(tables.ALL), len(CASES))
        for table in tables.ALL:
            page = (SCRIPTS.parent / table.page).read_text()
            self.assertTrue(table.shown(page), table.page)
            self.assertTrue(f"`{table.command}`" in page, f"{table.page} does not say `{table.command}`")

    def test_what_is_printed_as_it_is_shown_is_no_difference_nor_is_what_is_excepted(self):
        for table, (page, *printed) in zip(tables.ALL, CASES):
            for output in printed:
                self.assertEqual(differences(table, f"words\n\n{page}\n", f"more words\n{output}\n"), [], table.page)

    def test_every_figure_that_is_printed_otherwise_is_named(self):
        for table, (page, printed, _) in zip(tables.ALL, CASES):
            for name, figures in table.printed(printed).items():
                for figure in re.findall(r"\d+", figures):
                    changed = re.sub(rf"\b{figure}\b", str(int(figure) + 1), printed)
                    wrong = differences(table, page, changed)
                    self.assertTrue(any(f": {name}: " in line and " on the page, " in line for line in wrong), (table.page, figure, wrong))

    def test_a_row_more_or_fewer_is_a_difference_and_so_is_no_row_at_all(self):
        for table, (page, printed, _) in zip(tables.ALL, CASES):
            self.assertIn("no row on the page", differences(table, "", printed)[0])
            self.assertIn("no row printed", differences(table, page, "")[0])
            self.assertIn("no figure is shown", differences(table, "", "")[0])


if __name__ == "__main__":
    unittest.main()
