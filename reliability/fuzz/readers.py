"""Every reader with its files: who reads them, and what a right result is."""

import bz2
import copy
import gzip
import json
import lzma
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reliability.fuzz import archives, containers, mutations, originals, trees
from reliability.fuzz.originals import Files, H, W

SIZE = (H, W)

MOST = 40  # points of a cloud
Check = Callable[[Path], None]  # reads a file; a Wrong where the result is not what the reader promises
Change = Callable[[np.random.Generator, bytes], bytes]


class Wrong(AssertionError):  # noqa: N818 of the judge, no error of the reader
    """A reader's result that is not what it promises."""


def promised(fact: Any, what: str) -> None:
    """Raise Wrong unless `fact`."""
    if not fact:
        raise Wrong(what)


@dataclass(frozen=True)
class Reader:
    """A kind of file.

    Attributes
    ----------
    name
        Of it, for the command line and the table.
    originals
        Makes the good files.
    checks
        All that read it; each reads every file.
    inside
        Changes beside those of bytes.
    devices
        Whether links to devices and pipes are among the files: what another program opens may wait for a pipe.
    """

    name: str
    originals: Callable[[], Files]
    checks: Callable[[], Mapping[str, Check]]
    inside: tuple[Change, ...] = ()
    devices: bool = True


def _scan(points: np.ndarray) -> None:
    promised(points.ndim == 3 and points.shape[2] == 3 and points.size, f"a scan of shape {points.shape}")
    promised(points.dtype == np.float32 and np.isfinite(points).all(), f"a scan of {points.dtype}, or not finite")


def _cloud(points: np.ndarray, most: int | None = MOST) -> None:
    promised(points.ndim == 2 and points.shape[1] == 3 and len(points), f"a cloud of shape {points.shape}")
    promised(most is None or len(points) <= most, f"{len(points)} points")
    promised(points.dtype == np.float32 and np.isfinite(points).all(), f"a cloud of {points.dtype}, or not finite")


def _clouds() -> dict[str, Check]:
    from st3d.formats.point_clouds import check_cloud, read_cloud

    return {
        "read_cloud": lambda path: _cloud(read_cloud(path, MOST, np.random.default_rng(0))),
        "check_cloud": check_cloud,
    }


def _sensor() -> dict[str, Check]:
    from st3d.formats.sensor_files.read import read_sensor_scan
    from st3d.formats.sensor_files.scan import PER_METRE, Reading

    def check(path: Path, reading: Reading) -> None:
        found = read_sensor_scan(path, reading)
        promised(found.unit in PER_METRE and found.points.flags.c_contiguous, f"unit {found.unit}")
        (_scan if found.points.ndim == 3 else lambda points: _cloud(points, None))(found.points)

    return {
        "read_sensor_scan": lambda path: check(path, Reading()),
        "read_sensor_scan of depths": lambda path: check(path, Reading(sensor=originals.SENSOR)),
    }


def _meshes() -> dict[str, Check]:
    from st3d.formats.meshes import check_mesh, read_mesh

    def check(path: Path) -> None:
        vertices, triangles = read_mesh(path)
        promised(vertices.ndim == 2 and vertices.shape[1] == 3, f"vertices of shape {vertices.shape}")
        promised(vertices.dtype == np.float64 and np.isfinite(vertices).all(), "vertices that are not finite float64")
        promised(triangles.ndim == 2 and triangles.shape[1] == 3 and len(triangles), f"triangles {triangles.shape}")
        promised(triangles.dtype == np.int64, f"triangles of {triangles.dtype}")
        promised(triangles.min() >= 0 and triangles.max() < len(vertices), "indices out of range")

    return {"read_mesh": check, "check_mesh": check_mesh}


def _tiff() -> dict[str, Check]:
    from st3d.formats.scan_headers import check_scan
    from st3d.formats.scans import read_map, read_scan

    def check_map(path: Path) -> None:
        scores = read_map(path)
        promised(scores.ndim == 2 and scores.dtype == np.float32 and np.isfinite(scores).all(), "a map")

    def check_header(path: Path) -> None:
        promised(len(check_scan(path)) == 2, "a size")

    found: dict[str, Check] = {"read_scan": lambda path: _scan(read_scan(path)), "check_scan": check_header}
    return found | {"read_scan, drop": lambda path: _scan(read_scan(path, "drop")), "read_map": check_map} | _sensor()


def _itodd() -> dict[str, Check]:
    def beside(check: Check) -> Check:
        def checked(path: Path) -> None:
            for axis in "yz":
                path.with_name(f"a_{axis}.tif").write_bytes(good)
            try:
                check(path)
            finally:
                for axis in "yz":
                    path.with_name(f"a_{axis}.tif").unlink()

        return checked

    good = dict(originals.tiffs())["map.tiff"]
    return {name: beside(check) for name, check in _clouds().items()}


