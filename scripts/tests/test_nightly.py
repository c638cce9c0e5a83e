"""Tests of scripts/nightly: its order, its verdicts and its one exit code."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

NIGHTLY = Path(__file__).resolve().parent.parent / "nightly"


class Nightly(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / "d").mkdir()

    def add(self, name, text, mode=0o755):
        (self.folder / "d" / name).write_text(text)
        (self.folder / "d" / name).chmod(mode)

    def run_nightly(self, *words):
        call = [sys.executable, NIGHTLY, "--from", self.folder / "d", "--logs", self.folder / "logs", *words]
        return subprocess.run(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)

    def test_all_passed_is_exit_0_with_a_log_each(self):
        self.add("2_two", "#!/bin/sh\necho second\n")
        self.add("1_one", "#!/bin/sh\necho first\n")
        done = self.run_nightly()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(done.stdout.index("1_one"), done.stdout.index("2_two"))
        self.assertEqual((self.folder / "logs/2_two.log").read_text(), "second\n")

    def test_a_failure_is_exit_1_and_the_rest_still_runs(self):
        self.add("1_bad", "#!/bin/sh\necho broken\nexit 7\n")
        self.add("2_good", "#!/bin/sh\n")
        done = self.run_nightly()
        self.assertEqual(done.returncode, 1)
        self.assertIn("failed: exit 7", done.stdout)
        self.assertIn("broken", done.stderr)
        self.assertRegex(done.stdout, r"2_good +passed")

    def test_a_whole_night_is_kept_as_a_page_with_every_verdict(self):
        self.add("1_bad", "#!/bin/sh\nexit 7\n")
        self.add("2_good", "#!/bin/sh\n")
        kept = self.folder / "docs/NIGHTLY.md"
        self.assertEqual(self.run_nightly("--page", kept).returncode, 1)
        text = kept.read_text()
        self.assertIn("1 of 2 entries passed in 0 minutes", text)
        self.assertRegex(text, r"\| `1_bad` \| failed: exit 7 \| 0\.0 \| 0\.0 \|\n\| `2_good` \| passed \| 0\.0 \| 0\.0 \|")
        self.assertEqual([p.name for p in kept.parent.iterdir()], ["NIGHTLY.md"])

    def test_a_night_that_was_cut_short_goes_on_where_it_was(self):
        self.add("1_once", "#!/bin/sh\necho ran >>%s/count\n" % self.folder)
        self.add("2_late", "#!/bin/sh\ntest -e %s/ready\n" % self.folder)
        self.assertEqual(self.run_nightly("--resume").returncode, 1)
        (self.folder / "ready").touch()
        kept = self.folder / "page"
        self.assertEqual(self.run_nightly("--resume", "--page", kept).returncode, 0)
        self.assertEqual((self.folder / "count").read_text(), "ran\n")
        self.assertIn("2 of 2 entries passed in 0 minutes (240 at most; 0 of processor time) in 2 goes", kept.read_text())
        self.assertEqual(self.run_nightly().returncode, 0)
        self.assertEqual((self.folder / "count").read_text(), "ran\nran\n")

    def test_nothing_to_run_is_exit_4(self):
        self.assertEqual(self.run_nightly().returncode, 4)
        os.rmdir(self.folder / "d")
        self.assertEqual(self.run_nightly().returncode, 4)

    def test_an_entry_that_cannot_be_started_has_failed(self):
        self.add("1_plain", "#!/bin/sh\n", 0o644)
        self.add("2_odd", "#!/no/such/program\n")
        self.add("3_killed", "#!/bin/sh\nkill -9 $$\n")
        done = self.run_nightly()
        self.assertEqual(done.returncode, 1)
        for verdict in ("not executable", "could not be started", "killed by signal 9"):
            self.assertIn(verdict, done.stdout)

    def test_list_names_the_entries_and_runs_none(self):
        self.add("1_bad", "#!/bin/sh\nexit 7\n")
        done = self.run_nightly("--list")
        self.assertEqual((done.returncode, done.stdout), (0, "1_bad\n"))


if __name__ == "__main__":
    unittest.main()
