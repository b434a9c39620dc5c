import struct
from pathlib import Path

import numpy as np
import pytest

from st3d.formats.meshes import SUFFIXES, read_mesh
from st3d.kernels.geometry.surface_sampling import sample_surface, triangle_areas

SQUARE = "OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n"
PLY = """ply
format ascii 1.0
element vertex 4
property float x
property float y
property float z
element face 1
property list uchar int vertex_indices
end_header
0 0 0
1 0 0
1 1 0
0 1 0
4 0 1 2 3
"""
OBJ = "mtllib missing.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nusemtl red\nf 1/1 2/1 3/1 4/1\n"


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def binary_stl(triangles: int, told: int) -> bytes:
    corners = struct.pack("<12fH", 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0)
    return b"\0" * 80 + struct.pack("<I", told) + corners * triangles


@pytest.mark.parametrize(
    "text",
    [
        SQUARE,
        SQUARE.replace("OFF\n", "OFF"),
        SQUARE.replace("OFF\n4 2 0\n", "OFF 4 2 0\n"),
        SQUARE.replace("\n", "\r\n"),
        SQUARE.replace("4 2 0\n", "4 2\n"),
        SQUARE.replace("OFF\n", "# a comment\nOFF # another\n\n").replace("1 1 0\n", "1 1 0 # corner\n\n"),
        SQUARE.replace("4 2 0\n", "4 2 0\nend_header\n"),
        SQUARE.replace("1 0 0\n", "1 0 0 255 0 0\n").replace("3 0 1 2\n", "3 0 1 2 0.5 0.5 0.5\n"),
        SQUARE.replace("4 2 0", "4 1 0").replace("3 0 1 2\n3 0 2 3", "4 0 1 2 3"),
        SQUARE.replace("4 2 0", "4 5 0") + "3 0 0 1\n2 0 1\n1 3\n",
        "\n  " + SQUARE.rstrip("\n"),
    ],
)
def test_an_off_file_may_be_written_in_many_ways(tmp_path, text):
    vertices, triangles = read_mesh(written(tmp_path, "square.off", text))
    assert vertices.dtype == np.float64 and triangles.dtype == np.int64
    assert vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert triangles.tolist() == [[0, 1, 2], [0, 2, 3]]


