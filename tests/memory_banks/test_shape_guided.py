"""Shape-Guided: its network's training, its bank, its maps and its image score."""

import numpy as np
import pytest
import torch
from killed import killed_in
from small_dataset import write_small_dataset
from stage_call import call
from test_btf_fpfh import reordered
from test_objects import make_objects

from st3d.evaluation.maps import maps
from st3d.formats.checkpoints import load
from st3d.formats.images import Image, Images, write_images
from st3d.formats.scans import read_map
from st3d.kernels.squares import to_scan
from st3d.memory_banks.bank_scores import blurred
from st3d.memory_banks.patches import cut_image
from st3d.memory_banks.sdf_expert import sdf_expert
from st3d.memory_banks.sdf_network import ShapeExpert, expert_of
from st3d.memory_banks.shape_guided import shape_guided
from st3d.memory_banks.shape_guided_banks import least_of
from st3d.memory_banks.shape_guided_maps import maps_of

CPU = torch.device("cpu")
TRAINING = {
    "checkpoint": "", "scans": 2, "points": 24, "overlap": 2.0, "near": 4, "draws": 20, "queries": 8, "epochs": 3,
    "batch": 8, "learning_rate": 0.001, "seed": 17, "device": "cpu", "threads": 1, "code": "",
}  # fmt: skip
BANK = {"modality": "3d", "overlap": 4.0, "atoms": 5, "colour_atoms": 4, "nonzero": 2, "align": "train",
        "align_scans": 3, "blur": 2.0, "seed": 18, "weights": "", "network": "wide_resnet50_2", "device": "cpu",
        "threads": 1, "code": ""}  # fmt: skip


def train(folder, train, validation, **changed):
    """The network, trained on one category's files, or on those of several."""
    folder.mkdir(parents=True, exist_ok=True)
    train, validation = (each if isinstance(each, list) else [each] for each in (train, validation))
    model, curve = folder / "expert.pt", folder / "loss.csv"
    call(sdf_expert, train=train, validation=validation, model=model, curve=curve, **(TRAINING | changed))
    return model


def fill(folder, train, expert, **changed):
    folder.mkdir(parents=True, exist_ok=True)
    given = {"train": train, "validation": train.parent / "objects_validation.h5", "expert": expert}
    call(shape_guided, **given, model=folder / "model.pt", **(BANK | changed))
    return folder / "model.pt"