def _png() -> dict[str, Check]:
    from st3d.formats.rgbd_fragments import read_depth
    from st3d.formats.scan_headers import check_colours, check_mask
    from st3d.formats.scans import read_colours, read_mask

    def mask(path: Path, size: tuple[int, int] | None = None) -> None:
        found = read_mask(path, size)
        promised(found.ndim == 2 and found.dtype == bool and size in (None, found.shape), f"a mask {found.shape}")

    def colours(path: Path) -> None:
        found = read_colours(path, SIZE)
        promised(found.shape == (*SIZE, 3) and found.dtype == np.float32, f"colours {found.shape}")
        promised(found.min() >= 0 and found.max() <= 1, "colours out of [0, 1]")

    def depth(path: Path) -> None:
        found = read_depth(path)
        promised(found.ndim == 2 and found.dtype == np.uint16, f"depths {found.shape} {found.dtype}")

    found: dict[str, Check] = {"read_mask": mask, "read_mask, size": lambda path: mask(path, SIZE)}
    found |= {"read_colours": colours, "read_depth": depth, "check_mask": lambda path: check_mask(path, SIZE)}
    return found | {"check_colours": lambda path: check_colours(path, SIZE)} | _sensor()


def _ply() -> dict[str, Check]:
    from st3d.formats.point_clouds import has_faces

    def faces(path: Path) -> None:
        promised(isinstance(has_faces(path), bool), "has_faces")

    return _clouds() | _meshes() | {"has_faces": faces} | _sensor()


def _shard() -> dict[str, Check]:
    from st3d.formats.shards import read_shard

    def check(path: Path) -> None:
        with read_shard(path) as shard:
            for index in range(len(shard)):
                cloud = shard.cloud(index)
                _cloud(cloud.points)
                n = len(cloud.points)
                near, pixel = cloud.neighbours, cloud.pixel
                promised(near is None or (near.ndim == 2 and len(near) == n and near.max() < n), "neighbours")
                if pixel is not None:
                    promised(cloud.size and pixel.shape == (n,) and pixel.max() < np.prod(cloud.size), "pixels")

    return {"read_shard": check}


def _checksums() -> dict[str, Check]:
    from st3d.formats.shards import Cloud, clouds, read_shard

    known: list[Cloud] = []
    for number, (_, content) in enumerate(originals.shards()):
        path = Path(f"known_{number}.h5")
        path.write_bytes(content)
        with read_shard(path) as shard:
            known += [shard.cloud(index) for index in range(len(shard))]
        path.unlink()

    def equal(one: Cloud, other: Cloud) -> bool:
        arrays = ("points", "neighbours", "pixel")
        same = (one.size, one.sample) == (other.size, other.sample)
        return same and all(_alike(getattr(one, name), getattr(other, name)) for name in arrays)

    def undamaged(path: Path) -> None:
        with clouds([path]) as every:
            for index in range(len(every)):
                cloud = every[index]
                promised(any(equal(cloud, each) for each in known), f"cloud {index} is none that was written")

    return {"clouds": undamaged}


def _alike(one: np.ndarray | None, other: np.ndarray | None) -> bool:
    return one is None if other is None else one is not None and np.array_equal(one, other)


def _images() -> dict[str, Check]:
    from st3d.formats.images import Images

    def check(path: Path) -> None:
        with Images(path) as images:
            promised(images.kind in ("voxels", "depth", "objects"), f"kind {images.kind}")
            for index in range(len(images)):
                image = images.image(index, "3d")
                promised(image.values.dtype == np.float32 and image.values.ndim == len(images.sides) + 1, "an image")
                promised(np.isfinite(image.values).all() and min(image.size) > 0, "an image's numbers")
            images.properties("3d")

    return {"Images": check}


def _checkpoint() -> dict[str, Check]:
    import torch

    from st3d.baselines.scoring import load_baseline
    from st3d.formats.checkpoints import load
    from st3d.student_teacher.pair import load_teacher

    cpu = torch.device("cpu")

    def any_kind(path: Path) -> None:
        content = load(path, "teacher", "student", "extractor", "baseline", "progress")
        promised(isinstance(content, dict), "no names and values")

    def teacher(path: Path) -> None:
        load_teacher(path, cpu, 0.002)

    return {"load": any_kind, "load_teacher": teacher, "load_baseline": lambda path: load_baseline(path, cpu) and None}


