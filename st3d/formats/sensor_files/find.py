"""Which files of folders are scans, and why the others are none."""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from st3d.formats.folders import is_clutter
from st3d.formats.sensor_files.read import READERS

MASKS = ("gt", "mask", "masks", "ground_truth")
ABOUT = re.compile(
    r"(readme|licen[cs]e|origin|copyright|changelog)\b[^.]*(\.(txt|md|rst|tsv|csv|html))?", re.IGNORECASE
)
POSES = re.compile(r"(.*[_.-])?(poses?|intrinsics?|calib\w*|groundtruth|associations?|rgb|depth)\.txt", re.IGNORECASE)
MASK = re.compile(r".*[_.-]mask\.\w+", re.IGNORECASE)


@dataclass(frozen=True)
class Found:
    """What is at the places of scans.

    Attributes
    ----------
    files
        Scans, sorted by path.
    skipped
        What else is there, sorted by path, with the reason why it is no scan.
    """

    files: list[Path]
    skipped: list[tuple[Path, str]]


def find_scans(places: Sequence[Path | str]) -> Found:
    """Find scans; only the headers of PNG files are looked at.

    Parameters
    ----------
    places
        Files, folders, which are searched through and through, and patterns such as "scans/*.ply". Hidden files, and
        those of __MACOSX, are passed over.

    Returns
    -------
    Found, one scan or more

    Raises
    ------
    ValueError
        One line: a place that does not exist, or no scan at any.
    """
    reasons: dict[Path, str | None] = {}
    for place in places:
        for path, folders in _files(place):
            reasons.setdefault(path, _reason(path, folders))
    files = sorted(path for path, reason in reasons.items() if reason is None)
    skipped = sorted((path, reason) for path, reason in reasons.items() if reason is not None)
    if not files:
        found = f"none among {len(skipped)} files, such as {skipped[0][0]}: {skipped[0][1]}" if skipped else "none"
        raise ValueError(f"{', '.join(map(str, places)) or 'no place'}: expected scans, found {found}")
    return Found(files, skipped)


def _files(place: Path | str) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The files at a place, each with the folders below the place that it is in."""
    path = Path(place).expanduser()
    if path.is_dir():
        yield from _files_below(path, ())
    elif path.exists() or path.is_symlink():
        yield path, ()
    elif glob.has_magic(str(place)):
        matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207  of a whole pattern, with its root
        if not matches:
            raise ValueError(f"{place}: expected scans, found none of such a name")
        steady = next(at for at, part in enumerate(path.parts) if glob.has_magic(part))
        for match in map(Path, matches):
            folders = match.parts[steady:-1]
            if is_clutter(match.name) or any(map(is_clutter, folders)):
                continue
            if match.is_dir():
                yield from _files_below(match, (*folders, match.name))
            else:
                yield match, folders
    else:
        raise ValueError(f"{place}: expected scans, found no such file or folder")


def _files_below(top: Path, folders: tuple[str, ...]) -> Iterator[tuple[Path, tuple[str, ...]]]:
    seen = set()

    def unreadable(error: OSError) -> None:
        raise ValueError(f"{error.filename}: expected scans, found {error.strerror}")

    for folder, inner, names in os.walk(top, onerror=unreadable, followlinks=True):
        real = os.path.realpath(folder)
        inner[:] = [] if real in seen else [name for name in inner if not is_clutter(name)]
        if real not in seen:
            below = (*folders, *Path(folder).relative_to(top).parts)
            yield from ((Path(folder) / name, below) for name in names if not is_clutter(name))
        seen.add(real)


def _reason(path: Path, folders: tuple[str, ...]) -> str | None:
    """Why a file is no scan; None if it is one."""
    suffix, lower = path.suffix.lower(), [folder.lower() for folder in folders]
    if any(folder in MASKS for folder in lower) or MASK.fullmatch(path.name):
        return "a mask"
    if "rgb" in lower:
        return "a colour image"
    if ABOUT.fullmatch(path.name):
        return "about the files, not a scan"
    if suffix in (".yaml", ".yml", ".json"):
        return "settings or a sensor file, not a scan"
    if suffix not in READERS:
        return f"'{suffix}' is no ending of a scan" if suffix else "no ending of a scan"
    if POSES.fullmatch(path.name):
        return "poses or intrinsics, not a scan"
    if suffix == ".png" and _is_picture(path):
        return "a picture of 8 bits, not a depth image"
    return None


def _is_picture(path: Path) -> bool:
    """Whether a PNG is whole enough to see that it has 8 bits or fewer a channel; damaged ones are for the reader."""
    try:
        with Image.open(path) as image:
            return not image.mode.startswith("I")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False
