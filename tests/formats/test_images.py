import numpy as np
import pytest

from st3d.formats.images import Image, Images, write_images


def example(rng, count=3, channels=4, sides=(4, 4, 4)):
    return [Image(rng.random((channels, *sides), np.float32), f"good/{i:03d}", i % 2, (7, 9)) for i in range(count)]


def write(path, images, kind="voxels", frame=None):
    write_images(path, images, kind, frame or {}, settings={"seed": 3}, code="abc")
    return path


def test_images_come_back_as_they_were_written(tmp_path, rng):
    written = example(rng)
    with Images(write(tmp_path / "a.h5", written, frame={"grid": {"side": 0.5}})) as images:
        assert (images.kind, images.frame, images.channels, images.sides) == (
            "voxels",
            {"grid": {"side": 0.5}},
            4,
            (4,) * 3,
        )
        assert images.copies.tolist() == [0, 1, 0]
        assert images.attributes["code"] == "abc"
        for index, image in enumerate(written):
            found = images.image(index, "3d")
            assert np.array_equal(found.values, image.values[:1])
            assert (found.sample, found.copy_number, found.size) == (image.sample, image.copy_number, (7, 9))


@pytest.mark.parametrize("kind, channels", [("voxels", slice(1, 4)), ("depth", slice(0, 4))])
def test_coloured_voxels_are_their_colour_and_coloured_depth_images_have_both(tmp_path, rng, kind, channels):
    written = example(rng)
    with Images(write(tmp_path / "a.h5", written, kind)) as images:
        assert np.array_equal(images.image(1, "3d_rgb").values, written[1].values[channels])


def test_images_without_colour_are_refused_for_3d_rgb(tmp_path, rng):
    with (
        Images(write(tmp_path / "a.h5", example(rng, channels=1))) as images,
        pytest.raises(ValueError, match=r"a.h5: expected images with colour for modality 3d_rgb, found none"),
    ):
        images.image(0, "3d_rgb")


def test_equal_images_give_equal_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        write(tmp_path / name, example(np.random.default_rng(5)))
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_an_image_of_another_shape_is_refused_by_name_and_nothing_is_written(tmp_path, rng):
    odd = [*example(rng), Image(rng.random((1, 4, 4, 4), np.float32), "good/odd", 0, (7, 9))]
    with pytest.raises(ValueError, match=r"good/odd: expected an image of 4 x 4 x 4 x 4 .* found 1 x 4 x 4 x 4"):
        write(tmp_path / "a.h5", odd)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_one_line_that_names_the_file(tmp_path, rng):
    path = write(tmp_path / "a.h5", example(rng, sides=(16, 16, 16)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # in the compressed values
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.h5: expected .*, found .*; delete it") as error, Images(path) as images:
        for index in range(3):
            images.image(index, "3d_rgb"), images.image(index, "3d")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"not HDF5"])
def test_a_truncated_file_or_another_one_is_one_line(tmp_path, content):
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(ValueError, match=r"a.h5: expected a whole HDF5 file"):
        Images(tmp_path / "a.h5")
    with pytest.raises(ValueError, match=r"none.h5: expected images, found no such file"):
        Images(tmp_path / "none.h5")
