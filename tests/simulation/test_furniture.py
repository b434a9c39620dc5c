"""Procedural furniture: ModelNet10's layout, valid OFF files, varied shapes."""

import hashlib

import numpy as np
import pytest

from st3d.formats.meshes import read_mesh
from st3d.simulation.furniture.furniture import KINDS, furniture, write_off


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.off")
    }


def test_the_kinds_and_the_layout_are_modelnet10s(tmp_path):
    furniture(output=tmp_path / "furniture", training=2, test=1, seed=1, code="")
    names = {path.relative_to(tmp_path / "furniture").as_posix() for path in (tmp_path / "furniture").rglob("*.off")}
    kinds = ["bathtub", "bed", "chair", "desk", "dresser", "monitor", "night_stand", "sofa", "table", "toilet"]
    wanted = ("train/{}_0001.off", "train/{}_0002.off", "test/{}_0003.off")
    assert names == {f"{kind}/{name.format(kind)}" for kind in kinds for name in wanted}
    assert (tmp_path / "furniture" / "complete.json").exists()


def test_a_second_run_gives_the_same_bytes_and_fewer_meshes_leave_none_behind(tmp_path):
    furniture(output=tmp_path / "f", training=1, test=1, seed=1, code="")
    first = digests(tmp_path / "f")
    furniture(output=tmp_path / "f", training=1, test=1, seed=1, code="")
    assert digests(tmp_path / "f") == first
    furniture(output=tmp_path / "f", training=1, test=0, seed=2, code="")
    second = digests(tmp_path / "f")
    assert len(second) == 10 and not set(second.values()) & set(first.values())


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_mesh_can_be_read_and_has_faces_of_some_area(kind, tmp_path):
    sizes = set()
    for seed in range(6):
        vertices, triangles = KINDS[kind](np.random.default_rng(seed))
        assert np.isfinite(vertices).all()
        write_off(tmp_path / "mesh.off", (vertices, triangles))
        vertices, triangles = read_mesh(tmp_path / "mesh.off")
        assert triangles.min() >= 0 and triangles.max() < len(vertices)
        a, b, c = np.moveaxis(vertices[triangles], 1, 0)
        assert np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2 > 1000  # square centimetres
        assert np.ptp(vertices, axis=0).min() > 10 and np.ptp(vertices, axis=0).max() < 300
        sizes.add(tuple(np.round(np.ptp(vertices, axis=0), 3)))
    assert len(sizes) == 6


def test_impossible_settings_and_folders_of_another_origin_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected test of at least 0, found -2"):
        furniture(output=tmp_path, training=1, test=-2, seed=1, code="")
    (tmp_path / "own.off").write_text("OFF")
    with pytest.raises(ValueError, match="found other files"):
        furniture(output=tmp_path, training=1, test=1, seed=1, code="")
