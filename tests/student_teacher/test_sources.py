import numpy as np
import pytest
from test_point_clouds import CLOUD, ply

from st3d.formats.rgbd_fragments import pose_of
from st3d.student_teacher.sources import list_source

FACE = b"element face 1\nproperty list uchar int vertex_indices\nend_header"


def filled(folder, *names, content=b""):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def listed(*folders, split="train", validation_share=0.05, origin=""):
    kind, items = list_source(folders, split, validation_share, origin)
    return kind, [item.name if hasattr(item, "name") else [image.name for image in item] for item in items]


def fault(*folders, **changes):
    with pytest.raises(ValueError) as caught:
        listed(*folders, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", ["off", "OBJ", "stl"])
def test_meshes_are_told_by_their_endings(tmp_path, ending):
    assert listed(filled(tmp_path, f"b.{ending}", f"a.{ending}")) == ("meshes", [f"b.{ending}"])


@pytest.mark.parametrize("ending", [".bin", ".NPY", ".pcd", ".xyz", "_x.tif"])
def test_clouds_are_told_by_their_endings(tmp_path, ending):
    assert listed(filled(tmp_path, f"b{ending}", f"a{ending}", "a_y.tif", "c.txt")) == ("clouds", [f"b{ending}"])


def test_the_first_ply_decides_what_all_are(tmp_path):
    cloud = ply(CLOUD, "ascii")
    filled(tmp_path, "a.ply", "b.ply", content=cloud)
    assert listed(tmp_path) == ("clouds", ["b.ply"])
    filled(tmp_path, "b.ply", content=cloud.replace(b"end_header", FACE))
    assert listed(tmp_path) == ("clouds", ["b.ply"])
    filled(tmp_path, "a.ply", content=cloud.replace(b"end_header", FACE))
    assert listed(tmp_path) == ("meshes", ["b.ply"])
    filled(tmp_path, "a.ply", content=cloud[:40])
    assert fault(tmp_path).startswith(f"{tmp_path}/a.ply: expected a PLY header")


def test_depth_images_with_poses_are_clouds_of_50(tmp_path):
    for number in range(110):
        image = tmp_path / "scene" / "seq-01" / f"frame-{number:06d}.depth.png"
        filled(tmp_path, str(image.relative_to(tmp_path)), str(pose_of(image).relative_to(tmp_path)))
    kind, items = list_source([tmp_path], "train", 0.3, "")
    assert kind == "clouds" and [len(item) for item in items] == [50, 10]
    _, validation_share = list_source([tmp_path], "validation", 0.3, "")
    assert [item[0].name for item in validation_share] == ["frame-000000.depth.png"]
    for path in tmp_path.rglob("*.pose.txt"):
        path.unlink()
    assert "found none" in fault(tmp_path)


def test_hidden_files_are_skipped_at_any_depth(tmp_path):
    filled(tmp_path, "a.off", "deep/b.off", "deep/._c.off", ".hidden/d.off", "__MACOSX/.x/e.off")
    assert [listed(tmp_path, split=split)[1] for split in ("validation", "train")] == [["a.off"], ["b.off"]]


def test_kittis_other_bin_files_are_left_out(tmp_path):
    scans = [f"sequences/{number:02d}/velodyne/000000.bin" for number in range(3)]
    filled(tmp_path, *scans, "sequences/00/voxels/000000.bin", "sequences/00/labels/000000.label")
    _, items = list_source([tmp_path], "train", 0.05, "")
    assert [str(item.relative_to(tmp_path)) for item in items] == scans[1:]


@pytest.mark.parametrize("validation_share, every", [(0.05, 20), (0.1, 10), (0.5, 2), (0.9, 2)])
def test_every_so_many_th_file_is_validation_and_no_file_is_lost(tmp_path, validation_share, every):
    names = [f"{number:03d}.bin" for number in range(45)]
    filled(tmp_path, *names)
    validation = listed(tmp_path, split="validation", validation_share=validation_share)[1]
    assert validation == names[::every]
    assert sorted(listed(tmp_path, validation_share=validation_share)[1] + validation) == names


def test_modelnet_folders_decide_the_split(tmp_path):
    filled(tmp_path, "sofa/train/sofa_0001.off", "sofa/test/sofa_0002.OFF", "bed/train/b.obj", "sofa/train/readme.txt")
    assert listed(tmp_path, validation_share=0.0)[1] == ["b.obj", "sofa_0001.off"]
    assert listed(tmp_path, split="validation", validation_share=0.0)[1] == ["sofa_0002.OFF"]


def test_several_folders_are_split_one_by_one(tmp_path):
    folders = [filled(tmp_path / name, f"{name}0.bin", f"{name}1.pcd") for name in "ab"]
    assert listed(*folders) == ("clouds", ["a1.pcd", "b1.pcd"])
    assert listed(*folders, split="validation") == ("clouds", ["a0.bin", "b0.bin"])


def test_meshes_and_clouds_together_are_refused_naming_both(tmp_path):
    meshes, clouds = filled(tmp_path / "m", "a.off", "b.off"), filled(tmp_path / "c", "a.bin", "b.bin")
    expected = f"the mesh {meshes}/a.off and the cloud {clouds}/a.bin"
    assert fault(meshes, clouds) == f"{clouds}: expected meshes or point clouds in all folders, found both: {expected}"
    assert fault(clouds, meshes).endswith(f"found both: {expected}")
    both = filled(tmp_path / "both", "b.off", "a.bin")
    assert fault(both).endswith(f"the mesh {both}/b.off and the cloud {both}/a.bin")


def test_what_is_absent_is_one_line_that_says_where_to_get_it(tmp_path):
    folder = filled(tmp_path / "kitti", "readme.txt")
    for path in (folder, tmp_path / "none"):
        message = fault(path)
        assert message.startswith(f"{path}: expected point clouds or meshes (.off, .obj, .ply, .stl, .bin, .npy, ")
        assert message.endswith(", found none")
        origin = "http://www.semantic-kitti.org"
        assert fault(path, origin=origin) == f"{message}; get them from {origin} and put them there"


def test_a_split_without_files_is_one_line(tmp_path):
    one = filled(tmp_path / "one", "a.bin")
    assert fault(one) == f"{one}: expected 2 files or more for the train scenes, found none"
    only = filled(tmp_path / "only", "sofa/train/a.off")
    assert fault(only, split="validation").endswith("files in folders named test for the validation scenes, found none")
    two = filled(tmp_path / "two", "a.bin", "b.bin")
    for share in (0.0, 1.0, np.nan):
        expected = f"validation_share: expected a fraction between 0 and 1, found {share}"
        assert fault(two, validation_share=share) == expected


def test_the_real_folders_are_clouds_and_meshes(shared_data):
    assert listed(shared_data / "kitti_velodyne") == ("clouds", ["000001.bin", "000002.bin"])
    assert listed(shared_data / "3dmatch") == ("clouds", ["cloud_bin_1.ply"])
    assert listed(shared_data / "modelnet10_sample" / "ModelNet10")[0] == "meshes"


def test_links_to_folders_are_followed(tmp_path):
    (tmp_path / "elsewhere/velodyne").mkdir(parents=True)
    for number in range(3):
        (tmp_path / f"elsewhere/velodyne/{number}.bin").touch()
    (tmp_path / "own").mkdir()
    (tmp_path / "own/sequences").symlink_to(tmp_path / "elsewhere")
    kind, items = list_source([tmp_path / "own"], "train", 0.5, "")
    assert (kind, [str(item.relative_to(tmp_path)) for item in items]) == (
        "clouds", ["own/sequences/velodyne/1.bin"]
    )  # fmt: skip
