"""Good files of every format, small, so that many of a file's bytes are its header's."""

import io
import json
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from reliability.fuzz.archives import GOOD, MESH, packed, undated

ROOT = Path(__file__).parents[2]
H, W = 6, 8  # pixels of the scans
Files = list[tuple[str, bytes]]  # names, of which the ending counts, and contents


def scan() -> np.ndarray:
    """An xyz image (H, W, 3) float32, metres, with an invalid pixel."""
    row, column = np.mgrid[:H, :W].astype(np.float32)
    points = np.stack([0.002 * column, 0.002 * row, 0.5 + 0.001 * np.sin(row + column)], axis=2).astype(np.float32)
    points[0, 0] = 0
    return points


def tiffs() -> Files:
    points = scan()
    styles: dict[str, dict[str, Any]] = {
        "plain": {}, "lzw": {"compression": "lzw"}, "predictor": {"compression": "deflate", "predictor": True},
        "tiles": {"tile": (16, 16), "compression": "zstd"}, "big": {"bigtiff": True, "byteorder": ">"},
        "strips": {"rowsperstrip": 2},
    }  # fmt: skip
    found = [("scan.tiff", _tiff(points, photometric="rgb", **style)) for style in styles.values()]
    planes = np.ascontiguousarray(np.moveaxis(points, -1, 0))
    found += [("planes.tif", _tiff(planes, planarconfig="separate", photometric="rgb"))]
    found += [("map.tiff", _tiff(points[..., 2])), ("depth.tif", _tiff((1000 * points[..., 2]).astype(np.uint16)))]
    return [*found, ("double.TIF", _tiff(points.astype(np.float64), photometric="rgb"))]


def _tiff(image: np.ndarray, **style: Any) -> bytes:
    memory = io.BytesIO()
    tifffile.imwrite(memory, image, **style)
    return memory.getvalue()


def pngs() -> Files:
    mask = np.zeros((H, W), np.uint8)
    mask[2:4, 3:6] = 255
    palette = Image.fromarray(mask // 255, "P")
    palette.putpalette([0, 0, 0, 255, 255, 255])
    colours = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
    depth = (1000 * scan()[..., 2]).astype(np.uint16)
    images = [Image.fromarray(mask), palette, Image.fromarray(mask).convert("1"), Image.fromarray(colours)]
    images += [Image.fromarray(depth), Image.fromarray(mask).convert("LA"), Image.fromarray(colours).convert("RGBA")]
    found = []
    for number, image in enumerate(images):
        memory = io.BytesIO()
        image.save(memory, "PNG")
        found.append((f"{number}.png", memory.getvalue()))
    return found


VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.25, 0.5, -1]], np.float32)
TRIANGLES = np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3], [0, 1, 4]], np.int32)


def plys() -> Files:
    found = []
    for form in ("ascii", "binary_little_endian", "binary_big_endian"):
        for faces in (True, False):
            head = f"ply\nformat {form} 1.0\ncomment a part\n"
            head += f"element vertex {len(VERTICES)}\nproperty float x\nproperty float y\nproperty float z\n"
            head += f"element face {len(TRIANGLES)}\nproperty list uchar int vertex_indices\n" if faces else ""
            head += "end_header\n"
            if form == "ascii":
                rows = [" ".join(map(str, row)) for row in VERTICES.tolist()]
                rows += [" ".join(map(str, [3, *row])) for row in TRIANGLES.tolist()] if faces else []
                content = head.encode() + "\n".join(rows).encode() + b"\n"
            else:
                order = "<" if "little" in form else ">"
                content = head.encode() + VERTICES.astype(f"{order}f4").tobytes()
                for row in TRIANGLES.astype(f"{order}i4") if faces else ():
                    content += b"\3" + row.tobytes()
            found.append(("part.ply", content))
    size = f"obj_info num_cols {W}\nobj_info num_rows {H}\n"
    head = f"ply\nformat binary_little_endian 1.0\n{size}element vertex {H * W}\n"
    head += "property double x\nproperty double y\nproperty double z\nproperty uchar red\nend_header\n"
    rows = np.zeros(H * W, [("x", "<f8"), ("y", "<f8"), ("z", "<f8"), ("red", "u1")])
    for axis, values in zip("xyz", scan().reshape(-1, 3).T):
        rows[axis] = values
    return [*found, ("scan.ply", head.encode() + rows.tobytes())]


