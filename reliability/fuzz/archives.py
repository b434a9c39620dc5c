"""Archives with hostile members: names that lead outside, links, devices, bombs, members that are twice there."""

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile

import numpy as np

MESH = b"OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n"
GOOD = "bed/train/bed_0001.off"
OUTSIDE = (
    "../outside/evil", "/st3d-fuzz-evil", "bed/../../outside/evil", "bed/train/../../../outside/evil", "..", ".", "",
    "./../outside/evil", "..\\outside\\evil", "C:\\evil", "bed//train//x.off", "/", "//evil", "bed/train", "~/evil",
    "a" * 300, "/".join(["d"] * 600), "bed/train/bed_0001.off/x", ".made_by_st3d", "complete.json", "\ud800.off", " ",
    "bed/train/\x1b[31m.off", "__MACOSX/x", "NUL", "bed/train/bed_0001.OFF", "a\nb",
)  # fmt: skip
TARGETS = (
    "../outside",
    "/etc/passwd",
    "../../outside/evil",
    "bed",
    ".",
    "bed/train/bed_0001.off",
    "/dev/zero",
    "missing",
)
TAR_KINDS = (
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
    tarfile.FIFOTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.CONTTYPE,
    b"Z",
)
BOMB = 3 * 2**30  # bytes of a member of zeros


def undated(name: str) -> zipfile.ZipInfo:
    """A member of a zip that has the same bytes at any time."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def packed(content: bytes, packing: str) -> bytes:
    """A tar packed by gz, xz or bz2, or not; the same bytes at any time."""
    match packing:
        case "gz":
            return gzip.compress(content, mtime=0)
        case "xz":
            return lzma.compress(content)
        case "bz2":
            return bz2.compress(content)
    return content


def hostile_zip(rng: np.random.Generator) -> bytes:
    """A zip with a good member and one to three others."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr(undated(GOOD), MESH)
        for _ in range(int(rng.integers(1, 4))):
            name = OUTSIDE[rng.integers(len(OUTSIDE))]
            entry = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            content = MESH
            if rng.random() < 0.4:  # a link, as Info-ZIP stores it, or a device
                kind = rng.choice([stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
                entry.external_attr = (int(kind) | 0o777) << 16
                content = TARGETS[rng.integers(len(TARGETS))].encode()
            entry.compress_type = int(rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
            archive.writestr(entry, content)
            if rng.random() < 0.2:
                archive.writestr(undated("bed"), MESH)  # a file where a folder is
    return whole.getvalue()


def hostile_tar(rng: np.random.Generator) -> bytes:
    """A tar, packed or not, with a good member and one to three others."""
    whole = io.BytesIO()
    packing = rng.choice(["", "gz", "xz", "bz2"])
    with tarfile.open(fileobj=whole, mode="w") as archive:
        _add(archive, GOOD, MESH)
        for _ in range(int(rng.integers(1, 4))):
            info = tarfile.TarInfo(OUTSIDE[rng.integers(len(OUTSIDE))].encode("utf-8", "replace").decode())
            info.mode = int(rng.choice([0o644, 0o4777, 0]))
            if rng.random() < 0.6:
                info.type = TAR_KINDS[rng.integers(len(TAR_KINDS))]
                info.linkname = TARGETS[rng.integers(len(TARGETS))]
                archive.addfile(info)
                if rng.random() < 0.5:  # and a file through it
                    _add(archive, f"{info.name}/evil", MESH)
            else:
                info.size = len(MESH)
                archive.addfile(info, io.BytesIO(MESH))
    return packed(whole.getvalue(), packing)


def zip_bomb(size: int = BOMB) -> bytes:
    """A zip of a megabyte at most whose member is of `size` zeros."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_BZIP2, compresslevel=9) as archive:
        archive.writestr(GOOD, MESH)
        with archive.open("bed/train/bomb.off", "w", force_zip64=True) as member:
            for _ in range(size // 2**20):
                member.write(bytes(2**20))
    return packed.getvalue()


def tar_bomb(size: int = BOMB) -> bytes:
    """The same as a tar, packed by bz2."""
    packer, whole = bz2.BZ2Compressor(), io.BytesIO()
    head = io.BytesIO()
    with tarfile.open(fileobj=head, mode="w") as archive:
        _add(archive, GOOD, MESH)
    info = tarfile.TarInfo("bed/train/bomb.off")
    info.size = size
    whole.write(packer.compress(head.getvalue()[:1024] + info.tobuf()))
    for _ in range(size // 2**20):
        whole.write(packer.compress(bytes(2**20)))
    whole.write(packer.compress(bytes(1024)) + packer.flush())
    return whole.getvalue()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
