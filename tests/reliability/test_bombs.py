"""Small files that would fill memory, disk or time, and those that reach outside, are refused in one line."""

import io
import json
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
import torch
import yaml
from PIL import Image

from reliability.fuzz.archives import tar_bomb, zip_bomb
from reliability.fuzz.originals import CAMERA, ROOT
from st3d.formats import archives
from st3d.formats.archives import unpack
from st3d.formats.atomic import read_json
from st3d.formats.cameras import read_camera
from st3d.formats.checkpoints import load_network, load_weights, read_tensors
from st3d.formats.download import DAMAGE
from st3d.formats.image_files import open_image
from st3d.formats.scans import read_mask, read_scan
from st3d.formats.shards import Cloud, read_shard, write_shard
from st3d.formats.tiff import read_tiff
from st3d.student_teacher.network import DescriptorNetwork
from st3d.workflow.config import Study

BOMB = 20 * 2**20  # bytes


@pytest.fixture
def small_budget(monkeypatch):
    """Archives of more than 1 MB count as large."""
    monkeypatch.setattr(archives, "SMALL", 1e6)


@pytest.mark.parametrize("bomb", [zip_bomb, tar_bomb])
def test_an_archive_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path, small_budget, bomb):
    (tmp_path / "bomb").write_bytes(bomb(BOMB))
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="unpacks to far more than its size"):
        unpack(tmp_path / "bomb", tmp_path / "out")
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*")) < BOMB / 10


def test_a_zip_that_hides_its_size_is_refused(tmp_path):
    bomb = bytearray(zip_bomb(BOMB))
    entry = bomb.rindex(b"PK\x01\x02")  # the last one of the directory: its size follows 24 bytes later
    bomb[entry + 24 : entry + 28] = (10).to_bytes(4, "little")
    assert archives.SMALL > BOMB  # so that its size alone would not do
    (tmp_path / "bomb.zip").write_bytes(bomb)
    (tmp_path / "out").mkdir()
    with pytest.raises((ValueError, *DAMAGE)):
        unpack(tmp_path / "bomb.zip", tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1000


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBERS", 10)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(11):
            archive.writestr(f"{number}.off", b"")
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="unpacks to far more"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_tar_whose_extended_header_fills_memory_is_refused(tmp_path, kind):
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 2**32
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="expected members with small headers"):
        unpack(tmp_path / "a.tar", tmp_path / "out")


def test_a_member_without_a_name_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", b"x")
        archive.filelist[0].filename = ""  # of the directory at the end
    (tmp_path / "out").mkdir()
    with pytest.raises(ValueError, match="expected members with a name"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_checkpoint_that_unpacks_to_more_than_its_size_is_refused(tmp_path):
    packed = io.BytesIO()
    torch.save({"a": torch.zeros(10**6)}, packed)
    with zipfile.ZipFile(packed) as old, zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
    with pytest.raises(
        ValueError, match="a.pt: expected weights, found a truncated or other file .its parts unpack to"
    ):
        read_tensors(tmp_path / "a.pt", "weights")


def test_weights_that_repeat_a_few_bytes_or_are_not_finite_are_refused(tmp_path):
    module, path = torch.nn.Linear(2, 1), tmp_path / "a.pt"
    good = {"weight": torch.ones(1, 2), "bias": torch.ones(1)}
    load_weights(module, good, path)
    with pytest.raises(ValueError, match="expected weight of shape .1, 2., found a tensor that repeats its 4 bytes"):
        load_weights(module, good | {"weight": torch.ones(1).expand(1, 2)}, path)
    with pytest.raises(ValueError, match="expected finite numbers, found others in bias"):
        load_weights(module, good | {"bias": torch.full((1,), torch.nan)}, path)
    with pytest.raises(ValueError, match="expected bias of shape .1,., found list"):
        load_weights(module, good | {"bias": [1.0]}, path)


def test_a_network_of_a_damaged_width_is_refused_before_it_is_made(tmp_path):
    weights, state = DescriptorNetwork(16, 1).state_dict(), torch.get_rng_state()
    with pytest.raises(ValueError, match=r"a.pt: expected blocks.* of shape"):
        load_network(lambda: DescriptorNetwork(2**20, 1), weights, tmp_path / "a.pt")
    assert torch.equal(state, torch.get_rng_state())
    assert load_network(lambda: DescriptorNetwork(16, 1), weights, tmp_path / "a.pt").width == 16


def test_a_config_of_references_to_references_is_refused():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join(['*' + last] * 10)}]" for last, name in zip("abcdefgh", "bcdefghi")]
    config = yaml.safe_load((ROOT / "config.yaml").read_text()) | yaml.safe_load("\n".join([*lines, "meshes: *i"]))
    with pytest.raises(ValueError, match="config: expected at most 100000 values"):
        Study(config, ROOT / "config.schema.yaml")
    circle = yaml.safe_load((ROOT / "config.yaml").read_text()) | yaml.safe_load("meshes: &a [*a]")
    with pytest.raises(ValueError, match="config: expected at most 20 levels"):
        Study(circle, ROOT / "config.schema.yaml")