def _pairs() -> dict[str, Check]:
    import torch

    from st3d.formats.images import Image, write_images
    from st3d.memory_banks import btf_fpfh_maps, shape_guided_maps
    from st3d.student_teacher.calibrated import load_calibrated
    from st3d.student_teacher.pair import load_pair

    cpu = torch.device("cpu")
    rng = np.random.default_rng(0)
    beside = {"teacher.pt": originals.teacher_file(), "whole.pt": dict(originals.pairs())["student.pt"]}
    scan = Image(rng.random((3, 16, 16), np.float32), "good/000", 0, SIZE)
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder, "test.h5"), [scan], "objects", {"size": 16}, settings={"size": 16}, code="c")
        beside["test.h5"] = Path(folder, "test.h5").read_bytes()

    def among(check: Callable[[Path, Path], None]) -> Check:
        def checked(path: Path) -> None:
            folder = path.parent.parent / "out"
            for name, content in beside.items():
                (folder / name).write_bytes(content)
            check(path, folder)

        return checked

    def pair(path: Path, folder: Path) -> None:
        found = load_pair(folder / "teacher.pt", path, cpu)
        promised(found.scale > 0 and bool(torch.isfinite(found.mean).all()), "a pair")

    def calibrated(path: Path, folder: Path) -> None:
        load_calibrated(folder / "teacher.pt", folder / "whole.pt", path, cpu)

    def btf(path: Path, folder: Path) -> None:
        (found,) = btf_fpfh_maps.maps_of([path], [folder / "test.h5"], cpu)
        promised(np.isfinite(found.scores).all(), "a map")

    def guided(path: Path, folder: Path) -> None:
        (found,) = shape_guided_maps.maps_of([path], [folder / "test.h5"], cpu)
        promised(np.isfinite(found.scores).all(), "a map")

    readers = {"load_pair": pair, "load_calibrated": calibrated, "btf_fpfh": btf, "shape_guided": guided}
    return {name: among(check) for name, check in readers.items()}


def _published() -> dict[str, Check]:
    from st3d.extractors.fcgf import pretrain as fcgf
    from st3d.extractors.ppf_foldnet.network import PPFFoldNet
    from st3d.extractors.ppf_foldnet.pretrain import load_published
    from st3d.memory_banks.colour_networks import read_colour_weights
    from st3d.memory_banks.sdf_network import read_official

    return {
        "fcgf": lambda path: fcgf.read_official(path) and None,
        "ppf_foldnet": lambda path: load_published(PPFFoldNet(64, 16), path),
        "shape_guided": lambda path: read_official(path) and None,
        "efficientnet_lite0": lambda path: read_colour_weights("efficientnet_lite0", str(path)) and None,
    }


def _model() -> dict[str, Check]:
    from st3d.detector import Detector
    from st3d.kernels.false_alarms import PixelThreshold, Threshold

    def check(path: Path) -> None:
        detector = Detector.load(path, device="cpu", threads=1)
        numbers = (*detector.image_threshold, *detector.map_threshold)
        promised(all(isinstance(each, int | float) and np.isfinite(each) for each in numbers), "thresholds")
        promised(isinstance(detector.image_threshold, Threshold), "image threshold")
        promised(isinstance(detector.map_threshold, PixelThreshold), "map threshold")
        promised(detector.reading.unit in ("auto", "m", "mm", "um"), "reading")
        json.dumps(detector.about, default=str)

    return {"Detector.load": check}


def _config() -> dict[str, Check]:
    import yaml
    from snakemake.common.configfile import load_configfile  # noqa: TID251  what reads it in a run
    from snakemake.utils import update_config  # noqa: TID251

    from st3d.workflow.config import Study, in_order

    schema = originals.ROOT / "config.schema.yaml"
    base = yaml.safe_load((originals.ROOT / "config.yaml").read_text())

    def check(path: Path) -> None:
        config = load_configfile(str(path))
        if path.name == "change.yaml":
            whole = copy.deepcopy(base)
            update_config(whole, config)
            config = whole
        if isinstance(config.get("variants"), dict):  # as rules/common.smk has it
            config["variants"] = in_order(config["variants"], originals.ROOT / "config.yaml")
        study = Study(config, schema)
        for variant in study.running:
            promised(study.owner("score", variant) in study.variants, "owner")
            promised(isinstance(study.flags(variant, "graph"), str), "flags")

    return {"Study": check}


def _json() -> dict[str, Check]:
    from st3d.formats.atomic import read_json
    from st3d.formats.cameras import read_camera
    from st3d.formats.sensor_files.sensor import read_sensor_file

    def record(path: Path) -> None:
        promised(isinstance(read_json(path), dict), "no names and values")

    def camera(path: Path) -> None:
        found = read_camera(path)
        numbers = (found.focus, found.kappa, found.sx, found.sy, found.cx, found.cy)
        promised(np.isfinite(numbers).all() and found.width > 0 and found.height > 0, "a camera")

    def sensor(path: Path) -> None:
        promised(isinstance(read_sensor_file(path), dict), "a sensor file")

    return {"read_json": record, "read_camera": camera, "read_sensor_file": sensor}


