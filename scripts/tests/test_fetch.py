"""Tests of scripts/fetch against a package index on 127.0.0.1 with small wheels: what is resumed, refused, redone."""

import contextlib
import errno
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


def wheel_bytes(content):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        archive.writestr("fake-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n")
        archive.writestr("fake-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("fake-1.0.dist-info/RECORD", "")
    return buffer.getvalue()


def pinned(data):
    return Wheel("fake", "1.0", "fake-1.0-py3-none-any.whl", len(data), hashlib.sha256(data).hexdigest())


def bundle_of(wheel):
    takes = (Take(wheel, "fake/include/", "include/"), Take(wheel, "fake/lib/libfake.so", "lib/libfake.so"))
    links = (("lib/libalias.so", "libfake.so"),)
    return Bundle("fake 1.0", "fake", 400_000, takes, links, (("build-version", "1.0\n"),))


class Index(http.server.BaseHTTPRequestHandler):
    """A simple package index with one project; notes each Range header, can cut or ignore ranges."""

    data, ranges, cut, honours_ranges, lists = b"", [], None, True, True

    def do_GET(self):
        if self.path.endswith(".whl"):
            return self.wheel()
        name = f"fake-1.0-py3-none-any.whl#sha256={hashlib.sha256(self.data).hexdigest()}"
        link = f'<a href="../../files/{name}">fake</a>' if self.lists else ""
        self.answer(200, f"<html>{link}</html>".encode(), "text/html")

    def wheel(self):
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked[len("bytes=") : -1]) if asked and self.honours_ranges else 0
        body, total = self.data[start:], len(self.data)
        extra = {"Content-Range": f"bytes {start}-{total - 1}/{total}"} if start else {}
        self.answer(206 if start else 200, body, "application/zip", extra)

    def answer(self, code, body, kind, extra=None):
        self.send_response(code)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(extra or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        cut, Index.cut = (Index.cut, None) if self.path.endswith(".whl") else (None, Index.cut)
        self.wfile.write(body[:cut])

    def log_message(self, *words):
        pass


class FetchTest(unittest.TestCase):
    asks_pip = False  # pip needs half a second to list its settings

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = wheel_bytes(CONTENT)
        self.wheel = pinned(self.data)
        self.part = self.folder / (self.wheel.filename + ".part")
        Index.data, Index.ranges, Index.cut = self.data, [], None
        Index.honours_ranges = Index.lists = True
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.use_index(server.server_address[1])
        self.said = io.StringIO()
        quiet = contextlib.redirect_stderr(self.said)
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def use_index(self, port):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PIP_") and not k.lower().endswith("_proxy")}
        kept.update(PIP_INDEX_URL=f"http://127.0.0.1:{port}/simple", PIP_CONFIG_FILE=os.devnull, CI="1")
        kept.pop("LIBTORCH", None)
        change = mock.patch.dict(os.environ, kept, clear=True)
        change.start()
        self.addCleanup(change.stop)
        if not self.asks_pip:
            settings = {"index-url": os.environ["PIP_INDEX_URL"]}
            known = mock.patch.object(wheels, "pip_settings", return_value=settings)
            known.start()
            self.addCleanup(known.stop)

    def refusal(self, action, *words):
        with self.assertRaises(Refused) as caught:
            action(*words)
        return str(caught.exception)


class Downloading(FetchTest):
    def test_a_wheel_is_found_on_the_index_and_verified(self):
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertEqual(Index.ranges, [None])

    def test_a_part_is_continued_where_it_stopped(self):
        self.part.write_bytes(self.data[:1000])
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertEqual(Index.ranges, ["bytes=1000-"])
        self.assertFalse(self.part.exists())

    def test_a_connection_cut_in_the_middle_is_resumed_in_the_same_run(self):
        Index.cut = 5000
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertEqual(Index.ranges, [None, "bytes=5000-"])

    def test_a_server_without_ranges_starts_over(self):
        Index.honours_ranges = False
        self.part.write_bytes(b"x" * 1000)
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)

    def test_a_part_longer_than_the_wheel_is_dropped(self):
        self.part.write_bytes(self.data + b"more")
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertEqual(Index.ranges, [None])

    def test_a_finished_wheel_is_not_downloaded_again(self):
        wheels.get(self.wheel, self.folder)
        wheels.get(self.wheel, self.folder)
        self.assertEqual(len(Index.ranges), 1)

    def test_a_wrong_hash_is_refused_and_the_file_removed(self):
        Index.data = self.data[:-1] + b"?"
        message = self.refusal(wheels.get, self.wheel, self.folder)
        self.assertIn(self.wheel.sha256, message)
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_wheel_placed_by_hand_is_verified_too(self):
        (self.folder / self.wheel.filename).write_bytes(b"not a wheel")
        self.assertIn("pinned is", self.refusal(wheels.get, self.wheel, self.folder))
        self.assertEqual(os.listdir(self.folder), [])

    def test_too_little_space_is_refused_before_the_first_byte(self):
        with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=1000)):
            message = self.refusal(wheels.get, self.wheel, self.folder)
        self.assertIn("only 0.0 MB are free", message)
        self.assertEqual(Index.ranges, [])

    def test_a_disk_that_fills_up_is_named_and_the_part_kept(self):
        class Full(io.FileIO):
            def write(self, chunk):
                super().write(chunk[:2000])
                raise OSError(errno.ENOSPC, "No space left on device")

        with mock.patch.object(wheels, "open", Full, create=True):
            message = self.refusal(wheels.get, self.wheel, self.folder)
        self.assertIn("the disk is full", message)
        self.assertEqual(self.part.read_bytes(), self.data[:2000])
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertEqual(Index.ranges, [None, "bytes=2000-"])


