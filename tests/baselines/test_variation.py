import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_dataset import write_small_dataset
from test_depth import make_depth
from test_frame import make_frame
from test_voxels import make_voxels

from st3d.baselines.scoring import load_baseline, mahalanobis
from st3d.baselines.variation import variation
from st3d.evaluation.maps import maps
from st3d.formats.images import Image, Images, write_images
from st3d.formats.scans import list_samples, read_map, read_mask
from st3d.kernels.pro import au_pro

CPU = torch.device("cpu")


def train_variation(images, folder, modality="3d", least_std=1e-3):
    variation(train=images, model=folder / "model.pt", modality=modality, least_std=least_std, code="")
    return folder / "model.pt"


def all_values(path, modality):
    with Images(path) as images:
        return np.stack([images.image(index, modality).values for index in range(len(images))]), images.copies


def test_scores_are_mahalanobis_distances_from_the_training_scans(tmp_path, rng):
    make_frame(write_small_dataset(tmp_path, rng))
    train, test = make_voxels(tmp_path, "train", copies=1), make_voxels(tmp_path, "test")
    for modality in ("3d", "3d_rgb"):
        model = load_baseline(train_variation(train, tmp_path, modality), CPU)
        values, copies = all_values(train, modality)
        values, image = values[copies == 0].astype(float), all_values(test, modality)[0][0]
        found = model.scores(torch.from_numpy(image)[None])[0].numpy()
        for cell in zip(*rng.integers(0, 8, (3, 300)), strict=True):
            squared = 0.0
            for channel in range(values.shape[1]):
                samples = [values[(number, channel, *cell)] for number in range(len(values))]
                mean = sum(samples) / len(samples)
                std = (sum((each - mean) ** 2 for each in samples) / len(samples)) ** 0.5
                squared += ((image[(channel, *cell)] - mean) / max(std, 1e-3)) ** 2
            assert np.isclose(found[cell], squared**0.5, rtol=1e-4, atol=1e-4)


@given(st.integers(0, 1000))
def test_channels_are_independent(seed):
    rng = np.random.default_rng(seed)
    image, mean, std = (torch.from_numpy(rng.random((1, 3, 2, 2)) + 0.1) for _ in range(3))
    alone = [mahalanobis(image[:, c : c + 1], mean[0, c : c + 1], std[0, c : c + 1]) for c in range(3)]
    together = mahalanobis(image, mean[0], std[0])
    assert torch.allclose(together, torch.stack(alone).square().sum(dim=0).sqrt())


def au_pro_of(dataset, model, test, folder):
    maps(
        method="voxel_vm",
        models=[model],
        test=[test],
        output=folder,
        manifest=folder / "maps.csv",
        device="cpu",
        threads=1,
        code="",
    )
    samples = list_samples(dataset, "part", "test")
    found = [read_map(folder / "test" / f"{sample.name}.tiff") for sample in samples]
    return au_pro(found, [read_mask(sample.mask) for sample in samples])


def reordered(path, order, names=None):
    """The same training images in another order; with `names` under other names too."""
    with Images(path) as images:
        rows = [images.image(index, "3d") for index in order]
        if names:
            rows = [Image(row.values, name, row.copy_number, row.size) for row, name in zip(rows, names, strict=True)]
        other = path.with_suffix(".reordered.h5")
        write_images(other, rows, images.kind, images.frame, settings={}, code="")
    return other


def test_the_order_of_the_training_scans_changes_no_au_pro(tmp_path, rng):
    dataset = write_small_dataset(tmp_path / "data", rng, counts=(7, 1, 3))
    make_frame(dataset)
    for make in (make_voxels, make_depth):
        train, test = make(dataset, "train"), make(dataset, "test")
        expected = au_pro_of(dataset, train_variation(train, tmp_path / "a"), test, tmp_path / "a")
        assert 0 < expected < 1
        order = rng.permutation(7).tolist()
        shuffled = train_variation(reordered(train, order), tmp_path / "b")
        assert shuffled.read_bytes() == (tmp_path / "a/model.pt").read_bytes()
        renamed = train_variation(reordered(train, order, [f"good/{i}" for i in range(7)]), tmp_path / "c")
        assert abs(au_pro_of(dataset, renamed, test, tmp_path / "c") - expected) < 1e-6


def test_what_never_varies_has_the_least_deviation(tmp_path, rng):
    values = np.full((1, 8, 8, 8), -1, np.float32)
    rows = [Image(values, f"good/{index}", 0, (4, 4)) for index in range(3)]
    write_images(tmp_path / "a.h5", rows, "voxels", {}, settings={}, code="")
    model = load_baseline(train_variation(tmp_path / "a.h5", tmp_path, least_std=0.25), CPU)
    assert torch.equal(model.scores(torch.ones(1, 1, 8, 8, 8)), torch.full((1, 8, 8, 8), 8.0))
