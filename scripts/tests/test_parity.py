"""Tests of scripts/parity with a stand-in for cargo: when it builds, from where it runs, what it says is missing."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

PARITY = Path(__file__).resolve().parent.parent / "parity"
CARGO = """#!/bin/sh
echo "$@" >> builds
mkdir -p ${CARGO_TARGET_DIR:-target}/release && cd ${CARGO_TARGET_DIR:-target}/release
printf '#!/bin/sh\\necho "$PWD" "$@"\\nexit 4\\n' > parity
cp parity parity-engine && chmod +x parity parity-engine
"""


class Parity(unittest.TestCase):
    def setUp(self):
        self.root = Path(os.path.realpath(tempfile.mkdtemp()))
        self.addCleanup(shutil.rmtree, self.root)
        for folder in ("scripts", "src", "tools", "elsewhere", "models", ".native/libtorch", ".native/onnxruntime"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "Cargo.toml").touch()
        shutil.copy(PARITY, self.root / "scripts/parity")
        for name in ("scripts/setup", "scripts/fetch_models", "tools/cc", "tools/c++"):
            self.program(name, "#!/bin/sh\n")
        self.program("tools/cargo", CARGO)

    def program(self, name, text):
        (self.root / name).write_text(text)
        (self.root / name).chmod(0o755)

    def parity(self, *words, cwd="", **change):
        own = ("CARGO_TARGET_DIR", "LIBTORCH", "ORT_DYLIB_PATH", "CC", "CXX")
        kept = {name: value for name, value in os.environ.items() if name not in own}
        kept["PATH"] = f"{self.root / 'tools'}:/usr/bin:/bin"
        return subprocess.run(
            [self.root / "scripts/parity", *words],
            cwd=self.root / cwd, env={**kept, **change},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True,
        )  # fmt: skip

    def builds(self):
        log = self.root / "builds"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def test_what_is_built_is_what_the_lock_file_says(self):
        self.parity()
        self.assertIn("--locked", (self.root / "builds").read_text())

    def test_the_first_use_builds_and_later_ones_do_not(self):
        for _ in range(3):
            done = self.parity("run", "a b.toml")
            self.assertEqual((done.returncode, done.stdout), (4, f"{self.root} run a b.toml\n"), done.stderr)
        self.assertEqual(self.builds(), 1)

    def test_an_edited_an_added_and_a_removed_source_build_again(self):
        self.parity()
        source = self.root / "src/main.rs"
        for count, change in enumerate((source.touch, lambda: source.write_text("x"), source.unlink), 2):
            change()
            self.parity()
            self.assertEqual(self.builds(), count)

    def test_missing_libraries_or_models_are_fetched_again(self):
        self.parity()
        for count, name in enumerate(("models", ".native/libtorch", ".native/onnxruntime"), 2):
            (self.root / name).rmdir()
            self.parity()
            self.assertEqual(self.builds(), count)
            (self.root / name).mkdir()

    def test_it_runs_where_the_caller_is(self):
        self.assertEqual(self.parity("x", cwd="elsewhere").stdout, f"{self.root / 'elsewhere'} x\n")

    def test_a_link_to_it_finds_the_project(self):
        os.symlink(self.root / "scripts/parity", self.root / "elsewhere/parity")
        tools = {"PATH": f"{self.root}/tools:/usr/bin:/bin"}
        done = subprocess.run([self.root / "elsewhere/parity"], env=tools, stdout=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 4)

    def test_the_target_folder_of_cargo_is_honoured(self):
        self.assertEqual(self.parity(CARGO_TARGET_DIR="other").returncode, 4)
        self.assertTrue((self.root / "other/release/parity").exists())

    def test_a_failed_build_is_exit_3_and_tried_again(self):
        self.program("tools/cargo", "#!/bin/sh\necho built >> builds\nexit 101\n")
        self.assertEqual([self.parity().returncode for _ in range(2)], [3, 3])
        self.assertEqual(self.builds(), 2)

    def test_a_missing_toolchain_is_named_with_the_way_to_get_it(self):
        (self.root / "tools/cargo").unlink()
        done = self.parity()
        self.assertEqual(done.returncode, 3)
        self.assertIn("cargo is missing; install Rust from https://rustup.rs", done.stderr)
        self.program("tools/cargo", CARGO)
        self.assertIn("no-such-g++ is missing", self.parity(CXX="no-such-g++ -m64").stderr)

    def test_only_the_program_itself_writes_to_stdout(self):
        self.program("scripts/setup", "#!/bin/sh\necho chatter\n")
        self.assertEqual(self.parity().stdout, f"{self.root}\n")


if __name__ == "__main__":
    unittest.main()
