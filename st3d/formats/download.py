"""Stages `download_modelnet10`, `download_mvtec_3d_ad` and `download_3dmatch`: fetch an archive and unpack it.

A local copy is taken first. An archive is untrusted: only plain files and folders below the target are unpacked, into
a temporary folder that takes its name at the end. A broken transfer is resumed.
"""

import hashlib
import http.client
import logging
import lzma
import os
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from st3d.formats.archives import LARGEST, unpack
from st3d.formats.atomic import FULL, write_json
from st3d.formats.errors import error_text
from st3d.formats.folders import replaced
from st3d.formats.provenance import provenance

log = logging.getLogger("st3d")

PAUSE = 1.0  # s before the second attempt, doubled before each further one
BLOCK = 2**20  # bytes read at once
TIMEOUT = 60  # s without a byte
REPORT = 10  # s between two lines of progress
DAMAGE = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError, NotImplementedError,
)  # fmt: skip


def download_modelnet10(*, url: str, archive: str, md5: str, retries: int, output: Path) -> None:
    """Fetch and unpack ModelNet10's meshes.

    Parameters
    ----------
    url
        Address of ModelNet10.zip (http or https).
    archive
        A local copy, used instead of the address; empty: none.
    md5
        Expected checksum of the archive; empty: not checked.
    retries
        Attempts to fetch it, 1 or more.
    output
        Folder to make: <kind>/{train,test}/*.off, and last complete.json.

    Raises
    ------
    ValueError
        One line: the archive cannot be had, is another one, or does not unpack; or the folder holds other files.
    """
    _download(url, archive, md5, retries, output, "*/train/*.off")


def download_mvtec_3d_ad(*, url: str, archive: str, md5: str, retries: int, output: Path) -> None:
    """Fetch and unpack MVTec 3D-AD's scans.

    Parameters
    ----------
    url
        Address of mvtec_3d_anomaly_detection.tar.xz (http or https).
    archive
        A local copy, used instead of the address; empty: none.
    md5
        Expected checksum of the archive; empty: not checked.
    retries
        Attempts to fetch it, 1 or more.
    output
        Folder to make: <category>/{train,validation,test}/..., and last complete.json.

    Raises
    ------
    ValueError
        As `download_modelnet10`.
    """
    _download(url, archive, md5, retries, output, "*/train/good/xyz/*.tiff")


def download_3dmatch(*, scene: str, url: str, archive: str, retries: int, output: Path) -> None:
    """Fetch and unpack one of 3DMatch's scenes: its fragments, or its depth images.

    Parameters
    ----------
    scene
        Its name, such as 7-scenes-redkitchen.
    url
        Address of its archive (http or https), in which {scene} stands for the name.
    archive
        A folder with local copies, named <scene>.zip, used instead of the address; empty: none.
    retries
        Attempts to fetch it, 1 or more.
    output
        Folder to make: cloud_bin_*.ply, or camera-intrinsics.txt and seq-*/*.depth.png; and last complete.json.

    Raises
    ------
    ValueError
        As `download_modelnet10`.
    """
    copy = str(Path(archive) / f"{scene}.zip") if archive else ""
    _download(url.replace("{scene}", scene), copy, "", retries, output, "cloud_bin_*.ply", "seq-*/*.depth.png")


def _download(url: str, archive: str, md5: str, retries: int, output: Path, *content: str) -> None:
    """Fetch, check, unpack; `content` are patterns of which the unpacked folder must match one."""
    fetched = output.with_name(PurePosixPath(urlsplit(url).path).name or f"{output.name}.archive")
    source = Path(archive) if archive else fetched
    if archive and not source.is_file():
        raise ValueError(f"{source}: expected the archive of {output.name}, found no such file")
    with replaced(output) as folder:
        if source.is_file():
            log.info("%s: using the local copy, checking it", source)
            _check(source, md5, f"{source}: not the archive of {output.name}; remove it or get it whole from {url}")
        else:
            fetch(url, source, md5, retries)
        log.info("%s: unpacking %.0f MB", source, source.stat().st_size / 1e6)
        try:
            files, size = unpack(source, folder)
            if not _holds(folder, content):
                _strip_top(folder)
            if not _holds(folder, content):
                raise ValueError(f"expected files like {' or '.join(content)}, found none")
        except (ValueError, *DAMAGE) as error:
            fault = f"not unpacked, {error_text(error)}; remove it or get it whole from {url}"
            raise ValueError(f"{source}: {fault}") from None
        except OSError as error:
            raise ValueError(f"{output}: not unpacked, {error.strerror or error}: {source}") from None
        about = provenance({"url": url, "md5": md5}, code="")
        write_json(folder / "complete.json", about | {"files": files, "bytes": size})
    if not archive:
        fetched.unlink(missing_ok=True)  # 13 GB for MVTec 3D-AD; a user's own copy stays
    log.info("%s: complete, %d files", output, files)


