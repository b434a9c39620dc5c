"""Binary meshes that trimesh refuses: PLY faces with different numbers of corners, STL files whose length is odd."""

from pathlib import Path

import numpy as np

from st3d.formats.ply_pcd import Element, Ply

HEADER, TRIANGLE = 84, 50  # bytes of an STL file's header with its number of triangles, and of a triangle
CORNERS = ("vertex_indices", "vertex_index")


def binary_polygons(path: Path, header: Ply) -> np.ndarray | None:
    """Read the faces of a binary PLY file, if they have different numbers of corners.

    Parameters
    ----------
    path
        The file.
    header
        Its header.

    Returns
    -------
    (t, 3) int64, a polygon is a fan at its first corner; None of files that trimesh reads: text, or all faces alike

    Raises
    ------
    ValueError
        If the file ends before the last face.
    """
    face = header.element("face")
    before = header.elements[: header.elements.index(face)] if face in header.elements else []
    lists = [one for one in face.properties if one.is_list]
    known = any(one.name in CORNERS for one in lists) and all(one.item for one in lists)
    if not header.order or not face.rows or not known or any(one.is_list for each in before for one in each.properties):
        return None
    start = header.start + sum(
        each.rows * sum(np.dtype(one.kind).itemsize for one in each.properties) for each in before
    )
    if _are_alike(path, header.order, face, start):
        return None
    return _fans(path.read_bytes(), header.order, face, start)


def _are_alike(path: Path, order: str, face: Element, start: int) -> bool:
    """Whether all faces have as many numbers as the first."""
    with path.open("rb") as file:
        file.seek(start)
        fields: list[tuple[str, str, int]] = []
        for place, one in enumerate(face.properties):
            kind = np.dtype(order + one.kind)
            fields.append((f"{place}", kind.str, 1))
            word = file.read(kind.itemsize)
            if one.is_list:
                count = int(np.frombuffer(word, kind)[0]) if len(word) == kind.itemsize else -1
                if not 0 <= count <= 2**16:
                    return False
                fields.append((f"{place} items", order + one.item, count))
                file.seek(count * np.dtype(one.item).itemsize, 1)
    table = np.dtype([(name, kind, (count,)) for name, kind, count in fields])
    if path.stat().st_size < start + face.rows * table.itemsize:
        return False
    rows = np.memmap(path, table, "r", start, (face.rows,))
    return all(
        (rows[f"{place}"] == rows[f"{place}"][0]).all() for place, one in enumerate(face.properties) if one.is_list
    )


def _fans(data: bytes, order: str, face: Element, start: int) -> np.ndarray:
    """The triangles (t, 3) of the faces from byte `start` on."""
    kinds = [(np.dtype(order + one.kind), np.dtype(order + (one.item or "u1")), one) for one in face.properties]
    triangles: list[np.ndarray] = []
    at = start
    for number in range(face.rows):
        for kind, item, one in kinds:
            end = at + kind.itemsize
            count = int(np.frombuffer(data[at:end], kind)[0]) if one.is_list and end <= len(data) else 0
            at = end + count * item.itemsize
            if count < 0 or at > len(data):
                raise ValueError(f"expected {face.rows} faces, found {number} whole ones: the file is truncated")
            if one.name in CORNERS and count > 2:
                corner = np.frombuffer(data[end:at], item).astype(np.int64)
                triangles.append(np.stack([np.full(count - 2, corner[0]), corner[1:-1], corner[2:]], axis=1))
    return np.concatenate([np.empty((0, 3), np.int64), *triangles])


def whole_stl(data: bytes) -> bytes:
    """Mend the length that a binary STL file says it has, where only one can be meant.

    Parameters
    ----------
    data
        The file, binary or text.

    Returns
    -------
    The same, with its number of triangles where the header says 0, and without what follows the last one

    Raises
    ------
    ValueError
        If the file has fewer triangles than its header says, or more.
    """
    if len(data) < HEADER or _is_text(data):
        return data
    told = int.from_bytes(data[80:HEADER], "little")
    room, rest = divmod(len(data) - HEADER, TRIANGLE)
    if told == 0 and room > 0 and rest == 0:  # written to a pipe, where it cannot be filled in at the end
        return data[:80] + room.to_bytes(4, "little") + data[HEADER:]
    if told > room:
        raise ValueError(f"expected {told} triangles as the header says, found {room}: the file is truncated")
    if told < room and (rest == 0 or told == 0):  # more triangles, not a remark behind them
        raise ValueError(f"expected {told} triangles as the header says, found {room}: write the mesh again")
    return data[: HEADER + told * TRIANGLE]


def _is_text(data: bytes) -> bool:
    """Whether an STL file is text; binary headers may begin with its word too."""
    return data.lstrip()[:5].lower() == b"solid" and b"\0" not in data[:1024] and b"facet" in data[:4096].lower()
