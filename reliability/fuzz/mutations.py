"""Changes of a file's bytes: truncated, bits flipped, spliced, huge or zero numbers."""

import re
from collections.abc import Sequence

import numpy as np

HOSTILE = (0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1, 2**64 - 1)
WORDS = (
    b"", b"0", b"-1", b"1", b"3", b"65536", b"4294967295", b"9223372036854775807", b"99999999999999999999", b"1e308",
    b"1e400", b"-inf", b"nan", b"1_0", b"0x10", b"1,5", b"x", b"\xff\xfe", b"1 2 3 4", b"\n", b"#", b"\0", b"9" * 5000,
)  # fmt: skip
HEAD = 512  # bytes that hold most headers; half of the changed numbers lie there
NUMBER = re.compile(rb"[+-]?\d[\d.eE+-]*")


def mutated(rng: np.random.Generator, contents: Sequence[bytes]) -> bytes:
    """A damaged file.

    Parameters
    ----------
    rng
        The random stream.
    contents
        The file's content, then those of others of its format.

    Returns
    -------
    Its content after one to three changes
    """
    changed = contents[0]
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        changed = CHANGES[rng.integers(len(CHANGES))](rng, changed, contents)
    return changed


def _place(rng: np.random.Generator, size: int) -> int:
    """A byte, half of the time near the start."""
    return int(rng.integers(min(size, HEAD) if rng.random() < 0.5 else size)) if size else 0


def _truncated(rng: np.random.Generator, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[
        : int(rng.choice([0, 1, _place(rng, len(content)), max(len(content) - 1, 0)], p=[0.05, 0.05, 0.8, 0.1]))
    ]


def _flipped(rng: np.random.Generator, content: bytes, _: Sequence[bytes]) -> bytes:
    array = bytearray(content)
    for _ in range(int(rng.integers(1, 9)) if array else 0):
        array[_place(rng, len(array))] ^= 1 << int(rng.integers(8))
    return bytes(array)


def _overwritten(rng: np.random.Generator, content: bytes, _: Sequence[bytes]) -> bytes:
    at, count = _place(rng, len(content)), int(rng.integers(1, 64))
    filler = [rng.bytes(count), bytes(count), b"\xff" * count][rng.integers(3)]
    return content[:at] + filler + content[at + count :]


def _spliced(rng: np.random.Generator, content: bytes, contents: Sequence[bytes]) -> bytes:
    """The head of one file and the tail of another, not always at the same place."""
    other = contents[rng.integers(len(contents))]
    at = _place(rng, len(content))
    return content[:at] + other[at if rng.random() < 0.5 else _place(rng, len(other)) :]


def _moved(rng: np.random.Generator, content: bytes, _: Sequence[bytes]) -> bytes:
    """A part left out, or there many times."""
    low = _place(rng, len(content))
    high = low + int(rng.integers(1, 200))
    return content[:low] + content[low:high] * int(rng.choice([0, 0, 2, 100])) + content[high:]


def _with_number(rng: np.random.Generator, content: bytes, _: Sequence[bytes]) -> bytes:
    """A number of a header that is huge, or zero."""
    width = int(rng.choice([1, 2, 4, 8]))
    order = "little" if rng.random() < 0.7 else "big"
    number = int(rng.choice(np.array(HOSTILE, object))) % 256**width
    at = _place(rng, len(content)) // width * width
    return content[:at] + number.to_bytes(width, order) + content[at + width :]


def _with_word(rng: np.random.Generator, content: bytes, _: Sequence[bytes]) -> bytes:
    """Another number in a text, or in the text of a header."""
    found = list(NUMBER.finditer(content[: HEAD if rng.random() < 0.5 else None]))
    if not found:
        return _with_number(rng, content, ())
    low, high = found[rng.integers(len(found))].span()
    return content[:low] + WORDS[rng.integers(len(WORDS))] + content[high:]


CHANGES = (_truncated, _flipped, _overwritten, _spliced, _moved, _with_number, _with_word)