@pytest.mark.parametrize("text", ["[" * 10**5, "[1]", "1" * 5000, "\xff"])
def test_json_without_names_or_a_bottom_is_one_line(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="a.json: expected .*; delete it and run again"):
        read_json(tmp_path / "a.json")


def test_a_tiff_whose_header_is_larger_than_its_data_can_be_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4, 3), np.float32), photometric="rgb", metadata=None)
    content = (tmp_path / "a.tif").read_bytes()
    at = content.index((257).to_bytes(2, "little"))  # rows
    (tmp_path / "a.tif").write_bytes(content[: at + 8] + (2**30).to_bytes(4, "little") + content[at + 12 :])
    with pytest.raises(ValueError, match="a.tif: expected a TIFF file, found "):
        read_scan(tmp_path / "a.tif")


def test_a_tiff_whose_pages_form_a_circle_is_refused(tmp_path):
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for side in (4, 5, 6):
            writer.write(np.zeros((side, side), np.float32), metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[2]
        tags = len(last.tags)
    content = bytearray(path.read_bytes())
    at = last.offset + 2 + 12 * tags
    content[at : at + 4] = first.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="expected a TIFF file, found pages in a circle"):
        read_tiff(path, "expected a TIFF file")


def test_damaged_lzw_codes_are_refused_or_read_and_never_a_crash(tmp_path, rng):
    scan = rng.random((6, 8, 3)).astype(np.float32)
    tifffile.imwrite(tmp_path / "a.tif", scan, photometric="rgb", compression="lzw")
    assert np.array_equal(read_tiff(tmp_path / "a.tif", "a"), scan)
    content = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        low, count = file.pages[0].dataoffsets[0], file.pages[0].databytecounts[0]
    refused = 0
    for _ in range(300):
        array = bytearray(content)
        for at in rng.integers(low, low + count, 8):
            array[at] ^= 1 << int(rng.integers(8))
        (tmp_path / "b.tif").write_bytes(array)
        try:
            assert read_tiff(tmp_path / "b.tif", "b").shape == scan.shape
        except ValueError:
            refused += 1
    assert refused


def test_a_png_chunk_of_two_gigabytes_is_refused(tmp_path):
    head = zlib.compress(b"\0" * 12)
    chunk = b"IHDR" + (4).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    png = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(png + (2**31 - 1).to_bytes(4, "big") + b"IDAT" + head)
    with pytest.raises(ValueError, match="a.png: expected a mask image, found "):
        read_mask(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_a_png_whose_header_is_larger_than_its_data_can_be_is_refused(tmp_path, mode):
    path = tmp_path / "flat.png"
    Image.new(mode, (3000, 2000)).save(path, optimize=True)  # packs as well as deflate can
    with open_image(path, "expected an image") as image:
        assert np.asarray(image).shape[:2] == (2000, 3000)
    content = bytearray(path.read_bytes())
    content[16:20] = (40_000).to_bytes(4, "big")  # its width
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a truncated one: 2000 x 40000 pixels"), open_image(path, "expected an image"):
        pass


def test_neighbours_and_pixels_outside_of_a_cloud_are_refused(tmp_path, rng):
    points = rng.random((5, 3)).astype(np.float32)
    for near, pixel in ((5, 0), (0, 99)):
        cloud = Cloud(points, np.full((5, 2), near, np.uint16), np.full(5, pixel, np.uint32), (4, 4), "good/000")
        write_shard(tmp_path / "a.h5", [cloud], settings={}, code="c")
        with (
            read_shard(tmp_path / "a.h5") as shard,
            pytest.raises(ValueError, match="a.h5: expected (neighbours|pixels)"),
        ):
            shard.cloud(0)


def test_a_camera_of_numbers_that_are_none_is_one_line(tmp_path):
    for changed in ({"focus": float("nan")}, {"image_width": 0}, {"sx": 10**400}):
        (tmp_path / "a.json").write_text(json.dumps(CAMERA | changed))
        with pytest.raises(ValueError, match="a.json: expected "):
            read_camera(tmp_path / "a.json")
