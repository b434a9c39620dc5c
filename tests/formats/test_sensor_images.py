"""Depth images by their camera, height maps by their pitch, and the sensor files that give them."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from st3d.formats.sensor_files.find import find_scans
from st3d.formats.sensor_files.read import read_sensor_scan, sensor_scan
from st3d.formats.sensor_files.scan import Reading
from st3d.formats.sensor_files.sensor import read_sensor_file

REALSENSE = """{"width": 12, "height": 10, "fx": 600.5, "fy": 601, "ppx": 5.5, "ppy": 4.25,
 "depth_scale": 0.0010000000474974513, "coeffs": [0, 0, 0, 0, 0], "model": "Brown Conrady"}"""
OPEN3D = """{"width": 12, "height": 10, "depth_scale": 1000.0,
 "intrinsic_matrix": [600.5, 0, 0, 0, 601, 0, 5.5, 4.25, 1]}"""
ROS = """image_width: 12
image_height: 10
camera_name: depth
camera_matrix:
  rows: 3
  cols: 3
  data: [600.5, 0, 5.5, 0, 601, 4.25, 0, 0, 1]
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}
"""
ROS_TOPIC = "height: 10\nwidth: 12\nD: []\nK: [600.5, 0.0, 5.5, 0.0, 601.0, 4.25, 0.0, 0.0, 1.0]\n"
OPENCV = """%YAML:1.0
---
camera_matrix: !!opencv-matrix
   rows: 3
   cols: 3
   dt: d
   data: [ 600.5, 0., 5.5, 0., 6.01e+02, 4.25, 0., 0., 1. ]
