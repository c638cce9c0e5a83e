"""The socket: a JSON object in a line for each question, and one for each answer."""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable

#: Folder of parity_port, whose lines say nothing to who wrote the port.
OWN = os.path.dirname(os.path.dirname(__file__)) + os.sep


def serve(answer: Callable[[dict], dict]) -> None:
    """Answers until nobody asks any more; what the user's code prints goes where it always goes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(os.environ["PARITY_SOCKET"])
        with line.makefile("rwb") as stream:
            for text in stream:
                request = json.loads(text)
                stream.write(json.dumps(answered(request, answer)).encode() + b"\n")
                stream.flush()
                if request["ask"] == "shutdown":
                    return


def answered(request: dict, answer: Callable[[dict], dict]) -> dict:
    try:
        return {"id": request["id"], "ok": answer(request)}
    except Exception as error:
        traceback.print_exc()
        sys.stderr.flush()
        return {"id": request["id"], "error": told(error)}


def told(error: Exception) -> str:
    """What went wrong, and on which line of the user's."""
    what = f"{type(error).__name__}: {error}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith((OWN, "<"))]
    own = [frame for frame in lines if "site-packages" not in frame.filename] or lines
    return f"{what}, at {own[-1].filename}:{own[-1].lineno}" if own else what
