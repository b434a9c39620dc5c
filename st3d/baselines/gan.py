"""Stage `gan`: the baseline f-AnoGAN on voxels or depth images of sound scans.

Schlegl et al., "f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial networks", 2019: a
Wasserstein GAN with gradient penalty learns to make sound images, then an encoder learns the way back.
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from st3d.baselines.image_inputs import ImageInputs
from st3d.baselines.image_networks import Encoder, Generator
from st3d.formats.atomic import locked, write_csv
from st3d.formats.checkpoints import save
from st3d.formats.images import Modality
from st3d.formats.provenance import provenance
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.memory import Memory
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, finished, run_hash

log = logging.getLogger("st3d")
GAN, ENCODER, GAN_VALIDATION, ENCODER_VALIDATION = range(4)  # random streams
Network = Callable[[Tensor], Tensor]
DECAYS = (0.0, 0.9)  # Adam's, as in the paper of the gradient penalty (Gulrajani et al., 2017)


def gan(
    *,
    train: Path,
    validation: Path,
    model: Path,
    critic_curve: Path,
    curve: Path,
    modality: Modality,
    latent: int,
    channels: int,
    epochs: int,
    batch: int,
    learning_rate: float,
    penalty: float,
    critic_steps: int,
    seed: int,
    device: Device,
    threads: int,
    cache_gb: float,
    code: str,
) -> None:
    """Train an f-AnoGAN on one category's sound scans: first generator and critic, then the encoder.

    Parameters
    ----------
    train : the category's training images, rotated copies included
    validation : its validation images
    model : the model to write: the last epoch's generator, the encoder at the epoch of its lowest validation loss
    critic_curve : CSV of the critic's losses per epoch to write; validation is without the penalty
    curve : CSV of the encoder's losses per epoch to write
    modality : 3d, or 3d_rgb for the colours too
    latent : numbers that an image is made of
    channels : of the encoder's first convolution; the others have multiples of it
    epochs : passes over the training images, for the GAN and for the encoder each
    batch : images a step
    learning_rate : Adam's step
    penalty : weight of the critic's gradient penalty
    critic_steps : steps of the critic for each step of the generator
    seed : of the initial weights and of all draws
    device : auto, cpu or cuda
    threads : CPU threads; they are part of the run, since they change the order of sums
    cache_gb : memory that may hold the images, GB
    code : fingerprint of the code, kept with the model
    """
    settings = {key: value for key, value in locals().items() if not isinstance(value, Path)}
    del settings["code"], settings["cache_gb"]
    set_threads(threads)
    where = choose_device(device)
    run = run_hash(settings | {"device": where.type}, [train, validation], code)
    made = provenance(settings, code) | {"kind": "baseline", "method": "gan", "run": run}

    memory = Memory(cache_gb, where)
    with (
        locked(model.with_suffix(".lock")),
        ImageInputs(train, modality, where, memory) as scans,
        ImageInputs(validation, modality, where, memory) as held_out,
    ):
        if finished(model, "baseline", run) and critic_curve.exists() and curve.exists():
            log.info("%s is already there", model)
            return
        held_out.images.check_alike(scans.described)
        sides = list(scans.images.sides)
        torch.manual_seed(seed)
        generator = Generator(scans.channels, sides, channels, latent).to(where)
        critic = Encoder(scans.channels, sides, channels, 1).to(where)
        encoder = Encoder(scans.channels, sides, channels, latent).to(where)
        training = Training(scans, held_out, where, run, latent, epochs, batch, learning_rate, seed)
        checkpoints = model.with_suffix(".gan.checkpoint"), model.with_suffix(".encoder.checkpoint")
        criticism = train_generator(training, generator, critic, penalty, critic_steps, checkpoints[0])
        generator.requires_grad_(False)
        learned = train_encoder(training, generator, encoder, checkpoints[1])

        write_csv(critic_curve, criticism.history, ["epoch", "train", "validation"])
        write_csv(curve, learned.history, ["epoch", "train", "validation"])
        encoder.load_state_dict(learned.best_weights)
        both = nn.ModuleDict({"encoder": encoder, "generator": generator}).cpu()
        network = {"inputs": scans.channels, "sides": sides, "channels": channels, "latent": latent}
        save(model, made | scans.described | {"network": network, "weights": both.state_dict()})
        for checkpoint in checkpoints:
            checkpoint.unlink(missing_ok=True)


@dataclass(frozen=True)
class Training:
    """What both trainings share: the images, the machine, and the settings of `gan`."""

    scans: ImageInputs
    held_out: ImageInputs
    device: torch.device
    run: str
    latent: int
    epochs: int
    batch: int
    learning_rate: float
    seed: int

    def batches(self, stream: int, epoch: int) -> Iterable[Tensor]:
        """The epoch's batches of images, in random order."""
        return self.scans.shuffled([self.seed, stream, epoch], self.batch, f"epoch {epoch}")

    def noise(self, stream: list[int], count: int) -> Tensor:
        """Latent numbers (count, z) of standard normal distribution, from a random stream of their own."""
        drawn = np.random.default_rng([self.seed, *stream]).standard_normal((count, self.latent), np.float32)
        return torch.from_numpy(drawn).to(self.device)