def _holds(folder: Path, content: Sequence[str]) -> bool:
    return any(next(folder.glob(pattern), None) for pattern in content)


def fetch(url: str, target: Path, md5: str, retries: int) -> None:
    """Fetch `url`; a transfer that broke, also in an earlier run, goes on where it stopped.

    Parameters
    ----------
    url
        Address with http or https.
    target
        The file to write; the part that has come so far is `target`.part.
    md5
        Expected checksum; empty: not checked.
    retries
        Attempts, 1 or more.

    Raises
    ------
    ValueError
        If it cannot be fetched: one line with what to fetch, from where, and where to put it.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"url: expected an address with http or https, found '{url}'")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    reason = "no attempt allowed"
    for attempt in range(retries):
        if attempt:
            pause = PAUSE * 2 ** (attempt - 1)
            log.warning("%s: %s; attempt %d of %d in %g s", url, reason, attempt + 1, retries, pause)
            time.sleep(pause)
        try:
            _receive(url, part)
            _check(part, md5, "wrong content")
        except ValueError as error:
            reason = str(error)
            part.unlink()  # also a part that two versions of the file were mixed into
        except urllib.error.HTTPError as error:
            reason = f"the server answers {error.code} {error.reason}"
            if 400 <= error.code < 500 and error.code not in (408, 416, 429):
                break
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.errno in FULL:
                raise ValueError(f"{part}: not written, {error.strerror}; the part so far is kept") from None
            reason = error_text(getattr(error, "reason", error))
        else:
            part.replace(target)
            return
    raise ValueError(
        f"{url}: not fetched ({reason}); fetch it by other means, put it at {target.resolve()} and run this again"
    )


def _receive(url: str, part: Path) -> None:
    """Append what is missing to `part`."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})  # noqa: S310 checked
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)  # noqa: S310 scheme checked by the caller
    except urllib.error.HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range", "").endswith(f"/{have}"):
            return  # all of it was there
        if error.code == 416:
            part.unlink()
        raise
    with response, open(part, "ab", opener=_no_link) as file:
        if have and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            log.info("%s: the server does not resume; starting over", url)
            file.truncate(have := 0)
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        reported = time.monotonic()
        while block := response.read(BLOCK):
            file.write(block)
            have += len(block)
            if have > LARGEST:
                raise ValueError(f"more than {LARGEST / 1e9:.0f} GB")
            if time.monotonic() - reported > REPORT:
                reported = time.monotonic()
                log.info("%s: %.1f of %s MB", url, have / 1e6, f"{total / 1e6:.1f}" if total else "?")
    if total is not None and have < total:
        raise http.client.HTTPException(f"the connection broke at {have} of {total} bytes")


def _no_link(path: str, flags: int) -> int:
    """Open a file, and no link to another one."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _check(path: Path, md5: str, fault: str) -> None:
    """Compare the checksum of a file, if one is known."""
    if md5:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "md5").hexdigest()
        if found != md5.lower():
            raise ValueError(f"{fault} (expected md5 {md5}, found {found})")


def _strip_top(folder: Path) -> None:
    """Where all lies in one folder of the archive, take its content one level up."""
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) == 1:
        top = tops[0].rename(folder / ".top")  # its content may have its own name
        for path in top.iterdir():
            path.rename(folder / path.name)
        top.rmdir()