def _unpacked() -> dict[str, Check]:
    from st3d.formats.download import download_modelnet10

    def check(path: Path) -> None:
        target = path.parent.parent / "out" / "meshes"
        flags = {"url": "http://localhost/meshes.zip", "md5": "", "retries": 1, "archive": str(path)}
        download_modelnet10(**flags, output=target)  # type: ignore[arg-type]
        found = [each for each in target.rglob("*") if each.is_symlink() or not (each.is_file() or each.is_dir())]
        promised(not found and (target / "complete.json").is_file(), f"links or devices {found}")

    return {"download_modelnet10": check}


def _in_yaml(rng: np.random.Generator, content: bytes) -> bytes:
    import yaml

    if rng.random() < 0.02:  # lists within lists by reference: ten times as many on every line
        names = "abcdefgh"[: rng.integers(3, 9)]
        lines = [f"{name}: &{name} [{', '.join([f'*{last}'] * 10)}]" for last, name in zip("x" + names, names)]
        key = rng.choice(["more", "categories", "graph", "meshes"])
        return "\n".join(["x: &x 1", *lines, f"{key}: *{names[-1]}", ""]).encode()
    tree = yaml.safe_load(content)
    return yaml.safe_dump(trees.mutated(rng, tree), allow_unicode=True).encode("utf-8", "replace")


def _in_json(rng: np.random.Generator, content: bytes) -> bytes:
    if rng.random() < 0.02:
        return b"[" * 10**5 + b"]" * int(rng.choice([0, 10**5]))
    return json.dumps(trees.mutated(rng, json.loads(content))).encode()


def _in_tar(rng: np.random.Generator, content: bytes) -> bytes:
    """A tar changed before it was packed: the packing's checksums are right."""
    for name, packing in (("gz", gzip), ("xz", lzma), ("bz2", bz2)):
        try:
            plain = packing.decompress(content)  # type: ignore[attr-defined]
        except (OSError, EOFError, ValueError, lzma.LZMAError):
            continue
        return archives.packed(_tar_changed(rng, plain), name)
    return _tar_changed(rng, content)


def _tar_changed(rng: np.random.Generator, plain: bytes) -> bytes:
    """A header changed, its checksum right."""
    at = 512 * int(rng.integers(4))
    head = mutations.mutated(rng, [plain[at : at + 512]])[:512].ljust(512, b"\0")
    blank = head[:148] + b" " * 8 + head[156:]
    return plain[:at] + head[:148] + b"%06o\0 " % sum(blank) + head[156:] + plain[at + 512 :]


READERS = (
    Reader("TIFF", originals.tiffs, _tiff),
    Reader("TIFF of x, y, z", lambda: [("a_x.tif", dict(originals.tiffs())["map.tiff"])], _itodd),
    Reader("PNG", originals.pngs, _png, (containers.in_png,)),
    Reader("PLY", originals.plys, _ply),
    Reader("PCD", originals.pcds, lambda: _clouds() | _sensor()),
    Reader("OBJ", originals.objs, _meshes),
    Reader("OFF", originals.offs, _meshes),
    Reader("STL", originals.stls, _meshes),
    Reader("NPY", originals.npys, lambda: _clouds() | _sensor()),
    Reader("NPZ", originals.npzs, _sensor, (containers.in_zip,)),
    Reader("BIN", originals.bins, _clouds),
    Reader("text", originals.tables, lambda: _clouds() | _sensor()),
    Reader("shard", originals.shards, _shard, (containers.in_hdf5,)),
    Reader("shard's checksums", originals.shards, _checksums),
    Reader("images", originals.images, _images, (containers.in_hdf5,)),
    Reader("checkpoint", originals.checkpoints, _checkpoint, (containers.in_zip, containers.in_checkpoint)),
    Reader("student, banks", originals.pairs, _pairs, (containers.in_zip, containers.in_checkpoint)),
    Reader("published weights", originals.published, _published, (containers.in_zip, containers.in_checkpoint)),
    Reader("model", originals.models, _model, (containers.in_zip, containers.in_checkpoint)),
    Reader("config", originals.configs, _config, (_in_yaml, _in_yaml), devices=False),
    Reader("JSON", originals.records, _json, (_in_json, _in_json)),
    Reader("zip", originals.zips, _unpacked, (containers.in_zip, lambda rng, _: archives.hostile_zip(rng))),
    Reader("tar", originals.tars, _unpacked, (_in_tar, lambda rng, _: archives.hostile_tar(rng))),
)
