"""Writes a scan in every format that st3d.formats.sensor_files reads; and how its tests look at results."""

import numpy as np
import pytest
import tifffile

from st3d.formats.sensor_files.read import read_sensor_scan
from st3d.formats.sensor_files.scan import Reading


def tables(points, suffix):
    """Rows of x, y and z, every digit, in the manner of a format."""
    style = {
        ".xyz": (" ", "", ""),
        ".csv": (",", "x,y,z,red\n", ",255"),
        ".asc": ("\t", "# by hand\n", "\t0\t0\t1"),
        ".txt": (";", "intensity;z;X [.];y\n", ""),
        ".pts": (" ", f"{len(points)}\n", " 12 255 0 0"),
    }
    separator, header, rest = style[suffix]
    rows = points.astype(np.float64)
    if suffix == ".txt":  # other columns first, decimal commas
        rows = np.column_stack([np.full(len(rows), 0.5), rows[:, [2, 0, 1]]])
    lines = [separator.join(map(repr, row)) + rest for row in rows.tolist()]
    text = header + "\n".join(lines) + "\n"
    return text.replace(".", ",").replace("[,]", "") if suffix == ".txt" else text


def ply(points, form, kind="f4", size=None):
    """PLY with fields in another order; organised by Stanford's remarks if a size (rows, columns) is given."""
    names = {"f4": "float", "f8": "double"}
    head = f"ply\nformat {form} 1.0\n"
    if size:
        head += f"obj_info num_cols {size[1]}\nobj_info num_rows {size[0]}\n"
    head += f"element vertex {len(points)}\n"
    head += f"property uchar red\nproperty {names[kind]} z\nproperty {names[kind]} x\nproperty {names[kind]} y\n"
    head += "end_header\n"
    if form == "ascii":
        return (head + "".join(f"7 {z!r} {x!r} {y!r}\n" for x, y, z in points.astype(kind).tolist())).encode()
    order = ">" if "big" in form else "<"
    rows = np.zeros(len(points), [("red", "u1"), *((axis, order + kind) for axis in "zxy")])
    for axis, values in zip("xyz", points.T, strict=True):
        rows[axis] = values
    return head.encode() + rows.tobytes()


def pcd(points, data, size):
    """PCD of a given (rows, columns)."""
    head = f"# .PCD v0.7\nVERSION 0.7\nFIELDS y z rgb x\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\nWIDTH {size[1]}\n"
    head += f"HEIGHT {size[0]}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA {data}\n"
    points = points.astype(np.float32)
    if data == "ascii":
        return (head + "".join(f"{y!r} {z!r} 0 {x!r}\n" for x, y, z in points.tolist())).encode()
    rows = np.zeros(len(points), [(name, "<f4") for name in ("y", "z", "rgb", "x")])
    for axis, values in zip("xyz", points.T, strict=True):
        rows[axis] = values
    return head.encode() + pcd_data(rows, data)


def pcd_data(rows, data):
    """Records as the binary data of a PCD file; compressed as literal runs, which LZF allows."""
    if data == "binary":
        return rows.tobytes()
    raw = b"".join(rows[name].tobytes() for name in rows.dtype.names)
    packed = b"".join(bytes([len(raw[at : at + 32]) - 1]) + raw[at : at + 32] for at in range(0, len(raw), 32))
    return np.array([len(packed), len(raw)], "<u4").tobytes() + packed


TIFFS = {
    "plain": {},
    "lzw": {"compression": "lzw"},
    "predictor": {"compression": "deflate", "predictor": True},
    "strips": {"rowsperstrip": 2},
    "tiles": {"tile": (16, 16), "compression": "zstd"},
    "big": {"bigtiff": True, "byteorder": ">"},
}


def images(folder, scan):
    """Files of an organised scan (h, w, 3) float32, with its image kept."""
    for name, options in TIFFS.items():
        tifffile.imwrite(folder / f"{name}.tif", scan, photometric="rgb", **options)
    tifffile.imwrite(folder / "double.TIFF", scan.astype(np.float64), photometric="rgb", compression="lzw")
    planes = np.ascontiguousarray(np.moveaxis(scan, 2, 0))
    tifffile.imwrite(folder / "planes.tiff", planes, photometric="rgb", planarconfig="separate")
    if scan.shape[1] != 3:
        tifffile.imwrite(folder / "pages.tiff", planes, photometric="minisblack")
        np.save(folder / "planes.npy", planes)
    np.save(folder / "a.npy", scan)
    np.save(folder / "double.NPY", np.asfortranarray(scan.astype(">f8")))
    np.savez_compressed(folder / "one.npz", scan)
    np.savez(folder / "named.npz", rgb=np.zeros((2, 2, 3), np.uint8), xyz=scan)
    records = np.zeros(scan.shape[:2], [("rgb", "u4"), ("z", "f8"), ("y", "f4"), ("x", "f4")])
    for at, axis in enumerate("xyz"):
        records[axis] = scan[..., at]
    np.save(folder / "records.npy", records)
    points, size = scan.reshape(-1, 3), scan.shape[:2]
    if size[0] > 1:
        for form in ("ascii", "binary_little_endian", "binary_big_endian"):
            (folder / f"{form}.ply").write_bytes(ply(points, form, size=size))
        width = ply(points, "binary_little_endian", "f8", size)
        (folder / "width.ply").write_bytes(width.replace(b"obj_info num_", b"comment ").replace(b"cols", b"width").replace(b"rows", b"height"))  # fmt: skip  # noqa: E501
        for data in ("ascii", "binary", "binary_compressed"):
            (folder / f"{data}.pcd").write_bytes(pcd(points, data, size))
    return sorted(folder.iterdir())


def clouds(folder, points):
    """Files of points (n, 3) float32."""
    for suffix in (".xyz", ".csv", ".asc", ".txt", ".pts"):
        (folder / f"a{suffix}").write_text(tables(points, suffix))
    np.save(folder / "a.npy", np.column_stack([points, points * 0]))
    for form in ("ascii", "binary_little_endian", "binary_big_endian"):
        (folder / f"{form}.PLY").write_bytes(ply(points, form))
    for data in ("ascii", "binary", "binary_compressed"):
        (folder / f"{data}.pcd").write_bytes(pcd(points, data, (1, len(points))))
    return sorted(folder.iterdir())


def fault(path, content=None, reading=Reading()):  # noqa: B008  a frozen one
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_sensor_scan(path, reading)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


def as_read(points):
    """Coordinates in float32 metres as the readers give them: by way of float32 millimetres."""
    return (np.float64(np.float32(np.float64(points) * 1000)) / 1000).astype(np.float32)


def ulps(found, wanted):
    return np.abs(found - wanted) / np.spacing(np.maximum(np.abs(wanted), np.float32(1e-6)))
