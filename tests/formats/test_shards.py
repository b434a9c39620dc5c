import resource
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from st3d.formats.provenance import FORMAT
from st3d.formats.shards import Cloud, clouds, index_type, read_shard, write_shard

FIELDS = ("points", "neighbours", "pixel")


def scans(rng, counts=(30, 28, 30), k=4, start=0, step=1) -> list[Cloud]:
    return [
        Cloud(
            rng.random((n, 3), np.float32),
            rng.integers(0, n, (n, k)).astype(index_type(n)),
            rng.permutation(1000)[:n].astype(np.uint32),
            (20, 50),
            f"crack/{start + step * i:03d}",
        )
        for i, n in enumerate(counts)
    ]


def same(one: Cloud, other: Cloud) -> bool:
    arrays = all(np.array_equal(getattr(one, field), getattr(other, field)) for field in FIELDS)
    return arrays and one.size == other.size and one.sample == other.sample


def test_clouds_come_back_as_they_were_written(tmp_path, rng):
    made = scans(rng)
    write_shard(tmp_path / "a.h5", made, settings={"seed": 7, "points": 30}, code="abc")
    with read_shard(tmp_path / "a.h5") as shard:
        assert len(shard) == 3
        assert all(same(shard.cloud(i), cloud) for i, cloud in enumerate(made))
        assert shard.cloud(0).neighbours.dtype == np.uint16 and shard.cloud(0).pixel.dtype == np.uint32
        expected = {"seed": 7, "settings": {"seed": 7, "points": 30}, "code": "abc", "format": FORMAT}
        assert expected.items() <= shard.attributes.items()


def test_a_scene_has_points_only(tmp_path, rng):
    write_shard(tmp_path / "a.h5", [Cloud(rng.random((5000, 3), np.float32))], settings={}, code="")
    with read_shard(tmp_path / "a.h5") as shard:
        cloud = shard.cloud(0)
        assert cloud.points.shape == (5000, 3)
        assert cloud.neighbours is cloud.pixel is cloud.size is cloud.sample is None
    with pytest.raises(ValueError, match="expected 8 neighbours a point, found none"):
        clouds([tmp_path / "a.h5"], 5000, 8)


def test_clouds_of_another_n_or_k_are_refused_in_one_line(tmp_path, rng):
    made = scans(rng)
    write_shard(tmp_path / "a.h5", made, settings={"points": 30, "neighbours": 4}, code="")
    with clouds([tmp_path / "a.h5"], 30, 4) as sequence:
        assert np.array_equal(sequence[1].neighbours, made[1].neighbours)
    with clouds([tmp_path / "a.h5"], 30, 0) as sequence:
        assert sequence[1].neighbours is None and np.array_equal(sequence[1].points, made[1].points)
    for wanted, message in {
        (30, 3): "expected 3 neighbours a point, found 4",
        (30, 5): "expected 5 neighbours a point, found 4",
        (28, 4): "expected clouds of 28 points, found 30",
        (60, 0): "expected clouds of 60 points, found 30",
    }.items():
        with pytest.raises(ValueError, match=rf"^.*a\.h5: {message};[^\n]*$"):
            clouds([tmp_path / "a.h5"], *wanted)


def test_equal_clouds_give_equal_bytes(tmp_path):
    for name in "ab":
        write_shard(tmp_path / name, scans(np.random.default_rng(1)), settings={"seed": 1}, code="abc")
        time.sleep(1.1)  # the format's times have seconds
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_every_dataset_carries_sums(tmp_path, rng):
    write_shard(tmp_path / "a.h5", scans(rng), settings={}, code="")
    with h5py.File(tmp_path / "a.h5") as file:
        assert set(file) == {"points", "count", "neighbours", "pixel", "size", "sample"}
        assert all(data.fletcher32 for data in file.values())
        assert file["points"].shape == (3, 30, 3) and file["points"].dtype == np.float32
        assert (file["points"][1, 28:] == 0).all()


def test_indices_take_two_bytes_where_they_can():
    assert index_type(65_536) is np.uint16 and index_type(65_537) is np.uint32


