"""Archives of others: only plain files and folders below the target are unpacked, and no more than data would be."""

import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from stat import S_IFDIR, S_IFMT, S_IFREG

from st3d.formats.folders import MARKER

LARGEST = 200e9  # bytes that are fetched, or unpacked, at most; MVTec 3D-AD is the largest with a quarter of it
PACKED, SMALL = 100, 1e8  # times that a whole archive shrinks at most; bytes that count as none
MEMBERS = 1_000_000  # of an archive
HEADER = 2**20  # bytes of a tar member's extended header
PLAIN = (0, S_IFREG, S_IFDIR)  # kinds of a zip's members that are files or folders


def unpack(archive: Path, folder: Path) -> tuple[int, int]:
    """Unpack an archive; what a Mac adds to it is left out.

    Parameters
    ----------
    archive
        A zip, or a tar that may be packed by gz, bz2 or xz.
    folder
        Where to put its files.

    Returns
    -------
    The number of files, and of their bytes.

    Raises
    ------
    ValueError
        At a member that would lie outside of `folder`, or is a link or a device, and at more bytes than an archive of
        data has; what is unpacked by then is for the caller to remove.
    """
    budget = _Budget(archive)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            plain = {entry: S_IFMT(entry.external_attr >> 16) in PLAIN for entry in zipped.infolist()}
            wanted = [entry for entry in plain if _is_wanted(entry.filename, plain[entry])]
            for entry in plain:
                budget.take(entry.file_size)
            zipped.extractall(folder, wanted)  # noqa: S202 each is checked
    else:

        def wanted_member(member: tarfile.TarInfo, target: str) -> tarfile.TarInfo | None:
            budget.take(member.size)
            plain = member.isfile() or member.isdir()
            return tarfile.data_filter(member, target) if _is_wanted(member.name, plain) else None

        with tarfile.open(archive, "r|*", tarinfo=_Member) as tape:
            tape.extractall(folder, filter=wanted_member)  # noqa: S202 so is each of these
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.name != MARKER]
    return len(sizes), sum(sizes)


class _Budget:
    """What an archive may unpack to: a few bytes that become a full disk are no data."""

    def __init__(self, archive: Path) -> None:
        self._left = min(LARGEST, SMALL + PACKED * archive.stat().st_size)
        self._members = 0

    def take(self, size: int) -> None:
        """Count a member; a ValueError where it is one too many."""
        self._left -= size
        self._members += 1
        if self._left < 0 or self._members > MEMBERS:
            raise ValueError("expected an archive of data, found one that unpacks to far more than its size")


class _Member(tarfile.TarInfo):
    """A tar's member; tarfile reads its extended header, of any size, into memory."""

    def _proc_member(self, tape: tarfile.TarFile) -> tarfile.TarInfo | None:
        if not (self.isreg() or self.type == tarfile.GNUTYPE_SPARSE) and self.size > HEADER:
            raise ValueError(f"expected members with small headers, found one of {self.size} bytes")
        return super()._proc_member(tape)  # type: ignore[misc]


def _is_wanted(name: str, plain: bool) -> bool:
    """Whether to unpack an archive's member; `plain`: it is a file or a folder."""
    path = PurePosixPath(name)
    if not name.strip():
        raise ValueError("expected members with a name, found one without")
    if not plain:
        raise ValueError(f"expected files and folders only, found a link or device '{name}'")
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"expected members inside the archive's folder, found '{name}'")
    return not ("__MACOSX" in path.parts or path.name.startswith("._") or path.name == ".DS_Store")