"""
SENSORS = {
    "realsense.json": (REALSENSE, 1000),
    "kinect.JSON": (OPEN3D, 1000),
    "camera_info.yaml": (ROS, 1000),
    "topic.yml": (ROS_TOPIC, 1000),
    "opencv.yaml": (OPENCV, 1000),
    "tum.yaml": ("fx: 600.5\nfy: 601\ncx: 5.5\ncy: 4.25\ndepth_scale: 5000\n", 5000),
    "nested.json": (
        '{"depth_intrinsics": {"fx": 600.5, "fy": 601, "cx": 5.5, "cy": 4.25}, "depth_scale": 1e-4}',
        10000,
    ),
    "camera-intrinsics.txt": ("600.5 0 5.5\n0 601 4.25\n0 0 1\n", 1000),
}


def depth_image(rng):
    depth = (3000 + 3 * np.arange(120).reshape(10, 12) + rng.integers(0, 3, (10, 12))).astype(np.uint16)
    depth[2, 3:7], depth[9, 9] = 0, 65535
    return depth


def fault(call, *arguments):
    with pytest.raises(ValueError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", SENSORS)
def test_a_depth_image_is_seen_through_its_camera(tmp_path, rng, name):
    text, per_metre = SENSORS[name]
    (tmp_path / name).write_text(text)
    reading = Reading(sensor=json.loads(json.dumps(read_sensor_file(tmp_path / name))))
    depth = depth_image(rng)
    Image.fromarray(depth).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", depth, compression="lzw")
    tifffile.imwrite(tmp_path / "metres.tiff", (depth / per_metre * ((depth > 0) & (depth < 65535))).astype(np.float32))
    np.save(tmp_path / "a.npy", depth[..., None])
    row, column = np.mgrid[:10, :12]
    z = depth / per_metre
    wanted = np.stack([(column - 5.5) * z / 600.5, (row - 4.25) * z / 601, z], axis=-1)
    wanted[(depth == 0) | (depth == 65535)] = 0
    for path in ("a.png", "a.tif", "metres.tiff", "a.npy"):
        found = read_sensor_scan(tmp_path / path, reading)
        assert np.allclose(found.points, wanted, rtol=1e-6, atol=1e-9), path
        assert np.array_equal(found.points.any(axis=2), wanted.any(axis=2))
        assert found.unit == ("mm" if per_metre == 1000 and path != "metres.tiff" else "m")
        assert any("4.17 % of the pixels invalid: depth 0" in note for note in found.notes)
        assert any("distortion" in note for note in found.notes) == (name == "camera_info.yaml")


def test_a_depth_image_needs_a_camera_of_its_size(tmp_path, rng):
    Image.fromarray(depth_image(rng)).save(tmp_path / "a.png")
    message = fault(read_sensor_scan, tmp_path / "a.png")
    assert message.startswith(f"{tmp_path / 'a.png'}: expected points (x, y, z), found an image of 1 channel, 10 x 12")
    assert message.endswith("give --sensor FILE with the intrinsics of a depth image, or with the pixel pitch of a height map")  # fmt: skip  # noqa: E501
    other = json.loads(REALSENSE) | {"width": 640, "height": 480}
    assert "expected a depth image of 480 x 640" in fault(read_sensor_scan, tmp_path / "a.png", Reading(sensor=other))
    Image.fromarray(np.zeros((10, 12, 3), np.uint8)).save(tmp_path / "a.png")
    assert "expected a depth image of 16 bits and 1 channel, found uint8" in fault(read_sensor_scan, tmp_path / "a.png")


def test_real_depth_images_are_read_and_their_poses_skipped(shared_data):
    folder = shared_data / "depth_frames"
    found = find_scans([folder])
    assert len(found.files) == 50 and all(path.suffix == ".png" for path in found.files)
    assert {path.name for path, _ in found.skipped} > {"LICENSE", "camera-intrinsics.txt", "frame-000150.pose.txt"}
    reading = Reading(sensor=read_sensor_file(folder / "camera-intrinsics.txt"))
    scan = read_sensor_scan(found.files[0], reading)
    depth = np.asarray(Image.open(found.files[0]))
    assert np.allclose(scan.points[..., 2], np.where(depth == 65535, 0, depth) / 1000, atol=1e-6) and scan.unit == "mm"
    row, column = 100, 200
    x, y, z = scan.points[row, column]
    assert z > 0 and np.allclose([x * 585 / z + 320, y * 585 / z + 240], [column, row], atol=1e-3)


HEIGHTS = {"pitch_x": 0.05, "pitch_y": 0.1, "height_unit": "mm"}


def test_a_height_map_lies_on_its_pitch(tmp_path, rng):
    heights = rng.normal(size=(30, 20)).round(3)
    heights[5, 5], heights[6, 1:8] = 0, np.nan
    y, x = np.mgrid[:30, :20]
    wanted = np.stack([(x + 0.5) * 0.05, (29.5 - y) * 0.1, heights], axis=-1) / 1000
    wanted[np.isnan(heights)] = 0
    np.save(tmp_path / "a.npy", heights)
    tifffile.imwrite(tmp_path / "a.tif", heights.astype(np.float32))
    rows = [[repr(each) for each in row] for row in heights.tolist()]
    (tmp_path / "a.csv").write_text("Profiler 7\n" + "".join(",".join(row) + "\n" for row in rows))
    (tmp_path / "a.txt").write_text("".join(" ".join(row) + "\n" for row in rows))
    comma = [["" if each == "nan" else each.replace(".", ",") for each in row] for row in rows]
    (tmp_path / "b.csv").write_text("".join(";".join(row) + ";\n" for row in comma))
    for path in sorted(tmp_path.iterdir()):
        found = read_sensor_scan(path, Reading(sensor=HEIGHTS))
        assert np.allclose(found.points, wanted, rtol=1e-6, atol=1e-9) and found.unit == "mm", path
        assert np.array_equal(found.points.any(axis=2), ~np.isnan(heights))  # a height of 0 is one
        assert "give --sensor FILE" in fault(read_sensor_scan, path)


def test_heights_may_be_counts_and_the_pitch_in_another_unit(rng):
    heights = rng.normal(size=(30, 20))
    wanted = sensor_scan(heights, Reading(sensor=HEIGHTS)).points
    for sensor, values in (
        ({"pitch_x": 50, "pitch_y": 100, "pitch_unit": "um", "height_unit": "mm"}, heights),
        ({"pitch_x": 5e-5, "pitch_y": 1e-4, "pitch_unit": "m", "height_unit": "\u00b5m"}, heights * 1000),
        ({"pitch_x": 50, "pitch_y": 100, "height_unit": "um"}, heights * 1000),
        ({"pitch_x": 0.05, "pitch_y": 0.1, "height_unit": "mm", "height_scale": 1e-4}, heights * 1e4),
    ):
        assert np.allclose(sensor_scan(values, Reading(sensor=sensor)).points, wanted, atol=1e-9), sensor
    counts = np.round(heights * 1e4).astype(np.int16)
    counts[3, 4:9] = -32768
    found = sensor_scan(counts, Reading(sensor=HEIGHTS | {"height_scale": 1e-4}))
    assert found.points.any(axis=2).sum() == 595 and "0.833 % of the pixels invalid: the type's limit" in found.notes
    named = sensor_scan(counts, Reading(sensor=HEIGHTS, invalid=(float(counts[0, 0]),)))
    assert not named.points[0, 0].any()  # as the number stands in the file


def test_a_real_height_map_says_its_size_itself(shared_data):
    scan = read_sensor_scan(shared_data / "scans" / "surf_matrix-3.txt").points
    assert scan.shape == (256, 256, 3) and np.isclose(scan[0, 0, 2], 1.8823e-8)
    assert np.allclose(np.ptp(scan[..., :2], axis=(0, 1)), 10e-6 * 255 / 256)


def test_a_faulty_sensor_file_is_one_line(tmp_path):
    path = tmp_path / "sensor.yaml"
    for text, found in (
        ("", "found NoneType instead of names and values"),
        ("[1, 2]", "found list instead of names and values"),
        ("a: [", "expected a sensor file, YAML or JSON, found"),
        (
            "fx: 600\nfy: 600\n",
            "expected intrinsics (fx, fy, cx, cy) of depth images, or the pitch of height maps, found",
        ),
        ("fx: 600\nfy: -1\ncx: 1\ncy: 1\n", "expected a number as fy, found -1"),
        ("K: [1, 2, 3]\n", "expected 9 numbers as k, found cannot reshape"),
        ("pitch: 0.05\n", "expected height_unit and pitch_unit of um, mm or m, found None and None"),
        ("pitch: wide\nheight_unit: mm\n", "expected a number as pitch_x, found could not convert"),
        ("pitch_x: 1\nheight_unit: mm\n", "expected a number as pitch_y, found"),
        ("pitch: 1\nheight_unit: inch\n", "found inch and inch"),
    ):
        path.write_text(text)
        message = fault(read_sensor_file, path)
        assert message.startswith(f"{path}: expected ") and found in message, message
    (tmp_path / "a.txt").write_text("1 2\n3 4\n")
    assert fault(read_sensor_file, tmp_path / "a.txt").endswith("found a matrix of 2 x 2 instead of 3 x 3")
    assert fault(read_sensor_file, tmp_path / "none.json").endswith("found no such file")


# finding scans -----------------------------------------------------------------------------------------------------


def tree(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_scans_are_found_in_folders_by_patterns_and_names(tmp_path):
    scans = ["b/one.PLY", "a/deep/er/two.tiff", "three.NPY", "a/four.xyz", "a/readmes.csv", "original.pcd"]
    names = [*scans, ".hidden.ply", "a/._four.xyz", "a/.ipynb_checkpoints/four.xyz", "__MACOSX/one.ply", "Thumbs.db"]
    tree(
        tmp_path, *names, "README.txt", "a/LICENCE", "origin.tsv", "x.las", "camera.yaml", "a/gt/000.tiff", "rgb/0.png"
    )
    found = find_scans([tmp_path])
    assert found.files == sorted(tmp_path / name for name in scans)
    skipped = {path.relative_to(tmp_path).as_posix(): reason for path, reason in found.skipped}
    assert skipped == {
        "README.txt": "about the files, not a scan",
        "a/LICENCE": "about the files, not a scan",
        "origin.tsv": "about the files, not a scan",
        "x.las": "'.las' is no ending of a scan",
        "camera.yaml": "settings or a sensor file, not a scan",
        "a/gt/000.tiff": "a mask",
        "rgb/0.png": "a colour image",
    }
    assert find_scans([f"{tmp_path}/*/*.[Px]*"]).files == [tmp_path / "a/four.xyz", tmp_path / "b/one.PLY"]
    assert find_scans([f"{tmp_path}/**/*.tiff"]).files == [tmp_path / "a/deep/er/two.tiff"]
    assert find_scans([tmp_path / "three.NPY", tmp_path / "a", tmp_path / "a" / "four.xyz"]).files == [
        tmp_path / name for name in ("a/deep/er/two.tiff", "a/four.xyz", "a/readmes.csv", "three.NPY")
    ]
    assert find_scans([tmp_path / "a" / "gt"]).files == [tmp_path / "a/gt/000.tiff"]  # asked for by name


def test_a_picture_beside_scans_is_told_from_a_depth_image(tmp_path, rng):
    Image.fromarray(depth_image(rng)).save(tmp_path / "depth.png")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "colour.png")
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "0_mask.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "depth.png").read_bytes()[:9])
    found = find_scans([tmp_path])
    assert [path.name for path in found.files] == ["cut.png", "depth.png"]
    assert [reason for _, reason in found.skipped] == ["a mask", "a picture of 8 bits, not a depth image"]
    assert "expected a PNG file" in fault(read_sensor_scan, tmp_path / "cut.png")


def test_a_dangling_link_is_found_and_a_ring_of_links_ends(tmp_path):
    tree(tmp_path, "scans/one.ply")
    (tmp_path / "scans" / "two.tiff").symlink_to(tmp_path / "annex" / "two.tiff")
    (tmp_path / "scans" / "ring").symlink_to(tmp_path / "scans")
    found = find_scans([tmp_path / "scans"])
    assert [path.name for path in found.files] == ["one.ply", "two.tiff"]
    assert fault(read_sensor_scan, found.files[1]).endswith("two.tiff: expected a scan, found a link to nowhere")


def test_a_place_without_scans_is_one_line(tmp_path):
    tree(tmp_path, "README.md", "notes.pdf")
    assert "expected scans, found none among 2 files, such as" in fault(find_scans, [tmp_path])
    (tmp_path / "empty").mkdir()
    assert fault(find_scans, [tmp_path / "empty"]).endswith("empty: expected scans, found none")
    assert fault(find_scans, [tmp_path / "none"]).endswith("none: expected scans, found no such file or folder")
    assert fault(find_scans, [f"{tmp_path}/*.ply"]).endswith("*.ply: expected scans, found none of such a name")
