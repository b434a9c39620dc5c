"""Readers with every fault that the campaign looks for, and one without."""

import ctypes
import time
from pathlib import Path

from reliability.fuzz.readers import Reader, Wrong

CALLS = []


def _always(act):
    """A reader that is good at first, while its libraries are loaded."""

    def check(path: Path) -> None:
        CALLS.append(path)
        if len(CALLS) > 1:
            act(path)

    return lambda: {"read": check}


def _missing(_):
    raise KeyError("settings")


def _wrong(_):
    raise Wrong("a scan of no pixels")


def _unnamed(_):
    raise ValueError("expected numbers")


def _refused(path):
    raise ValueError(f"{path}: expected numbers, found none")


ACTS = {
    "good": lambda _: None,
    "refuses": _refused,
    "hangs": lambda _: time.sleep(60),
    "crashes": lambda _: ctypes.string_at(0),
    "fills memory": lambda _: bytearray(3 * 2**30),
    "writes": lambda path: (path.parent.parent / "outside" / "evil").write_text("x"),
    "raises": _missing,
    "is wrong": _wrong,
    "is unnamed": _unnamed,
}
READERS = [Reader(name, lambda: [("a.txt", b"1 2 3\n")], _always(act)) for name, act in ACTS.items()]