def mapped(model, test):
    return {each.sample: each for each in maps_of([model], [test], CPU)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Object images of a small data set, a network trained on them for three epochs, and a bank."""
    folder = tmp_path_factory.mktemp("small")
    dataset = write_small_dataset(folder / "data", np.random.default_rng(0), counts=(4, 2, 2))
    files = {split: make_objects(dataset, split) for split in ("train", "validation", "test")}
    expert = train(folder, files["train"], files["validation"])
    return files | {"expert": expert, "model": fill(folder, files["train"], expert)}


def test_training_writes_a_loss_per_epoch_and_keeps_the_epoch_of_the_lowest_validation_loss(made):
    lines = (made["expert"].parent / "loss.csv").read_text().splitlines()
    assert lines[0] == "epoch,train,validation" and [line.split(",")[0] for line in lines[1:]] == ["1", "2", "3"]
    model = load(made["expert"], "sdf_expert")
    assert model["points"] == 24 and model["settings"]["scans"] == 2
    assert not list(made["expert"].parent.glob("*.checkpoint"))


@pytest.mark.parametrize("fatal", [1, 3])
def test_a_run_killed_in_an_epoch_ends_where_an_uninterrupted_one_does(made, tmp_path, fatal):
    source = (
        "from pathlib import Path\nfrom test_shape_guided import train\n"
        f"train(Path({str(tmp_path)!r}), Path({str(made['train'])!r}), Path({str(made['validation'])!r}))\n"
    )
    killed_in(fatal, source)
    assert not (tmp_path / "expert.pt").exists()
    again = train(tmp_path, made["train"], made["validation"])
    assert again.read_bytes() == made["expert"].read_bytes()
    assert (tmp_path / "loss.csv").read_bytes() == (made["expert"].parent / "loss.csv").read_bytes()


def test_one_network_is_trained_on_some_scans_of_all_categories(made, tmp_path, caplog):
    caplog.set_level("INFO", "st3d")
    train(tmp_path / "1", made["train"], made["validation"], epochs=1, scans=1)
    train(tmp_path / "2", [made["train"], made["validation"]], made["validation"], epochs=1, scans=1)
    one, both = (int(each.args[0]) for each in caplog.records if "patches to train on" in each.msg)
    assert 1.5 * one < both < 3 * one


def test_the_authors_checkpoint_is_converted_instead(made, tmp_path):
    torch.manual_seed(3)
    weights = ShapeExpert().state_dict()
    torch.save({"sdf_model": weights}, tmp_path / "ckpt.pth")
    model = train(tmp_path, [], [], checkpoint=str(tmp_path / "ckpt.pth"))
    found = load(model, "sdf_expert")["weights"]
    assert all(torch.equal(found[name], each) for name, each in weights.items())
    assert (tmp_path / "loss.csv").read_text().splitlines() == ["epoch,train,validation"]


def plain_map(model, values, size):
    """A scan's map and score, patch by patch."""
    content = load(model, "memory_bank")
    expert, bank, sizes = expert_of(content["weights"], model), content["bank"].double().numpy(), content["sizes"]
    pixel, patches = cut_image(values, sizes["points"], sizes["overlap"], sizes["seed"])
    scores, largest = np.full(size * size, np.inf), 0.0
    for places, patch in zip(pixel, torch.from_numpy(patches), strict=True):
        feature = expert.encoded(patch[None])
        atoms = bank[
            np.argsort(np.linalg.norm(bank - feature.double().numpy(), axis=1), kind="stable")[: sizes["atoms"]]
        ]
        own, fit, taken = feature[0].double().numpy(), 0.0, []
        for _ in range(sizes["nonzero"]):
            taken.append(int(np.abs(atoms @ (own - fit)).argmax()))
            fit = atoms[taken].T @ np.linalg.lstsq(atoms[taken].T, own, rcond=None)[0]
        largest = max(largest, np.linalg.norm(own - fit))
        distance = expert.distances(torch.from_numpy(fit).float()[None], patch[None])[0].abs().numpy()
        for place, each in zip(places, distance, strict=True):
            scores[place] = min(scores[place], each)
    return np.where(np.isfinite(scores), scores, 0).reshape(size, size), largest, np.isfinite(scores).sum()


def test_a_map_is_the_least_distance_of_a_pixels_patches_to_what_the_bank_expects(made, tmp_path):
    found = mapped(made["model"], made["test"])
    assert list(found) == ["dent/000", "good/000", "good/001"]
    with Images(made["test"]) as images:
        one = images.image(1, "3d")
        path = tmp_path / "one.h5"
        write_images(path, [one], "objects", {}, settings={}, code="")
    with Images(path) as images:
        expected, score, scored = plain_map(made["model"], images.image(0, "3d").values, 56)
    own = found[one.sample]
    assert np.allclose(own.scores, to_scan(blurred(expected.astype(np.float32), 2.0), (64, 64)), rtol=1e-3, atol=1e-4)
    assert own.score == pytest.approx(score, rel=1e-3) and own.points == scored
    alone = mapped(made["model"], path)[one.sample]  # whichever other scans there are
    assert np.array_equal(alone.scores, own.scores) and alone.score == own.score


def test_the_least_distance_counts_exact_zeros_too_and_pixels_without_a_patch_have_none():
    found = least_of(np.array([[0, 1], [1, 2]]), np.array([[3.0, 0.0], [2.0, 1.0]], np.float32), 2)
    assert np.array_equal(found, [[3.0, 0.0], [1.0, np.nan]], equal_nan=True)


def test_a_training_scan_is_put_together_from_the_bank_without_a_rest(made, tmp_path):
    # of as many atoms as there are: else the one of the largest product need not be the patch itself, as in the paper
    for each in mapped(fill(tmp_path, made["train"], made["expert"], nonzero=5), made["train"]).values():
        assert each.score < 1e-5


def test_the_stage_writes_the_methods_own_score_of_a_scan(made, tmp_path):
    maps(method="shape_guided", models=[made["model"]], test=[made["test"]], output=tmp_path,
         manifest=tmp_path / "maps.csv", device="cpu", threads=1, code="")  # fmt: skip
    rows = [line.split(",") for line in (tmp_path / "maps.csv").read_text().splitlines()[1:]]
    for (sample, *_, score), each in zip(rows, mapped(made["model"], made["test"]).values(), strict=True):
        assert sample == each.sample and float(score) == each.score
        assert np.array_equal(read_map(tmp_path / f"test/{sample}.tiff"), each.scores)


def test_the_order_of_the_scans_changes_no_score(made, tmp_path):
    shuffled = reordered(made["train"], [2, 0, 3, 1])
    model = fill(tmp_path, shuffled, train(tmp_path, shuffled, reordered(made["validation"], [1, 0])))
    expected, content = (load(path, "memory_bank") for path in (made["model"], model))
    assert torch.equal(content["bank"], expected["bank"])
    found, again = mapped(made["model"], made["test"]), mapped(model, reordered(made["test"], [1, 2, 0]))
    assert all(np.array_equal(found[name].scores, again[name].scores) for name in found)
    assert all(found[name].score == again[name].score for name in found)


def test_what_does_not_fit_is_refused_in_one_line(made, tmp_path):
    with pytest.raises(ValueError, match="--queries: expected 24 or fewer, as points, found 25"):
        train(tmp_path, made["train"], made["validation"], queries=25)
    with pytest.raises(ValueError, match="expected one memory bank and one file of object images, found 2 models"):
        list(maps_of([made["model"]] * 2, [made["test"]], CPU))
    with pytest.raises(ValueError, match="model.pt: expected a sdf_expert of st3d, found memory_bank"):
        fill(tmp_path, made["train"], made["model"])


def scene(rng, kind, size=56):
    """An object image of a part of a plane or of a sphere, anywhere, in metres; and its unit normals (3, s, s)."""
    row, column = np.mgrid[:size, :size] / size - 0.5
    if kind == "plane":
        slope = rng.uniform(-0.5, 0.5, 2)
        height = slope[0] * row + slope[1] * column
        normal = np.broadcast_to(np.array([-slope[1], -slope[0], 1])[:, None, None], (3, size, size))
    else:
        height = np.sqrt(rng.uniform(0.8, 1.5) ** 2 - row**2 - column**2)
        normal = np.stack([column, row, height])
    points = 0.05 * np.stack([column, row, height]) + rng.uniform(0.1, 0.5, (3, 1, 1))
    return points.astype(np.float32), normal / np.linalg.norm(normal, axis=0)


def test_the_network_learns_the_distances_to_spheres_and_planes(tmp_path, monkeypatch):
    monkeypatch.setattr("st3d.memory_banks.sdf_network.HIDDEN", 128)  # a sixteenth of the decoder, for the test's time
    rng = np.random.default_rng(0)
    made = {split: [scene(rng, ("plane", "sphere")[number % 2]) for number in range(count)]
            for split, count in (("train", 6), ("validation", 4))}  # fmt: skip
    for split, scenes in made.items():
        scans = (Image(points, f"good/{number:03d}", 0, (56, 56)) for number, (points, _) in enumerate(scenes))
        write_images(tmp_path / f"{split}.h5", scans, "objects", {}, settings={}, code="")
    files = [tmp_path / f"{split}.h5" for split in ("train", "validation")]
    sizes = {"points": 64, "near": 8, "queries": 16, "overlap": 2.0, "scans": 6}
    model = train(tmp_path, *files, **sizes, epochs=30, batch=16)
    expert = expert_of(load(model, "sdf_expert")["weights"], model)
    found = {off: [] for off in (-0.1, 0.0, 0.1)}  # of the patch's size, along the true normals
    for number, (_, normals) in enumerate(made["validation"]):
        with Images(files[1]) as images:
            pixel, patches = cut_image(images.image(number, "3d").values, 64, 1.0, 5)
        own = torch.from_numpy(patches)
        features, up = expert.encoded(own), torch.from_numpy(normals.reshape(3, -1).T[pixel].astype(np.float32))
        for off, means in found.items():
            means.append(expert.distances(features, own + off * up).abs().mean().item())
    assert np.mean(found[0.0]) < 0.05  # half a step between the points; at the start it is some 16
    assert np.mean(found[-0.1]) == pytest.approx(0.1, abs=0.02)
    assert np.mean(found[0.1]) == pytest.approx(0.1, abs=0.02)
