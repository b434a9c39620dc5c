"""Stage `gan`: the baseline f-AnoGAN on voxels or depth images of anomaly-free scans.

Schlegl et al., "f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial networks", 2019: a
Wasserstein GAN with gradient penalty learns to generate anomaly-free images, then an encoder learns to invert it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from st3d.baselines.image_inputs import ImageInputs, ImageTrainingSettings
from st3d.baselines.image_networks import Encoder, Generator
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import Machine, flat

GAN, ENCODER, GAN_VALIDATION, ENCODER_VALIDATION = range(4)  # random streams
Network = Callable[[Tensor], Tensor]
DECAYS = (0.0, 0.9)  # Adam's, as in the paper of the gradient penalty (Gulrajani et al., 2017)


@dataclass(frozen=True, kw_only=True)
class GanSettings(ImageTrainingSettings):
    """The f-AnoGAN's training; its epochs are those of the GAN and of its encoder each.

    Parameters
    ----------
    penalty
        Weight of the critic's gradient penalty.
    critic_steps
        Steps of the critic for each step of the generator.
    """

    penalty: float
    critic_steps: int


def gan(
    *,
    train: Path,
    validation: Path,
    model: Path,
    critic_curve: Path,
    curve: Path,
    training: GanSettings,
    machine: Machine,
    cache_gb: float,
    code: str,
) -> None:
    """Train an f-AnoGAN on one category's anomaly-free scans: first generator and critic, then the encoder.

    Parameters
    ----------
    train
        The category's training images (HDF5), rotated copies included.
    validation
        Its validation images.
    model
        Model to write: the last epoch's generator, the encoder at the epoch of its lowest validation loss.
    critic_curve
        CSV of the critic's losses per epoch to write; validation is without the penalty.
    curve
        CSV of the encoder's losses per epoch to write.
    cache_gb
        Memory that may hold the images, GB.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        If a file is none of images, the network cannot take their sides, or validation images are unlike training ones.
    """
    settings, files, curves = flat(training, machine), [train, validation], [critic_curve, curve]
    with (
        training_run(
            model, curves, "baseline", settings=settings, inputs=files, machine=machine, code=code, cache_gb=cache_gb
        ) as run,
        ImageInputs(train, training.modality, run.device, run.memory) as images,
        ImageInputs(validation, training.modality, run.device, run.memory) as validation_images,
    ):
        if run.finished:
            return
        validation_images.images.check_alike(images.properties)
        dimensions = training.dimensions(images)
        torch.manual_seed(training.seed)
        generator = Generator(images.channels, dimensions["sides"], training.channels, training.latent).to(run.device)
        critic = Encoder(**dimensions | {"latent": 1}).to(run.device)
        encoder = Encoder(**dimensions).to(run.device)

        pair = nn.ModuleDict({"generator": generator, "critic": critic})
        generator_optimizer = Adam(generator.parameters(), training.learning_rate, 0.0, DECAYS)
        critic_optimizer = Adam(critic.parameters(), training.learning_rate, 0.0, DECAYS)
        optimizers = [generator_optimizer, critic_optimizer]
        data = Data(images, validation_images, run.device, training)
        progress = Progress(run, critic_curve, None, pair, optimizers, training.epochs, name=".gan")
        train_generator(progress, data, generator, critic, generator_optimizer, critic_optimizer)
        generator.requires_grad_(False)
        optimizer = Adam(encoder.parameters(), training.learning_rate, 0.0)
        progress = Progress(run, curve, encoder, encoder, [optimizer], training.epochs, name=".encoder")
        train_encoder(progress, data, generator, encoder, optimizer)

        encoder.load_state_dict(progress.best_weights)
        both = nn.ModuleDict({"encoder": encoder, "generator": generator}).cpu()
        run.save(method="gan", **images.properties, network=dimensions, weights=both.state_dict())


@dataclass(frozen=True)
class Data:
    """The inputs of both trainings: images, and noise from random streams.

    Attributes
    ----------
    images, validation
        Training and validation images.
    device
        Device of the noise.
    training
        Gives batch size, z and the streams' seed.
    """

    images: ImageInputs
    validation: ImageInputs
    device: torch.device
    training: GanSettings

    def batches(self, stream: int, epoch: int) -> Iterable[Tensor]:
        """The epoch's training images in batches (b, c, *sides) float32, in the random order of a stream's number."""
        return self.images.shuffled([self.training.seed, stream, epoch], self.training.batch, f"epoch {epoch}")

    def noise(self, stream: list[int], count: int) -> Tensor:
        """Latent vectors (count, z) float32 of standard normal distribution, from the stream of these numbers."""
        rng = np.random.default_rng([self.training.seed, *stream])
        return torch.from_numpy(rng.standard_normal((count, self.training.latent), np.float32)).to(self.device)

    def fractions(self, stream: list[int], count: int) -> Tensor:
        """Numbers (count,) float32 of uniform distribution in [0, 1), from the stream of these numbers."""
        rng = np.random.default_rng([self.training.seed, *stream])
        return torch.from_numpy(rng.random(count)).float().to(self.device)


def train_generator(
    progress: Progress,
    data: Data,
    generator: Generator,
    critic: Encoder,
    generator_optimizer: Adam,
    critic_optimizer: Adam,
) -> None:
    """Train generator and critic against each other, `critic_steps` steps of the critic for one of the other.

    Parameters
    ----------
    progress
        The epochs; it gets the critic's losses, in validation without the penalty.
    data
        Images and noise.
    generator
        (b, z) to (b, c, *sides); trained in place.
    critic
        (b, c, *sides) to (b, 1); trained in place.
    generator_optimizer, critic_optimizer
        Of their parameters.
    """
    training = data.training
    for epoch in progress:
        for number, images in enumerate(data.batches(GAN, epoch.number)):
            stream = [GAN, epoch.number, number]
            with torch.no_grad():
                generated = generator(data.noise([*stream, 0], len(images)))
            critic_optimizer.zero_grad()
            loss = critic_loss(critic, images, generated)
            mix = data.fractions([*stream, 1], len(images))
            loss = loss + training.penalty * gradient_penalty(critic, images, generated, mix)
            loss.backward()
            critic_optimizer.step()
            epoch.train.append(loss.detach())
            step = (epoch.number - 1) * -(-len(data.images) // training.batch) + number
            if step % training.critic_steps == training.critic_steps - 1:
                generator_optimizer.zero_grad()
                generator_loss(critic, generator(data.noise([*stream, 2], len(images)))).backward()
                generator_optimizer.step()
        with torch.no_grad():
            for index in range(len(data.validation)):
                generated = generator(data.noise([GAN_VALIDATION, index], 1))
                epoch.validation.append(critic_loss(critic, data.validation.batch([index]), generated))


def train_encoder(progress: Progress, data: Data, generator: Generator, encoder: Encoder, optimizer: Adam) -> None:
    """Train an encoder to invert the frozen generator: image to image (izi) and latent to latent (ziz).

    Parameters
    ----------
    progress
        The epochs; it gets the losses of `encoder_loss`.
    data
        Images and noise.
    generator
        (b, z) to (b, c, *sides); frozen.
    encoder
        (b, c, *sides) to (b, z); trained in place.
    optimizer
        Of the encoder's parameters.
    """
    validation_noise = [data.noise([ENCODER_VALIDATION, index], 1) for index in range(len(data.validation))]
    for epoch in progress:
        for number, images in enumerate(data.batches(ENCODER, epoch.number)):
            optimizer.zero_grad()
            noise = data.noise([ENCODER, epoch.number, number, 0], len(images))
            loss = encoder_loss(encoder, generator, images, noise)
            loss.backward()
            optimizer.step()
            epoch.train.append(loss.detach())
        with torch.no_grad():
            epoch.validation += [
                encoder_loss(encoder, generator, data.validation.batch([index]), noise)
                for index, noise in enumerate(validation_noise)
            ]


def critic_loss(critic: Network, images: Tensor, generated: Tensor) -> Tensor:
    """Minus the critic's estimate of the Wasserstein distance between real and generated images.

    Parameters
    ----------
    critic
        (b, c, *sides) to (b, 1).
    images, generated
        (b, c, *sides) float32.

    Returns
    -------
    () float32, of any sign
    """
    return critic(generated).mean() - critic(images).mean()


def generator_loss(critic: Network, generated: Tensor) -> Tensor:
    """Minus the mean () of the critic's values (b, 1) of `generated` images (b, c, *sides) float32; of any sign."""
    return -critic(generated).mean()


def encoder_loss(encoder: Network, generator: Network, images: Tensor, latent: Tensor) -> Tensor:
    """Mean squared differences of image to image (izi) and of latent to latent (ziz), of equal weight.

    Parameters
    ----------
    encoder, generator
        (b, c, *sides) to (b, z), and back.
    images
        (b, c, *sides) float32.
    latent
        (b, z) float32.

    Returns
    -------
    () float32, their sum
    """
    izi = (images - generator(encoder(images))).square().mean()
    return izi + (latent - encoder(generator(latent))).square().mean()


def gradient_penalty(critic: Network, images: Tensor, generated: Tensor, mix: Tensor) -> Tensor:
    """Mean of (norm of the critic's gradient - 1)^2 between real and generated images.

    Parameters
    ----------
    critic
        (b, c, *sides) to (b, 1).
    images, generated
        (b, c, *sides) float32.
    mix
        (b,) in [0, 1). Where between the two the slope is taken.

    Returns
    -------
    () float32, 0 or more

    Notes
    -----
    Gulrajani et al., "Improved Training of Wasserstein GANs", 2017.
    """
    weight = mix.view(-1, *([1] * (images.ndim - 1)))
    between = (weight * images + (1 - weight) * generated).requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()
