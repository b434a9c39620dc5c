"""OBJ files, written again in the form that trimesh reads rightly: spaces, one line a face, indices from 1."""

import re

FACES = re.compile(rb"^f ([^\n]*)", re.MULTILINE)
RELATIVE = re.compile(rb"^f [^\n]*[ /]-", re.MULTILINE)
ZERO = re.compile(rb"^f [^\n]*(?<![^ /])0+(?![^ /\n])", re.MULTILINE)
INDENTED = re.compile(rb"^ +", re.MULTILINE)
REMARKS = re.compile(rb"^([vf][^\n#]*)#[^\n]*", re.MULTILINE)
TABLES = (b"v ", b"vt ", b"vn ")  # what the one, two or three indices of a corner count


def plain_obj(data: bytes) -> bytes:
    """Write an OBJ file again, as plain as trimesh 5.2 needs it.

    It takes a tab for the end of a list of vertices or faces, and an index that counts from the end (-1 the vertex
    before the face) as one from the end of the file.

    Parameters
    ----------
    data
        The file.

    Returns
    -------
    The same with spaces for tabs, lines that are not continued, without remarks behind numbers, all indices from 1

    Raises
    ------
    ValueError
        If an index is 0, or counts farther back than there are vertices.
    """
    data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\\\n", b" ")
    data = REMARKS.sub(rb"\1", INDENTED.sub(b"", re.sub(rb"[\t\v\f]", b" ", data)))
    if ZERO.search(data):
        raise ValueError("expected vertex indices from 1, found 0")  # trimesh would take the last vertex
    return _from_one(data) if RELATIVE.search(data) else data


def obj_triangles(data: bytes) -> int:
    """How many triangles the faces of a plain OBJ file have.

    Parameters
    ----------
    data
        As `plain_obj` returns it.

    Returns
    -------
    Number, of a polygon two less than it has corners
    """
    return sum(max(0, len(face.split()) - 2) for face in FACES.findall(data))


def _from_one(data: bytes) -> bytes:
    """A plain OBJ file whose indices all count from the first vertex."""
    lines = data.split(b"\n")
    counts = [0] * len(TABLES)
    for at, line in enumerate(lines):
        if line.startswith(b"f ") and b"-" in line:
            corners = [corner.split(b"/") for corner in line.split()[1:]]
            lines[at] = b" ".join([b"f", *(b"/".join(map(_absolute, corner, counts)) for corner in corners)])
        else:
            for table, start in enumerate(TABLES):
                counts[table] += line.startswith(start)
    return b"\n".join(lines)


def _absolute(index: bytes, count: int) -> bytes:
    """An index, counted from 1, if `count` come before its face."""
    if not index.startswith(b"-"):
        return index
    if not index[1:].isdigit() or int(index[1:]) > count:
        found = index[:20].decode("ascii", "replace")
        raise ValueError(f"expected vertex indices in range, found {found} behind {count} vertices")
    return b"%d" % (count + 1 + int(index))