@pytest.mark.parametrize(
    "name, text",
    [("square.ply", PLY), ("square.obj", OBJ), ("SQUARE.OBJ", OBJ), ("square.stl", binary_stl(2, 2))],
)
def test_other_formats_are_read_without_their_materials(tmp_path, name, text):
    vertices, triangles = read_mesh(written(tmp_path, name, text))
    assert vertices.dtype == np.float64 and triangles.dtype == np.int64
    assert triangles.shape == (2, 3) and triangle_areas(vertices, triangles).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "name, text, fault",
    [
        ("a.txt", SQUARE, "ending in .off, .obj, .ply, .stl, found '.txt'"),
        ("a.off", "", "an empty file"),
        ("a.off", "hello", "expected OFF"),
        ("a.off", "OFF\n", "counts"),
        ("a.off", "OFF\nx y z\n", "counts"),
        ("a.off", "OFF\n-4 2 0\n", "counts"),
        ("a.off", SQUARE[:30], "the file is truncated"),
        ("a.off", SQUARE[:-8], "the file is truncated"),
        ("a.off", SQUARE[:-3], "expected 3 corners of face 1, found 2"),
        (
            "a.off",
            SQUARE.replace("1 1 0", "1 1"),
            "3 coordinates a vertex, found invalid column index 2",
        ),
        (
            "a.off",
            SQUARE.replace("1 1 0", "1 one 0"),
            "3 coordinates a vertex, found could not convert",
        ),
        ("a.off", SQUARE.replace("1 1 0", "1 nan 0"), "expected finite vertices"),
        ("a.off", SQUARE.replace("1 1 0", "1 inf 0"), "expected finite vertices"),
        ("a.off", SQUARE.replace("3 0 1 2", "3 0 1 4"), "indices from 0 to 3, found 4"),
        ("a.off", SQUARE.replace("3 0 1 2", "3 0 1 -1"), "indices from 0 to 3, found -1"),
        ("a.off", SQUARE.replace("3 0 1 2", "3 0 1 1.5"), "whole numbers"),
        ("a.off", "OFF\n3 0 0\n0 0 0\n1 0 0\n1 1 0\n", "expected a mesh with faces, found none (3 vertices)"),
        ("a.off", "OFF\n3 1 0\n0 0 0\n1 0 0\n2 0 0\n3 0 1 2\n", "only faces of area 0"),
        ("a.obj", "", "expected a mesh with faces"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\n", "expected a mesh with faces"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 4\n", "vertex indices in range"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\nf 0 1 2\n", "indices from 1, found 0"),
        ("a.obj", "v 0 0 0\nv 1 0 nan\nv 1 1 0\nf 1 2 3\n", "expected finite vertices"),
        ("a.ply", PLY[:-4], "expected 5 columns in the last line, found 3"),
        ("a.ply", PLY[:-12], "the file is truncated"),
        ("a.ply", PLY.replace("4 0 1 2 3", "3 0 1 9"), "indices from 0 to 3, found 9"),
        ("a.ply", PLY.replace("face 1", "face 0").replace("4 0 1 2 3\n", ""), "expected a mesh with faces"),
        ("a.ply", "hello", "expected a PLY file, found 'hello'"),
        ("a.stl", binary_stl(1, 2)[:-9], "a.stl: expected"),
        ("a.stl", "hello", "a.stl: expected"),
    ],
)
def test_a_wrong_mesh_is_refused_in_one_line(tmp_path, name, text, fault):
    path = written(tmp_path, name, text)
    with pytest.raises(ValueError) as caught:
        read_mesh(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and fault in message and "\n" not in message


def test_real_meshes_are_read_whatever_their_headers(shared_data):
    paths = [path for path in sorted(shared_data.rglob("*")) if path.suffix in (".off", ".obj")]
    assert len(paths) > 90
    for path in paths:
        vertices, triangles = read_mesh(path)
        assert len(triangles) and np.isfinite(vertices).all() and triangles.max() < len(vertices), path
    plain = shared_data / "modelnet10_sample" / "ModelNet10" / "bathtub" / "train" / "bathtub_0001.off"
    odd = shared_data / "modelnet10_sample" / "odd_headers" / "bathtub_0001.off"
    assert all((one == other).all() for one, other in zip(read_mesh(plain), read_mesh(odd), strict=True))


def test_a_point_cloud_is_no_mesh(shared_data):
    with pytest.raises(ValueError, match="expected a mesh with faces"):
        read_mesh(shared_data / "3dmatch" / "cloud_bin_0.ply")


def test_a_surface_is_sampled_by_its_area(rng):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 5], [3, 0, 5], [0, 3, 5]], float)
    triangles = np.array([[0, 1, 2], [3, 4, 5]])  # areas 0.5 and 4.5
    points, faces = sample_surface(vertices, triangles, 40_000, rng)
    assert points.shape == (40_000, 3)
    assert abs((faces == 1).mean() - 0.9) < 0.006  # 4 standard deviations
    assert np.allclose(points[:, 2], np.where(faces == 1, 5, 0))
    assert (points[:, :2] >= 0).all() and (points[:, :2].sum(axis=1) <= np.where(faces == 1, 3, 1) + 1e-12).all()
    # uniform inside a triangle: its mean is the centroid, and each of 4 equal parts has a quarter
    inside = points[faces == 1, :2]
    assert np.abs(inside.mean(axis=0) - 1).max() < 0.02
    assert abs((inside.sum(axis=1) < 1.5).mean() - 0.25) < 0.01


def test_suffixes_are_all_that_is_read():
    assert set(SUFFIXES) == {".off", ".obj", ".ply", ".stl"}