def pcds() -> Files:
    points = scan().reshape(-1, 3)
    found = []
    for data in ("ascii", "binary", "binary_compressed"):
        head = "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb\nSIZE 4 4 4 4\nTYPE F F F F\nCOUNT 1 1 1 1\n"
        head += f"WIDTH {W}\nHEIGHT {H}\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA {data}\n"
        table = np.column_stack([points, np.zeros(len(points), np.float32)]).astype("<f4")
        if data == "ascii":
            content = "".join(f"{x} {y} {z} 0\n" for x, y, z in points.tolist()).encode()
        elif data == "binary":
            content = table.tobytes()
        else:  # literal runs, which LZF allows
            raw = table.T.tobytes()
            packed = b"".join(bytes([len(raw[at : at + 32]) - 1]) + raw[at : at + 32] for at in range(0, len(raw), 32))
            content = np.array([len(packed), len(raw)], "<u4").tobytes() + packed
        found.append(("part.pcd", head.encode() + content))
    return found


def objs() -> Files:
    vertices = "".join(f"v {x} {y} {z}\n" for x, y, z in VERTICES.tolist())
    faces = "".join(f"f {a} {b} {c}\n" for a, b, c in (TRIANGLES + 1).tolist())
    normals = "".join(f"f {a}//1 {b}//1 {c}//1\n" for a, b, c in (TRIANGLES + 1).tolist())
    relative = "".join(f"f {a} {b} {c}\n" for a, b, c in (TRIANGLES - len(VERTICES)).tolist())
    texts = [vertices + faces, f"mtllib a.mtl\n{vertices}vn 0 0 1\nusemtl x\n{normals}", vertices + relative]
    texts.append(f"o part\r\n{vertices}g one\nf 1 2 3 4 5\n".replace(" ", "\t"))
    return [("part.obj", text.encode()) for text in texts]


def offs() -> Files:
    rows = "".join(f"{x} {y} {z}\n" for x, y, z in VERTICES.tolist())
    faces = "".join(f"3 {a} {b} {c}\n" for a, b, c in TRIANGLES.tolist())
    mixed = "4 0 1 2 3\n3 0 1 4 0.5 0.5 0.5\n"
    texts = [f"OFF\n5 5 0\n{rows}{faces}", f"OFF5 5 0\n{rows}{faces}", f"OFF # a part\r\n5 2 0\n{rows}{mixed}"]
    return [("part.off", text.encode()) for text in texts]


