"""Stage `pretrain_ppf_foldnet`: PPF-FoldNet as a frozen feature extractor, trained or from a published checkpoint."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.extractors.ppf_foldnet.network import PPFFoldNet, chamfer_of_features, graph_features, layers_of
from st3d.formats.atomic import read_json
from st3d.formats.checkpoints import load_weights, read_tensors
from st3d.formats.provenance import sha256
from st3d.training.inputs import Inputs
from st3d.training.memory import read_ahead
from st3d.training.optimizer import Adam
from st3d.training.run import Progress, training_run
from st3d.training.settings import DecayedTrainingSettings, GraphSettings, Machine, flat

TRAINING, VALIDATION = 0, 1  # random streams


@dataclass(frozen=True, kw_only=True)
class PPFFoldNetSettings(DecayedTrainingSettings):
    """PPF-FoldNet and its pretraining.

    Parameters
    ----------
    checkpoint
        File of published weights, which are then taken as they are; empty: train.
    descriptors
        Points of a cloud that have a descriptor, the first ones of farthest point sampling.
    neighbourhood
        m, points of a neighbourhood.
    patches
        Neighbourhoods drawn per scene and step.
    """

    checkpoint: str
    descriptors: int
    neighbourhood: int
    patches: int


def pretrain_ppf_foldnet(
    *,
    train: list[Path],
    validation: list[Path],
    scale: list[Path],
    extractor: Path,
    curve: Path,
    graph: GraphSettings,
    training: PPFFoldNetSettings,
    machine: Machine,
    code: str,
) -> None:
    """Train PPF-FoldNet to reconstruct the point pair features of neighbourhoods, or convert a published checkpoint.

    Parameters
    ----------
    train
        Shards (HDF5) of training scenes, with graphs; these three are not read, and may be empty, with a checkpoint.
    validation
        Shards of validation scenes.
    scale
        JSON with the scenes' mean neighbour distance.
    extractor
        Model to write, at the epoch of the lowest validation loss.
    curve
        CSV of losses per epoch to write, in squares of the features; of a converted checkpoint only its header.
    code
        Fingerprint of this stage's source, kept with the model.

    Raises
    ------
    ValueError
        If the checkpoint is not one of PPF-FoldNet, a file is none of st3d, or a size is too small.
    """
    path = training.checkpoint
    torch.manual_seed(training.seed)
    network = PPFFoldNet(training.neighbourhood, training.descriptors)
    if path:
        load_published(network, Path(path))
    # the run depends on the file's content, not on its path
    settings = flat(graph, replace(training, checkpoint=sha256(Path(path)) if path else ""), machine)
    files = [] if path else [*train, *validation, *scale]
    model = {"neighbourhood": training.neighbourhood, "descriptors": training.descriptors}
    with training_run(
        extractor, [curve], "extractor", settings=settings, inputs=files, machine=machine, code=code
    ) as run:
        if run.finished:
            return
        if path:
            run.save(method="ppf_foldnet", model=model, weights=network.state_dict())
            return
        optimizer = Adam(network.to(run.device).parameters(), training.learning_rate, training.weight_decay)
        progress = Progress(run, curve, network, network, [optimizer], training.epochs)

        def draw(clouds: Inputs, index: int, *stream: int) -> Tensor:
            cloud = clouds.graph(index)
            n, rng = len(cloud.points), np.random.default_rng([training.seed, *stream, index])
            chosen = rng.choice(n, size=min(training.patches, n), replace=False)
            return graph_features(cloud, cloud.row_of_point[chosen], training.neighbourhood).to(run.device)

        # on the CPU, where neighbourhoods are searched
        size = graph.points, graph.neighbours, read_json(scale[0])["scale"], torch.device("cpu")
        with Inputs(train, *size) as scenes, Inputs(validation, *size) as validation_scenes:
            # the same neighbourhoods after every epoch, so that epochs compare
            indices = range(len(validation_scenes))
            validation_features = [draw(validation_scenes, index, VALIDATION) for index in indices]
            for epoch in progress:
                order = np.random.default_rng([training.seed, TRAINING, epoch.number]).permutation(len(scenes))
                batches = read_ahead(
                    (partial(draw, scenes, index, TRAINING, epoch.number) for index in order), run.device
                )
                network.train()  # batch normalisation by a step's own statistics
                for features in epoch.shown(batches, len(order)):
                    optimizer.zero_grad()
                    loss = reconstruction_loss(network, features)
                    loss.backward()
                    optimizer.step()
                    epoch.train.append(loss.detach())
                network.eval()  # by the running statistics
                with torch.no_grad():
                    epoch.validation += [reconstruction_loss(network, features) for features in validation_features]
        run.save(method="ppf_foldnet", model=model, weights=progress.best_weights)


def reconstruction_loss(network: PPFFoldNet, features: Tensor) -> Tensor:
    """Mean Chamfer distance between point pair features and their reconstruction.

    Parameters
    ----------
    network
        Reconstructs the features.
    features
        (p, m, 4) float32, as `patch_features` gives them.

    Returns
    -------
    () float32, in squares of the features
    """
    return chamfer_of_features(network(features), features).mean()


def load_published(network: PPFFoldNet, path: Path) -> None:
    """Put published weights into a network.

    Parameters
    ----------
    network
        Gets the weights.
    path
        File of a dictionary of tensors by name, as torch.save wrote it.

    Raises
    ------
    ValueError
        One line with the file, and with the tensor if it is missing, unknown, of other dimensions or not finite.
    """
    content = read_tensors(path, "published weights")
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected tensors by name, found {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f"{path}: expected tensors by name, found {name!r} of type {type(value).__name__}")
    load_weights(network, layers_of(content), path)
