"""Chromium over its own pipe: messages are JSON, each ended by a NUL byte; what the page complains of is kept."""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
ANSWER = 60.0


class Broken(Exception):
    """What the page or the browser says is wrong."""


def find() -> str:
    """The browser, or a refusal that says how it is installed."""
    named = os.environ.get("PARITY_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        sys.exit("pages: no Chromium is on PATH: apt-get install chromium, or name one in PARITY_CHROMIUM")
    return found


class Browser:
    """One page at a time."""

    def __init__(self, folder: Path):
        to_browser, from_us = os.pipe()
        to_us, from_browser = os.pipe()
        arguments = [
            find(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
            "--no-first-run", f"--user-data-dir={folder}", "about:blank",
        ]

        def pipes() -> None:
            # The browser reads what it is asked from descriptor 3 and answers on 4; both are moved away first, because they may lie there.
            reading, writing = os.dup(to_browser), os.dup(from_browser)
            os.dup2(reading, 3)
            os.dup2(writing, 4)

        self.process = subprocess.Popen(
            arguments, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self.out, self.read, self.buffer = from_us, to_us, b""
        self.asked, self.complaints, self.loaded, self.session = 0, [], False, None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        # What the page's own thread computes: a busy machine is no slow page.
        self.ask("Performance.enable", timeDomain="threadTicks")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.out)
        os.close(self.read)

    def message(self, until: float) -> dict:
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.read], [], [], max(0.0, until - time.monotonic()))
            part = os.read(self.read, 1 << 20) if ready else b""
            if not part:
                raise Broken("the browser does not answer")
            self.buffer += part
        first, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(first)

    def ask(self, method: str, **params: object) -> dict:
        self.asked += 1
        number = self.asked
        request = {"id": number, "method": method, "params": params}
        if self.session:
            request["sessionId"] = self.session
        os.write(self.out, json.dumps(request).encode() + b"\0")
        until = time.monotonic() + ANSWER
        while True:
            said = self.message(until)
            if said.get("id") == number:
                if "error" in said:
                    raise Broken(f"{method}: {said['error']}")
                return said["result"]
            self.heard(said)

    def heard(self, said: dict) -> None:
        """An event: what is wrong is kept, and so is every request that leaves the machine."""
        method, params = said.get("method"), said.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(params["exceptionDetails"].get("exception", {}).get("description", "exception"))
        if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(params["args"]))
        if method == "Network.requestWillBeSent":
            url = params["request"]["url"]
            if not url.startswith(("file:", "data:", "about:")):
                self.complaints.append(f"it asks for {url}")
        if method == "Page.loadEventFired":
            self.loaded = True

    def open(self, page: Path, *, dark: bool = False, width: int = 1280, height: int = 900, scripts: bool = True) -> float:
        """Loads a file; the seconds that it takes."""
        self.ask("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.loaded = False
        start = time.monotonic()
        self.ask("Page.navigate", url=page.resolve().as_uri())
        while not self.loaded:
            self.heard(self.message(start + ANSWER))
        return time.monotonic() - start

    def run(self, script: str) -> object:
        """What a piece of script gives."""
        done = self.ask("Runtime.evaluate", expression=f"(() => {{ {script} }})()", returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise Broken(f"{script}: {done['exceptionDetails']}")
        return done["result"].get("value")

    def computed(self) -> float:
        """Seconds of processor time that the page has taken so far."""
        metrics = self.ask("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in metrics if m["name"] == "TaskDuration")

    def box(self, selector: str) -> dict:
        found = self.run(
            f"const e = document.querySelector({json.dumps(selector)}); if (!e) return null; e.scrollIntoView({{block: 'start'}});"
            " const b = e.getBoundingClientRect(); return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height};"
        )
        if not found:
            raise Broken(f"the page has no {selector}")
        return found

    def picture(self, selector: str, most: int = 900) -> bytes:
        """A PNG of an element, of its upper part where it is high."""
        box = self.box(selector)
        box["height"] = min(box["height"], most)
        shot = self.ask("Page.captureScreenshot", format="png", clip={**box, "scale": 1}, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def printed(self) -> bytes:
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])

    def mouse(self, kind: str, x: float, y: float, **more: object) -> None:
        self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)
