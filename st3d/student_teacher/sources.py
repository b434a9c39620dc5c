"""Sources: the meshes or point clouds in a folder to pretrain on, and its two splits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from st3d.formats.folders import files_below
from st3d.formats.meshes import SUFFIXES as MESHES
from st3d.formats.point_clouds import IMAGES, has_faces
from st3d.formats.point_clouds import SUFFIXES as CLOUDS
from st3d.formats.rgbd_fragments import DEPTH, Frames, runs

Kind = Literal["meshes", "clouds"]
Split = Literal["train", "validation"]
Item = Path | Frames  # a mesh, a cloud, or the depth images of a fragment
FOLDERS = {"train": "train", "validation": "test"}  # ModelNet10's folders
SCANS = "velodyne"  # where KITTI has its scans; Semantic KITTI has other .bin beside them
EXPECTED = ", ".join((*dict.fromkeys((*MESHES, *CLOUDS)), f"*{IMAGES}", f"*{DEPTH} with poses"))


def list_source(folders: Sequence[Path], split: Split, validation_share: float, origin: str) -> tuple[Kind, list[Item]]:
    """What a split has in all `folders`, each sorted by name and split by itself.

    Parameters
    ----------
    folders
        With files at any depth, hidden ones left out. .off, .obj and .stl are meshes; .bin, .npy, .pcd, .xyz, ITODD's
        *_x.tif and runs of 3DMatch's *.depth.png are clouds; .ply are meshes if the first of them has faces. Where some
        .bin lie in folders named velodyne, only these count.
    split
        Below folders named train and test, as in ModelNet10, train takes the first and validation the second.
    validation_share
        Fraction of the files that are for validation elsewhere: every round(1 / validation_share)-th.
    origin
        Where to get what is absent, for the error; may be empty.

    Returns
    -------
    kind
        meshes or clouds.
    items
        Files, or the depth images of a fragment.

    Raises
    ------
    ValueError
        One line: nothing found, meshes and clouds, or nothing for the split.
    """
    found = [(folder, kind, items) for folder in folders for kind, items in _found(folder, origin).items()]
    first = {kind: first_file(items[0]) for _, kind, items in reversed(found)}
    if len(first) > 1:
        both = f"the mesh {first['meshes']} and the cloud {first['clouds']}"
        raise ValueError(f"{found[-1][0]}: expected meshes or point clouds in all folders, found both: {both}")
    (kind,) = first
    return kind, [item for folder, _, items in found for item in _of_split(folder, items, split, validation_share)]


def first_file(item: Item) -> Path:
    """The file that an item goes by.

    Parameters
    ----------
    item
        A file, or the depth images of a fragment.

    Returns
    -------
    The file, or the first of the images
    """
    return item if isinstance(item, Path) else item[0]


def _found(folder: Path, origin: str) -> dict[Kind, list[Item]]:
    """The meshes and clouds below a folder, sorted; a kind of which there are none is left out."""
    # archives made on a Mac carry a hidden ._x.off beside x.off
    names = [name for name in files_below(folder) if _suffix(name) and not _hidden(name)]
    scans = [name for name in names if name.suffix.lower() == ".bin" and SCANS in name.parts[:-1]]
    if scans:
        names = [name for name in names if name.suffix.lower() != ".bin" or SCANS in name.parts[:-1]]
    paths = [folder / name for name in names]
    ply = next((path for path in paths if _suffix(path) == ".ply"), None)
    solid = {".off", ".obj", ".stl"} | ({".ply"} if ply and has_faces(ply) else set())
    meshes: list[Item] = [path for path in paths if _suffix(path) in solid]
    clouds: list[Item] = [path for path in paths if _suffix(path) not in solid | {DEPTH}]
    clouds += runs([path for path in paths if _suffix(path) == DEPTH])
    clouds.sort(key=lambda item: str(first_file(item)))
    if not meshes and not clouds:
        advice = f"; get them from {origin} and put them there" if origin else ""
        raise ValueError(f"{folder}: expected point clouds or meshes ({EXPECTED}), found none{advice}")
    found: dict[Kind, list[Item]] = {"meshes": meshes, "clouds": clouds}
    return {kind: some for kind, some in found.items() if some}


def _hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _suffix(path: Path) -> str:
    """The ending that tells meshes and clouds; empty: neither."""
    name = path.name.lower()
    endings = (IMAGES, DEPTH, *MESHES, *CLOUDS)
    return next((ending for ending in endings if name.endswith(ending)), "")


def _of_split(folder: Path, items: Sequence[Item], split: Split, validation_share: float) -> list[Item]:
    """Those of a folder's `items` that belong to a split."""
    parts = [first_file(item).relative_to(folder).parts[:-1] for item in items]
    if any({"train", "test"} & set(some) for some in parts):
        chosen = [item for item, some in zip(items, parts, strict=True) if FOLDERS[split] in some]
        wanted = f"files in folders named {FOLDERS[split]}"
    else:
        if not 0 < validation_share < 1:
            raise ValueError(f"validation_share: expected a fraction between 0 and 1, found {validation_share}")
        every = max(2, round(1 / validation_share))
        chosen = [item for number, item in enumerate(items) if (number % every == 0) == (split == "validation")]
        wanted = "2 files or more"
    if not chosen:
        raise ValueError(f"{folder}: expected {wanted} for the {split} scenes, found none")
    return chosen
