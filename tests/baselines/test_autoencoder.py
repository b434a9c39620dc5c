"""The autoencoder: what it is trained on, and that a killed run goes on as if nothing had happened."""

import numpy as np
import pytest
import torch
from killed import killed_in
from small_dataset import write_small_dataset
from stage_call import call
from test_depth import make_depth
from test_frame import make_frame
from test_voxels import make_voxels

from st3d.baselines.autoencoder import autoencoder, empty_fraction, reconstruction_loss
from st3d.baselines.image_inputs import ImageInputs
from st3d.baselines.scoring import load_baseline
from st3d.formats.checkpoints import load
from st3d.formats.images import Images
from st3d.training.memory import Memory

CPU = torch.device("cpu")
SETTINGS = {"modality": "3d", "latent": 6, "channels": 4, "epochs": 3, "batch": 2, "learning_rate": 1e-3, "seed": 3}
MACHINE = {"device": "cpu", "threads": 1, "cache_gb": 1.0, "code": "test"}


@pytest.fixture
def images(tmp_path, rng):
    """Training and validation images of both kinds."""
    dataset = write_small_dataset(tmp_path / "data", rng, counts=(4, 2, 1))
    make_frame(dataset)
    splits = ("train", "validation")
    voxels = {split: make_voxels(dataset, split, copies=1) for split in splits}
    return {"voxels": voxels, "depth": {split: make_depth(dataset, split, copies=1) for split in splits}}


def train_autoencoder(images, folder, **changed):
    call(autoencoder, **images, model=folder / "model.pt", curve=folder / "loss.csv", **(SETTINGS | MACHINE | changed))
    return folder / "model.pt"


def training(module, function, images, folder):
    """Source of a training, for a process of its own."""
    paths = ", ".join(f"{split!r}: Path({str(path)!r})" for split, path in images.items())
    return f"import {module}\n{module}.{function}({{{paths}}}, Path({str(folder)!r}))\n"


def validation_losses(path):
    return [float(line.split(",")[2]) for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("kind", ["voxels", "depth"])
@pytest.mark.parametrize("modality", ["3d", "3d_rgb"])
def test_training_lowers_the_validation_loss_and_scores_are_what_it_reconstructs_wrongly(
    images, tmp_path, kind, modality
):
    model = train_autoencoder(images[kind], tmp_path, epochs=8, modality=modality)
    losses = validation_losses(tmp_path / "loss.csv")
    assert len(losses) == 8 and min(losses[4:]) < losses[0]
    baseline = load_baseline(model, CPU)
    with ImageInputs(images[kind]["train"], modality, CPU, Memory(1, CPU)) as scans:
        empty = empty_fraction(scans) if kind == "voxels" else 0.0
    # the loss is a mean of squares, of voxels a weighted one: it follows from the scores of the validation images
    expected = []
    with Images(images[kind]["validation"]) as validation:
        for index in range(len(validation)):
            values = torch.from_numpy(validation.image(index, modality).values)[None]
            scores = baseline.scores(values)
            assert scores.shape == (1, *validation.sides)
            weights = torch.where((values > -0.5).any(dim=1), empty, 1 - empty) if kind == "voxels" else 1
            expected.append((scores.square() * weights).mean() / values.shape[1])
    assert float(torch.stack(expected).mean()) == pytest.approx(min(losses), rel=1e-5)


def test_occupied_voxels_count_by_the_share_of_empty_ones(rng):
    images = np.where(rng.random((2, 1, 4, 4, 4)) < 0.1, 1.0, -1.0)
    reconstructed = rng.uniform(-1, 1, images.shape)
    expected = 0.0
    for value, other in zip(images.ravel(), reconstructed.ravel(), strict=True):
        expected += (0.9 if value == 1 else 0.1) * (value - other) ** 2
    found = reconstruction_loss(torch.from_numpy(images), torch.from_numpy(reconstructed), 0.9)
    assert float(found) == pytest.approx(expected / images.size)


def test_the_share_of_empty_voxels_is_that_of_the_training_grids(images):
    with Images(images["voxels"]["train"]) as grids:
        values = np.stack([grids.image(index, "3d").values for index in range(len(grids))])
    for modality in ("3d", "3d_rgb"):
        with ImageInputs(images["voxels"]["train"], modality, CPU, Memory(0, CPU)) as scans:
            assert empty_fraction(scans) == pytest.approx((values == -1).mean())


def test_keeping_the_images_changes_no_bit(images, tmp_path):
    models = [train_autoencoder(images["voxels"], tmp_path / str(gb), cache_gb=gb) for gb in (0.0, 1.0)]
    assert models[0].read_bytes() == models[1].read_bytes()


@pytest.mark.parametrize("fatal", [1, 3])
def test_a_run_killed_in_an_epoch_ends_where_an_uninterrupted_one_does(images, tmp_path, fatal):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    train_autoencoder(images["depth"], whole)
    killed_in(fatal, training("test_autoencoder", "train_autoencoder", images["depth"], folder))
    assert not (folder / "model.pt").exists()
    train_autoencoder(images["depth"], folder)
    for name in ("model.pt", "loss.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.glob("*.checkpoint"))


def test_a_finished_run_is_not_trained_again(images, tmp_path):
    path = train_autoencoder(images["depth"], tmp_path)
    before = path.stat().st_mtime_ns
    train_autoencoder(images["depth"], tmp_path)
    assert path.stat().st_mtime_ns == before
    train_autoencoder(images["depth"], tmp_path, seed=99)
    assert path.stat().st_mtime_ns != before


def test_a_grid_that_does_not_halve_is_one_line(images, tmp_path, rng):
    dataset = write_small_dataset(tmp_path / "odd", rng)
    make_frame(dataset)
    odd = {split: make_voxels(dataset, split, cells=12) for split in ("train", "validation")}
    with pytest.raises(ValueError, match="voxels_train.h5: voxels: expected a cube of a power of two cells a side"):
        train_autoencoder(odd, tmp_path)


def test_validation_images_of_another_kind_are_refused(images, tmp_path):
    mixed = {"train": images["depth"]["train"], "validation": images["voxels"]["validation"]}
    with pytest.raises(ValueError, match=r"voxels_validation.h5: expected input depth, .* found voxels"):
        train_autoencoder(mixed, tmp_path)


def test_other_weights_than_the_network_has_are_refused(images, tmp_path):
    path = train_autoencoder(images["depth"], tmp_path)
    from st3d.formats.checkpoints import save

    content = load(path, "baseline")
    save(path, content | {"network": content["network"] | {"latent": 7}})
    with pytest.raises(ValueError, match=r"model.pt: expected encoder.layers.27.bias of shape \(7,\), found \(6,\)"):
        load_baseline(path, CPU)
