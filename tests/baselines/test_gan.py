"""The f-AnoGAN: its losses, and that a killed run goes on as if nothing had happened."""

import numpy as np
import pytest
import torch
from killed import killed_in
from stage_call import call
from test_autoencoder import CPU, MACHINE, SETTINGS, images, train_autoencoder, training, validation_losses

from st3d.baselines.gan import critic_loss, encoder_loss, gan, generator_loss, gradient_penalty
from st3d.baselines.image_networks import Encoder, Generator
from st3d.baselines.scoring import load_baseline
from st3d.formats.checkpoints import load
from st3d.formats.images import Image, Images, write_images

__all__ = ["images"]  # the fixture
OWN = {"penalty": 10.0, "critic_steps": 2}


def train_gan(images, folder, **changed):
    curves = {"critic_curve": folder / "critic.csv", "curve": folder / "loss.csv"}
    call(gan, **images, model=folder / "model.pt", **curves, **(SETTINGS | OWN | MACHINE | changed))
    return folder / "model.pt"


def trained(model):
    """Encoder and generator of a model's file."""
    content = load(model, "baseline")
    network = content["network"]
    outputs, *shape = (network[name] for name in ("inputs", "sides", "channels", "latent"))
    parts = {"encoder": Encoder(outputs, *shape), "generator": Generator(outputs, *shape)}
    for name, part in parts.items():
        own = {key.partition(".")[2]: each for key, each in content["weights"].items() if key.startswith(name)}
        part.load_state_dict(own)
    return parts["encoder"], parts["generator"]


def test_the_penalty_is_how_far_the_critics_slope_is_from_1(rng):
    torch.manual_seed(1)
    critic = Encoder(1, (8, 8, 8), 2, 1).double()
    real, made = (torch.from_numpy(rng.standard_normal((3, 1, 8, 8, 8))) for _ in range(2))
    mix = torch.from_numpy(rng.random(3))
    expected = []
    for image, other, fraction in zip(real, made, mix, strict=True):
        at = fraction * image + (1 - fraction) * other
        slope = torch.zeros_like(at)
        for place in np.ndindex(*at.shape):  # central differences, one voxel at a time
            step = torch.zeros_like(at)
            step[place] = 1e-5
            slope[place] = (critic((at + step)[None]) - critic((at - step)[None])).item() / 2e-5
        expected.append((slope.norm() - 1) ** 2)
    found = gradient_penalty(critic, real, made, mix).item()
    assert found == pytest.approx(torch.stack(expected).mean().item(), rel=1e-4)


def test_the_critic_is_to_give_sound_images_more_than_made_ones():
    real, generated = torch.tensor([[5.0], [7.0]]), torch.tensor([[1.0], [2.0]])
    assert critic_loss(lambda images: images, real, generated) == pytest.approx(1.5 - 6.0)
    assert generator_loss(lambda images: 3 * images, generated) == pytest.approx(-4.5)


def test_the_encoders_loss_is_izi_plus_ziz():
    images, latent = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0]])
    encoder, generator = (lambda each: each.sum(dim=1, keepdim=True)), (lambda each: each.repeat(1, 2))
    # image (1, 2) -> 3 -> (3, 3); latent 3 -> (3, 3) -> 6
    assert encoder_loss(encoder, generator, images, latent) == pytest.approx((2**2 + 1**2) / 2 + 3**2)


def test_the_generator_comes_nearer_to_what_it_is_shown(images, tmp_path, rng):
    rows = [Image(np.full((1, 8, 8, 8), 0.9, np.float32), f"good/{index}", 0, (4, 4)) for index in range(8)]
    shown = {split: tmp_path / f"{split}.h5" for split in ("train", "validation")}
    for path in shown.values():
        write_images(path, rows, "voxels", {}, settings={}, code="")
    means = []
    for epochs in (1, 25):
        model = train_gan(shown, tmp_path / str(epochs), epochs=epochs, critic_steps=1)
        _, generator = trained(model)
        means.append(generator(torch.from_numpy(rng.standard_normal((16, 6), np.float32))).mean().item())
    assert abs(means[0]) < 0.5 < means[1]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", ["voxels", "depth"])
def test_training_on_a_gpu_ends_with_the_same_bytes_twice(images, tmp_path, kind):
    for train in (train_gan, train_autoencoder):
        first, second = (train(images[kind], tmp_path / name, device="cuda").read_bytes() for name in ("a", "b"))
        assert first == second
        (tmp_path / "a/model.pt").unlink(), (tmp_path / "b/model.pt").unlink()


@pytest.mark.parametrize("kind", ["voxels", "depth"])
def test_the_encoder_learns_the_way_back_and_scores_are_what_it_reconstructs_wrongly(images, tmp_path, kind):
    model = train_gan(images[kind], tmp_path, epochs=24)
    losses = validation_losses(tmp_path / "loss.csv")
    assert len(losses) == len(validation_losses(tmp_path / "critic.csv")) == 24
    assert min(losses) < losses[0]
    encoder, generator = trained(model)
    with Images(images[kind]["validation"]) as validation, torch.no_grad():
        values = torch.from_numpy(validation.image(0, "3d").values)[None]
        expected = (values - generator(encoder(values))).abs()[0, 0]
    assert torch.allclose(load_baseline(model, CPU).scores(values)[0], expected, atol=1e-6)


def test_the_generator_takes_one_step_for_so_many_of_the_critic(images, tmp_path, monkeypatch):
    from st3d.baselines import gan as module

    taken = []

    class Counting(module.Adam):
        def step(self):
            taken.append(self)
            super().step()

    monkeypatch.setattr(module, "Adam", Counting)
    train_gan(images["depth"], tmp_path, epochs=2, critic_steps=3)  # 8 images, 4 batches an epoch
    steps = sorted(taken.count(each) for each in dict.fromkeys(taken))
    assert steps == [2, 8, 8]  # generator, then critic and encoder


def test_equal_runs_give_equal_bytes_and_another_seed_others(images, tmp_path):
    first, second = (train_gan(images["voxels"], tmp_path / name).read_bytes() for name in ("a", "b"))
    assert first == second
    assert train_gan(images["voxels"], tmp_path / "c", seed=4).read_bytes() != first


@pytest.mark.parametrize("fatal", [2, 3, 4, 6])
def test_a_run_killed_in_either_training_ends_where_an_uninterrupted_one_does(images, tmp_path, fatal):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    train_gan(images["depth"], whole)
    killed_in(fatal, training("test_gan", "train_gan", images["depth"], folder))
    assert not (folder / "model.pt").exists()
    train_gan(images["depth"], folder)
    for name in ("model.pt", "critic.csv", "loss.csv"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes(), name
    assert not list(folder.glob("*.checkpoint"))