class AskingPip(FetchTest):
    asks_pip = True

    def test_the_index_that_pip_is_set_to_is_used(self):
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertNotIn("pip download", self.said.getvalue())

    def test_a_variable_wins_over_pips_file_and_certificates_are_read_too(self):
        config = self.folder / "pip.conf"
        config.write_text("[global]\nindex-url = https://nowhere.invalid/simple\ncert = /etc/own.pem\n")
        os.environ["PIP_CONFIG_FILE"] = str(config)
        settings = wheels.pip_settings()
        self.assertEqual(settings["index-url"], os.environ["PIP_INDEX_URL"])
        self.assertEqual(settings["cert"], "/etc/own.pem")

    def test_offline_says_that_the_index_cannot_be_reached_and_keeps_the_part(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            self.use_index(closed.getsockname()[1])
            self.part.write_bytes(self.data[:1000])
            message = self.refusal(wheels.get, self.wheel, self.folder)
        self.assertIn("fake 1.0: the package index cannot be reached", message)
        self.assertEqual(self.part.read_bytes(), self.data[:1000])

    def test_what_the_index_page_does_not_list_is_asked_of_pip(self):
        Index.lists = False
        links = self.folder / "links"
        links.mkdir()
        (links / self.wheel.filename).write_bytes(self.data)
        os.environ["PIP_FIND_LINKS"] = str(links)
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertIn("trying `pip download`", self.said.getvalue())

    def test_a_password_in_the_index_is_left_to_pip_and_not_shown(self):
        host = os.environ["PIP_INDEX_URL"].partition("//")[2]
        os.environ["PIP_INDEX_URL"] = f"http://user:secret@{host}"
        self.assertEqual(wheels.get(self.wheel, self.folder).read_bytes(), self.data)
        self.assertNotIn("secret", self.said.getvalue())

    def test_a_python_without_pip_is_told_to_install_it(self):
        with mock.patch.object(wheels.sys, "executable", self.fake_python("No module named pip")):
            self.assertIn("pip is missing", self.refusal(wheels.get, self.wheel, self.folder))

    def fake_python(self, complaint):
        path = self.folder / "python3"
        path.write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
        path.chmod(0o755)
        return str(path)


class Installing(FetchTest):
    def setUp(self):
        super().setUp()
        self.bundle = bundle_of(self.wheel)
        self.home = self.folder / "fake"

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
        self.assertEqual(len(Index.ranges), 1)

    def check_redone(self, damage, deep=False):
        self.ensure()
        damage()
        self.ensure(deep)
        self.assertIsNone(install.fault(self.bundle, self.home, True))
        self.assertEqual(len(Index.ranges), 2)

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
        self.assertEqual(len(Index.ranges), 1)

    def test_other_pins_install_again(self):
        self.ensure()
        Index.data = wheel_bytes({**CONTENT, "fake/include/new.h": b""})
        self.bundle = bundle_of(pinned(Index.data))
        self.ensure()
        self.assertTrue((self.home / "include/new.h").exists())

    def test_too_little_space_for_the_extraction_is_refused_before_the_download(self):
        with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=len(self.data) + 1000)):
            self.assertIn("make room", self.refusal(self.ensure))
        self.assertEqual(Index.ranges, [])

    def test_a_member_that_leaves_the_folder_is_refused(self):
        for name in ("fake/include/../../../evil.h", "fake/include/a/../../b.h", "fake/include/c:\\evil"):
            with self.subTest(name):
                Index.data = wheel_bytes({**CONTENT, name: b"evil"})
                self.bundle = bundle_of(pinned(Index.data))
                self.assertIn("refused", self.refusal(self.ensure))
                self.assertFalse(self.home.exists())
                shutil.rmtree(self.folder / "wheels")

    def test_a_wheel_without_the_member_is_refused(self):
        Index.data = wheel_bytes({"fake/include/a.h": b""})
        self.bundle = bundle_of(pinned(Index.data))
        self.assertIn("holds no fake/lib/libfake.so", self.refusal(self.ensure))

    def test_a_model_is_fetched_once_and_again_when_it_changed(self):
        data = CONTENT["fake/lib/libfake.so"]
        digest = hashlib.sha256(data).hexdigest()
        model = Model("m.onnx", len(data), digest, self.wheel, "fake/lib/libfake.so")
        path = self.folder / "models/m.onnx"
        for damage, downloads in ((None, 1), (None, 1), (b"?" * len(data), 2)):
            if damage:
                path.write_bytes(damage)
            install.ensure_models([model], path.parent, self.folder)
            self.assertEqual(path.read_bytes(), data)
            self.assertEqual(len(Index.ranges), downloads)

    def test_models_of_one_wheel_are_fetched_with_one_download(self):
        models = [
            Model(f"{i}.onnx", len(CONTENT[name]), hashlib.sha256(CONTENT[name]).hexdigest(), self.wheel, name)
            for i, name in enumerate(CONTENT)
        ]
        self.assertEqual(install.ensure_models(models, self.folder / "models", self.folder), models)
        self.assertEqual(len(Index.ranges), 1)
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