def stls() -> Files:
    corners = VERTICES[TRIANGLES]  # (t, 3, 3)
    table = np.zeros(len(corners), [("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    table["corners"] = corners
    text = "solid part\n"
    for face in corners.tolist():
        lines = "".join(f"vertex {x} {y} {z}\n" for x, y, z in face)
        text += f"facet normal 0 0 1\nouter loop\n{lines}endloop\nendfacet\n"
    text += "endsolid part\n"
    binary = b"a part".ljust(80) + len(table).to_bytes(4, "little") + table.tobytes()
    return [("part.stl", binary), ("part.stl", text.encode())]


def npys() -> Files:
    points = scan()
    arrays = [points, points.reshape(-1, 3), np.moveaxis(points, -1, 0).copy(), points[..., 2].astype(np.float64)]
    arrays.append(points.reshape(-1, 3).astype(">f8"))
    records = np.zeros(H * W, [("x", "f4"), ("y", "f4"), ("z", "f4")])
    for axis, values in zip("xyz", points.reshape(-1, 3).T):
        records[axis] = values
    return [("scan.npy", _npy(array)) for array in [*arrays, records]]


def _npy(array: np.ndarray) -> bytes:
    memory = io.BytesIO()
    np.save(memory, array)
    return memory.getvalue()


def npzs() -> Files:
    found = []
    for save in (np.savez, np.savez_compressed):
        memory = io.BytesIO()
        save(memory, points=scan(), other=np.arange(3))
        found.append(("scan.npz", memory.getvalue()))
    return found


def bins() -> Files:
    points = scan().reshape(-1, 3)
    return [("sweep.bin", np.column_stack([points, np.ones(len(points))]).astype("<f4").tobytes())]


def tables() -> Files:
    points = scan().reshape(-1, 3).tolist()
    rows = {
        "a.xyz": "".join(f"{x} {y} {z}\n" for x, y, z in points),
        "b.xyz": "# by hand\n" + "".join(f"{x}\t{y}\t{z}\t0.5\n" for x, y, z in points),
        "c.csv": "x [mm],y [mm],z [mm],red\n" + "".join(f"{x},{y},{z},255\n" for x, y, z in points),
        "d.asc": "".join(f"{x};{y};{z};\n".replace(".", ",") for x, y, z in points),
        "e.pts": f"{len(points)}\n" + "".join(f"{x} {y} {z} 12 255 0 0\n" for x, y, z in points),
        "f.txt": "# Channel: height\n# Width: 0.01 m\n# Height: 0.01 m\n# Value units: m\n"
        + "".join("\t".join(str(0.5 + 0.001 * (row * column % 5)) for column in range(20)) + "\n" for row in range(5)),
    }
    return [(name, text.encode()) for name, text in rows.items()]


def shards() -> Files:
    from st3d.formats.shards import Cloud, write_shard

    rng = np.random.default_rng(0)
    found = []
    for places in (False, True):
        clouds = []
        for number, n in enumerate((12, 9)):
            cloud = Cloud(rng.random((n, 3), np.float32), rng.integers(0, n, (n, 4)).astype(np.uint16))
            if places:
                pixel = np.sort(rng.choice(H * W, n, replace=False)).astype(np.uint32)
                cloud = Cloud(cloud.points, cloud.neighbours, pixel, (H, W), f"good/00{number}")
            clouds.append(cloud)
        found.append(
            (
                "test_0.h5",
                _written(lambda path, these=clouds: write_shard(path, these, settings={"points": 12}, code="c")),
            )
        )
    return found


def images() -> Files:
    from st3d.formats.images import Image as Stored
    from st3d.formats.images import write_images

    rng = np.random.default_rng(0)
    found = []
    for kind, shape in (("objects", (6, 16, 16)), ("depth", (1, 16, 16)), ("voxels", (4, 8, 8, 8))):
        stored = [Stored(rng.random(shape, np.float32), f"good/00{number}", 0, (H, W)) for number in range(2)]

        def write(path: Path, kind: Any = kind, stored: Any = stored) -> None:
            write_images(path, stored, kind, {"grid": [8, 8, 8]}, settings={"size": 16}, code="c")

        found.append(("test.h5", _written(write)))
    return found


def _written(write: Any) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(path := Path(folder, "file"))
        return path.read_bytes()


def _teacher() -> dict[str, Any]:
    import torch

    from st3d.formats.provenance import provenance
    from st3d.student_teacher.network import DescriptorNetwork

    torch.manual_seed(0)
    model = {"width": 16, "blocks": 1, "coordinates": "relative"}
    content = provenance({"epochs": 1}, "c") | {"kind": "teacher", "model": model, "run": "r"}
    return content | {"weights": DescriptorNetwork(**model).state_dict()}  # type: ignore[arg-type]


def _student() -> dict[str, Any]:
    import torch

    content = _teacher() | {"kind": "student", "scale": 0.002, "points": 100, "neighbours": 8, "downsampling_seed": 1}
    return content | {"teacher": "0" * 64, "mean": torch.zeros(16), "std": torch.ones(16)}


def model_content() -> dict[str, Any]:
    """What a model file holds."""
    import torch

    from st3d.formats.provenance import provenance

    torch.manual_seed(0)
    settings = {"false_alarms": 0.1, "pixel_false_alarms": 0.01, "image_score": "maximum"}
    image = {"value": 2.0, "rate": 0.1, "supported": 0.25, "extrapolated": True}
    pixel = {"value": 1.0, "rate": 0.01, "mean_share": 0.01, "largest_share": 0.02}
    likeness = {"descriptors": torch.rand(3, 32).double(), "sizes": torch.rand(3, 3).double(), "reach": 0.1}
    content = provenance(settings, "c") | {"kind": "model", "method": "3d_st", "teacher": _teacher()}
    content |= {"student": _student(), "image": image, "pixel": pixel, "likeness": likeness}
    reading = {"unit": "auto", "invalid": (), "sensor": None}
    fit = {"scans": 10, "validation_losses": [1.0, 0.5], "settings": settings | {"points": 100}}
    return content | {"validation_scores": [1.0, 1.5, 1.7], "reading": reading, "fit": fit}


def torch_file(content: Any, legacy: bool = False) -> bytes:
    """As torch.save writes it; `legacy`: before torch 1.6, where storages have their addresses as names."""
    import torch
    from torch.utils import _pytree as trees

    memory = io.BytesIO()
    if not legacy:
        torch.save(content, memory)
        return memory.getvalue()
    leaves, form = trees.tree_flatten(content)  # all float32
    whole = torch.cat([leaf.flatten() for leaf in leaves if isinstance(leaf, torch.Tensor)])
    parts = iter(whole.split([leaf.numel() for leaf in leaves if isinstance(leaf, torch.Tensor)]))
    leaves = [next(parts).view(leaf.shape) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    torch.save(trees.tree_unflatten(leaves, form), memory, _use_new_zipfile_serialization=False)
    address = str(whole.untyped_storage()._cdata).encode()
    return memory.getvalue().replace(struct.pack("<I", len(address)) + address, struct.pack("<I", 1) + b"1")


def checkpoints() -> Files:
    import torch

    from st3d.formats.provenance import provenance

    fpfh = provenance({}, "c") | {"kind": "extractor", "method": "fpfh", "run": "r", "weights": {}}
    fpfh |= {"model": {"normals": 10, "neighbours": 20}}
    variation = provenance({}, "c") | {"kind": "baseline", "method": "variation", "input": "voxels", "modality": "3d"}
    variation |= {"frame": {"grid": [4, 4, 4]}, "channels": 1, "sides": [4, 4, 4]}
    variation |= {"mean": torch.zeros(1, 4, 4, 4), "std": torch.ones(1, 4, 4, 4)}
    contents = [_teacher(), _student(), fpfh, variation]
    return [("model.pt", torch_file(content)) for content in contents] + [("model.pt", torch_file(_teacher(), True))]


def teacher_file() -> bytes:
    """The teacher of `pairs`."""
    return torch_file(_teacher())


def pairs() -> Files:
    """A student, and a bank of calibrated 3D-ST, of `teacher_file`; a memory bank of each method."""
    import hashlib

    import torch

    from st3d.formats.provenance import provenance
    from st3d.memory_banks.sdf_network import ShapeExpert

    teacher = hashlib.sha256(teacher_file()).hexdigest()
    student = torch_file(_student() | {"teacher": teacher})
    scoring = {"terms": ["descriptors", "error", "mahalanobis"], "cells": 4, "window": 3, "rows": 5, "clusters": 2}
    scoring |= {"shrinkage": 0.1, "smoothing": 0.02, "highest": 0.01, "seed": 1}
    calibrated = provenance(scoring, "c") | {"kind": "calibrated", "scoring": scoring, "teacher": teacher}
    calibrated |= {"student": hashlib.sha256(student).hexdigest(), "units": dict.fromkeys(scoring["terms"], 1.0)}
    clusters = {"centres": torch.zeros(2, 16), "means": torch.zeros(2, 16), "factors": torch.eye(16).repeat(2, 1, 1)}
    calibrated |= {"banks": {"descriptors": torch.eye(16)}, "clusters": clusters}
    bank = provenance({}, "c") | {"kind": "memory_bank", "modality": "3d", "input": "objects", "frame": {"size": 16}}
    bank |= {"channels": 3, "sides": [16, 16]}
    btf = bank | {"method": "btf_fpfh", "sizes": {"normals": 8, "neighbours": 8, "cells": 4, "blur": 1.0}}
    sizes = {"points": 8, "overlap": 2.0, "atoms": 2, "colour_atoms": 2, "nonzero": 1, "blur": 1.0, "seed": 1}
    torch.manual_seed(0)
    guided = bank | {"method": "shape_guided", "sizes": sizes, "weights": ShapeExpert().state_dict()}
    contents = [calibrated, btf | {"bank": torch.rand(4, 33)}, guided | {"bank": torch.rand(4, 128)}]
    return [("student.pt", student), *(("model.pt", torch_file(content)) for content in contents)]


def published() -> Files:
    """Weights as other programs publish them: right in their names, too small in their shapes."""
    import torch

    from st3d.extractors.fcgf.network import FCGF
    from st3d.extractors.ppf_foldnet.network import PPFFoldNet
    from st3d.memory_banks.colour_networks import NETWORKS
    from st3d.memory_banks.sdf_network import ShapeExpert

    def small(names: Any) -> dict[str, Any]:
        return {name: torch.zeros([min(side, 2) for side in each.shape]) for name, each in names.items()}

    with torch.device("meta"):
        networks = FCGF(1.0), PPFFoldNet(64, 16), ShapeExpert(), NETWORKS["efficientnet_lite0"]()
    fcgf, folding, expert, lite = (small(network.state_dict()) for network in networks)
    trained = {"epoch": 100, "state_dict": fcgf, "optimizer": {"state": {}}, "config": {"normalize_feature": True}}
    contents = [trained, folding, {"sdf_model": expert}, lite]
    return [("weights.pth", torch_file(content)) for content in contents] + [("weights.pth", torch_file(trained, True))]


def models() -> Files:
    return [("part.st3d", torch_file(model_content()))]


def configs() -> Files:
    """config.yaml, and files that change it."""
    changes = [path.read_text() for path in sorted((ROOT / "configs").glob("*.yaml"))]
    texts = [("config.yaml", (ROOT / "config.yaml").read_text()), *(("change.yaml", text) for text in changes)]
    return [(name, text.encode()) for name, text in texts]


SENSOR = {"width": W, "height": H, "fx": 600.0, "fy": 600.0, "ppx": 3.5, "ppy": 2.5, "depth_scale": 0.001}
CAMERA = {
    "camera_type": "area_scan_division", "focus": 0.016, "kappa": -900.0, "sx": 5e-6, "sy": 5e-6, "cx": 4.0, "cy": 3.0,
    "image_width": W, "image_height": H,
}  # fmt: skip
RECORD = {
    "scale": 0.002,
    "sha256": "0" * 64,
    "variant": "base",
    "rows": [{"limit": 0.3, "au_pro": 0.9}, {"limit": 0.1}],
}


def records() -> Files:
    pitch = {"pitch": 0.1, "pitch_unit": "mm", "height_unit": "um"}
    contents = [SENSOR, CAMERA, RECORD, pitch, {"intrinsic_matrix": [600, 0, 0, 0, 600, 0, 3.5, 2.5, 1]}]
    return [("record.json", json.dumps(content, indent=1).encode()) for content in contents]


def zips() -> Files:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(undated("ModelNet10/" + GOOD), MESH)
        archive.writestr(undated("ModelNet10/bed/test/bed_0002.off"), MESH)
        archive.writestr(undated("__MACOSX/._x"), b"x")
    return [("meshes.zip", memory.getvalue())]


def tars() -> Files:
    found = []
    for packing in ("", "gz", "xz", "bz2"):
        memory = io.BytesIO()
        with tarfile.open(fileobj=memory, mode="w") as archive:
            for name in (GOOD, "bed/test/bed_0002.off"):
                info = tarfile.TarInfo(f"ModelNet10/{name}")
                info.size = len(MESH)
                archive.addfile(info, io.BytesIO(MESH))
        found.append(("meshes.tar", packed(memory.getvalue(), packing)))
    return found