def test_parts_are_one_sequence_in_sample_order(tmp_path, rng):
    for part in range(3):
        made = scans(rng, counts=[9] * len(range(part, 7, 3)), start=part, step=3)
        write_shard(tmp_path / f"{part}.h5", made, settings={}, code="")
    with clouds([tmp_path / f"{part}.h5" for part in range(3)], points=9, neighbours=4) as sequence:
        assert [cloud.sample for cloud in sequence] == [f"crack/{i:03d}" for i in range(7)]
        assert len(sequence) == 7 and sequence[5].neighbours.shape == (9, 4)
    with pytest.raises(ValueError, match=r"expected \[3, 2, 2\] clouds in the parts of one split, found \[2, 2, 3\]"):
        clouds([tmp_path / f"{part}.h5" for part in (1, 2, 0)])


def test_a_part_may_be_empty(tmp_path, rng):
    write_shard(tmp_path / "0.h5", scans(rng, counts=[9]), settings={}, code="")
    write_shard(tmp_path / "1.h5", [], settings={}, code="")
    with clouds([tmp_path / "0.h5", tmp_path / "1.h5"]) as sequence:
        assert len(list(sequence)) == 1


def faults(path) -> str:
    with pytest.raises(ValueError) as caught, read_shard(path) as shard:
        [shard.cloud(index) for index in range(len(shard))]
    message = str(caught.value)
    assert message.startswith(f"{path}: expected ") and "\n" not in message
    return message


def test_a_truncated_or_other_file_is_refused_in_one_line_that_says_how_to_remake_it(tmp_path, rng):
    path = tmp_path / "a.h5"
    assert "no such file" in faults(path)
    write_shard(path, scans(rng), settings={}, code="")
    whole = path.read_bytes()
    for content in (b"", b"hello", whole[:100], whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(content)
        message = faults(path)
        assert "truncated or other" in message and "run the same command again" in message
    with h5py.File(path, "w") as file:
        file["points"] = np.zeros((1, 2, 3))
    assert "without code, count, format, settings" in faults(path)
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = 99
    assert f"expected format {FORMAT}, found format 99" in faults(path)


def test_a_flipped_bit_is_found_or_harmless(tmp_path, rng):
    made = scans(rng)
    write_shard(tmp_path / "a.h5", made, settings={"seed": 1}, code="abc")
    whole = (tmp_path / "a.h5").read_bytes()
    found = 0
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        (tmp_path / "b.h5").write_bytes(damaged)
        try:
            with read_shard(tmp_path / "b.h5") as shard:
                assert len(shard) == 3 and all(same(shard.cloud(i), cloud) for i, cloud in enumerate(made)), place
        except ValueError as error:
            assert "\n" not in str(error)
            found += 1
    assert found > 30


def test_an_error_on_the_way_leaves_the_earlier_shard_and_nothing_else(tmp_path, rng):
    write_shard(tmp_path / "a.h5", scans(rng), settings={}, code="")
    before = (tmp_path / "a.h5").read_bytes()

    def broken():
        yield scans(rng)[0]
        raise ValueError("bad scan")

    with pytest.raises(ValueError, match="bad scan"):
        write_shard(tmp_path / "a.h5", broken(), settings={}, code="")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"] and (tmp_path / "a.h5").read_bytes() == before


FULL_DISK = """
import resource, sys
import numpy as np
from st3d.formats.shards import Cloud, write_shard
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # the system refuses to write more, as a full disk does
try:
    write_shard(sys.argv[1], (Cloud(np.ones((9000, 3), np.float32)) for _ in range(50)), settings={}, code="")
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", [100, 5_000, 300_000, 5_100_000])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, limit):
    path = tmp_path / "a.h5"
    done = subprocess.run([sys.executable, "-c", FULL_DISK, path, str(limit)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: not written, file too large\n"
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_one_cloud_at_a_time(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one = Cloud(np.ones((64_000, 3), np.float32), np.ones((64_000, 32), np.uint16))  # 5 MB
    write_shard(tmp_path / "a.h5", (one for _ in range(40)), settings={}, code="")
    with read_shard(tmp_path / "a.h5") as shard:
        for index in range(40):
            shard.cloud(index)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kB, of 200 MB
