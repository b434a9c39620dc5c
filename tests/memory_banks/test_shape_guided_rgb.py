"""Shape-Guided with its colour expert: banks, alignment, maps and the image score."""

import numpy as np
import pytest
import reference_rows as reference
import torch
from small_dataset import write_small_dataset
from test_btf_fpfh import reordered
from test_colour_bank import plain_cells
from test_colour_networks import save_weights
from test_objects import make_objects
from test_shape_guided import CPU, fill, mapped, train

from st3d.formats.checkpoints import load
from st3d.formats.images import Images, write_images
from st3d.kernels.squares import to_scan
from st3d.memory_banks.bank_scores import blurred
from st3d.memory_banks.colour_networks import colour_features, colour_network
from st3d.memory_banks.fusion import Alignment, blurred_there, enlarged_there, fused
from st3d.memory_banks.patches import cut_image
from st3d.memory_banks.shape_guided_banks import Banks
from st3d.memory_banks.shape_guided_maps import maps_of
from st3d.training.device import set_threads


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Object images of a small data set, a network of one epoch, random colour weights, and banks of both."""
    folder = tmp_path_factory.mktemp("small")
    dataset = write_small_dataset(folder / "data", np.random.default_rng(0), counts=(4, 2, 2))
    files = {split: make_objects(dataset, split) for split in ("train", "validation", "test")}
    files |= {"expert": train(folder, files["train"], files["validation"], epochs=1)}
    files |= {"weights": save_weights(folder, "efficientnet_lite0")}
    return files | {"model": coloured(folder, files)}


def coloured(folder, files, **changed):
    given = {"modality": "3d_rgb", "network": "efficientnet_lite0", "weights": str(files["weights"])}
    return fill(folder, files["train"], files["expert"], **(given | changed))


def plain_colour(content, image, shape):
    """A scan's (28, 28) residuals, cell by cell: the bank's rows by loops over patches; NaN where none is compared."""
    colour, sizes = content["colour"], content["sizes"]
    network = colour_network("efficientnet_lite0", colour["weights"], None)
    features = colour_features(network, torch.from_numpy(image.values[3:])).numpy()
    allowed = set()
    for patch in shape.atoms.unique().tolist():
        allowed |= set(colour["row"][colour["start"][patch] : colour["start"][patch + 1]].tolist())
    bank = colour["features"].numpy()[sorted(allowed)].astype(np.float64)
    found = np.full(784, np.nan, np.float32)
    for cell in {cell for pixel in shape.pixel for cell in plain_cells(pixel, image.values.shape[1])}:
        own = features[cell].astype(np.float64)
        near = np.argsort(np.linalg.norm(bank - own, axis=1), kind="stable")[: sizes["colour_atoms"]]
        fit, _ = reference.matching_pursuit(own, bank[near], sizes["nonzero"])
        found[cell] = np.linalg.norm(own - fit)
    return found.reshape(28, 28)


def test_the_bank_of_colours_has_the_cells_of_each_training_patch(made):
    content = load(made["model"], "memory_bank")
    colour, sizes = content["colour"], content["sizes"]
    network, patch = colour_network("efficientnet_lite0", colour["weights"], None), 0
    with Images(made["train"]) as images:
        for index in range(len(images)):
            values = images.image(index, "3d_rgb").values
            features = colour_features(network, torch.from_numpy(values[3:]))
            for pixel in cut_image(values[:3], sizes["points"], sizes["overlap"], sizes["seed"])[0]:
                rows = colour["row"][colour["start"][patch] : colour["start"][patch + 1]].long()
                assert torch.equal(colour["features"][rows], features[plain_cells(pixel, 56)])
                patch += 1
    assert patch == len(content["bank"]) == len(colour["start"]) - 1
    assert content["modality"] == "3d_rgb" and content["settings"]["network"] == "efficientnet_lite0"


def test_a_map_is_the_larger_of_shape_and_aligned_colour_and_a_score_their_product(made):
    content, found = load(made["model"], "memory_bank"), mapped(made["model"], made["test"])
    banks, alignment = Banks(content, made["model"], CPU), Alignment(**content["colour"]["alignment"])
    alone = mapped(fill(made["model"].parent / "3d", made["train"], made["expert"]), made["test"])
    with Images(made["test"]) as images:
        for index in range(len(images)):
            image = images.image(index, "3d_rgb")
            shape = banks.shape(image)
            residuals = plain_colour(content, image, shape)
            expected = fused(shape.scores, enlarged_there(residuals, 56), alignment)
            own = found[image.sample]
            assert np.allclose(own.scores, to_scan(blurred(expected, 2.0), (64, 64)), rtol=1e-3, atol=1e-5)
            assert own.score == pytest.approx(alone[image.sample].score * np.nanmax(residuals), rel=1e-3)
            assert own.points == alone[image.sample].points
            assert (own.scores >= alone[image.sample].scores - 1e-6).all()


def test_shape_and_colour_are_aligned_on_training_scans_without_their_own_rows(made, tmp_path):
    content = load(coloured(tmp_path, made, align_scans=4), "memory_bank")
    banks, pairs, start = Banks(content, made["model"], CPU), [], 0
    with Images(made["train"]) as images:
        for index in range(4):
            image = images.image(index, "3d_rgb")
            count = len(banks.shape(image).pixel)
            own = range(start, start + count)
            shape = banks.shape(image, own)
            assert not set(shape.atoms.flatten().tolist()) & set(own)
            # as if the bank had been made of the others
            rest = content | {"bank": torch.cat([content["bank"][:start], content["bank"][start + count :]])}
            others = Banks(rest, made["model"], CPU).shape(image)
            assert np.array_equal(shape.scores, others.scores, equal_nan=True) and shape.score == others.score
            pairs.append((shape.scores, enlarged_there(plain_colour(content, image, shape), 56)))
            start += count
    blurs = [[blurred_there(each[kind], 2.0) for each in pairs] for kind in (0, 1)]
    own = [np.concatenate([each[np.isfinite(each)] for each in maps]) for maps in blurs]
    alignment = content["colour"]["alignment"]
    assert alignment["factor"] == pytest.approx(own[0].std() / own[1].std(), rel=1e-3)
    assert alignment["shift"] == pytest.approx(own[0].mean() - alignment["factor"] * own[1].mean(), rel=1e-2)


def test_or_on_validation_scans(made, tmp_path):
    content = load(coloured(tmp_path, made, align="validation"), "memory_bank")
    banks, pairs = Banks(content, made["model"], CPU), []
    with Images(made["validation"]) as images:
        for index in range(2):
            image = images.image(index, "3d_rgb")
            shape = banks.shape(image)
            pairs.append((shape.scores, banks.colour(image, shape).scores))
    assert content["colour"]["alignment"] == Alignment.of(pairs, 2.0)._asdict()
    assert content["colour"]["alignment"] != load(made["model"], "memory_bank")["colour"]["alignment"]


def test_the_order_of_the_scans_changes_no_score(made, tmp_path):
    shuffled = made | {"train": reordered(made["train"], [2, 0, 3, 1], "3d_rgb")}
    model = coloured(tmp_path, shuffled)
    found, again = mapped(made["model"], made["test"]), mapped(model, reordered(made["test"], [1, 2, 0], "3d_rgb"))
    for name, each in found.items():
        assert np.array_equal(each.scores, again[name].scores) and each.score == again[name].score


def test_one_and_two_threads_give_equal_bytes(made, tmp_path):
    content = coloured(tmp_path / "1", made, threads=1).read_bytes()
    assert coloured(tmp_path / "2", made, threads=2).read_bytes() == content
    set_threads(1)
    found = mapped(made["model"], made["test"])
    set_threads(2)
    for name, each in mapped(made["model"], made["test"]).items():
        assert np.array_equal(each.scores, found[name].scores) and each.score == found[name].score


def test_a_training_scan_has_no_residual_in_its_own_bank(made, tmp_path):
    model = coloured(tmp_path, made, nonzero=5, colour_atoms=8)
    banks = Banks(load(model, "memory_bank"), model, CPU)
    with Images(made["train"]) as images:
        image = images.image(0, "3d_rgb")
        shape = banks.shape(image)
        assert shape.score < 1e-5
        assert banks.colour(image, shape).score < 0.2 * np.linalg.norm(banks._colours.features.numpy(), axis=1).mean()


def test_what_does_not_fit_is_refused_in_one_line(made, tmp_path, rng):
    plain = write_small_dataset(tmp_path / "plain", rng, counts=(2, 1, 1), colours=False)
    with pytest.raises(ValueError, match="expected images with colour for modality 3d_rgb, found none"):
        coloured(tmp_path, made | {"train": make_objects(plain, "train")})
    with pytest.raises(ValueError, match="expected channels 6, as the model was trained on, found|with colour"):
        list(maps_of([made["model"]], [make_objects(plain, "test")], CPU))
    with Images(made["train"]) as images:
        write_images(tmp_path / "one.h5", [images.image(0, "3d_rgb")], "objects", {}, settings={}, code="")
    with pytest.raises(ValueError, match="one.h5: expected two training scans or more to align shape and colour on"):
        coloured(tmp_path, made | {"train": tmp_path / "one.h5"})
    with pytest.raises(ValueError, match="--weights: expected a file of ImageNet weights of wide_resnet50_2 for modal"):
        coloured(tmp_path, made, network="wide_resnet50_2", weights="")
    with pytest.raises(ValueError, match="lite0.pth: expected bn1.bias of shape"):
        coloured(tmp_path, made, network="wide_resnet50_2")
    assert not (tmp_path / "model.pt").exists()