def train_generator(
    training: Training, generator: Generator, critic: Encoder, penalty: float, critic_steps: int, checkpoint: Path
) -> Progress:
    """Teach `generator` and `critic` by each other, `critic_steps` steps of one for a step of the other."""
    pair = nn.ModuleDict({"generator": generator, "critic": critic})
    makes = Adam(generator.parameters(), training.learning_rate, 0.0, DECAYS)
    judges = Adam(critic.parameters(), training.learning_rate, 0.0, DECAYS)
    progress = Progress(checkpoint, training.run, None, pair, [makes, judges], training.epochs)
    for epoch in progress.epochs_left():
        started, losses = time.monotonic(), []
        for number, images in enumerate(training.batches(GAN, epoch)):
            step = (epoch - 1) * -(-len(training.scans) // training.batch) + number
            latent = training.noise([GAN, epoch, number, 0], len(images))
            mix = torch.from_numpy(np.random.default_rng([training.seed, GAN, epoch, number, 1]).random(len(images)))
            with torch.no_grad():
                made = generator(latent)
            judges.zero_grad()
            loss = critic_loss(critic, images, made)
            loss = loss + penalty * gradient_penalty(critic, images, made, mix.float().to(images.device))
            loss.backward()
            judges.step()
            losses.append(loss.detach())
            if step % critic_steps == critic_steps - 1:
                makes.zero_grad()
                generator_loss(critic, generator(training.noise([GAN, epoch, number, 2], len(images)))).backward()
                makes.step()
        with torch.no_grad():
            held_losses = []
            for index in range(len(training.held_out)):
                made = generator(training.noise([GAN_VALIDATION, index], 1))
                held_losses.append(critic_loss(critic, training.held_out.batch([index]), made))
        progress.end_epoch(losses, held_losses, time.monotonic() - started)
    return progress


def train_encoder(training: Training, generator: Generator, encoder: Encoder, checkpoint: Path) -> Progress:
    """Teach `encoder` the way back through the frozen `generator`: image to image (izi) and latent to latent (ziz)."""
    optimizer = Adam(encoder.parameters(), training.learning_rate, 0.0)
    held_noise = [training.noise([ENCODER_VALIDATION, index], 1) for index in range(len(training.held_out))]
    progress = Progress(checkpoint, training.run, encoder, encoder, [optimizer], training.epochs)
    for epoch in progress.epochs_left():
        started, losses = time.monotonic(), []
        for number, images in enumerate(training.batches(ENCODER, epoch)):
            optimizer.zero_grad()
            loss = encoder_loss(encoder, generator, images, training.noise([ENCODER, epoch, number, 0], len(images)))
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        with torch.no_grad():
            held_losses = [
                encoder_loss(encoder, generator, training.held_out.batch([index]), noise)
                for index, noise in enumerate(held_noise)
            ]
        progress.end_epoch(losses, held_losses, time.monotonic() - started)
    return progress


def critic_loss(critic: Network, images: Tensor, made: Tensor) -> Tensor:
    """Minus the Wasserstein distance that the critic sees: it gives sound `images` high values and `made` ones low."""
    return critic(made).mean() - critic(images).mean()


def generator_loss(critic: Network, made: Tensor) -> Tensor:
    """Lower, the more the critic takes `made` images for sound."""
    return -critic(made).mean()


def encoder_loss(encoder: Network, generator: Network, images: Tensor, latent: Tensor) -> Tensor:
    """Mean squared differences of image to image (izi) and of latent to latent (ziz), of equal weight."""
    izi = (images - generator(encoder(images))).square().mean()
    return izi + (latent - encoder(generator(latent))).square().mean()


def gradient_penalty(critic: Network, images: Tensor, made: Tensor, mix: Tensor) -> Tensor:
    """How far the critic's slope is from 1 between sound and made images: mean of (norm - 1)^2.

    images, made : (b, c, *sides)
    mix : (b,) in [0, 1), where between the two the slope is taken

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017.
    """
    share = mix.view(-1, *([1] * (images.ndim - 1)))
    between = (share * images + (1 - share) * made).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()
