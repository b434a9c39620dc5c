"""Stage `pretrain_ppf_foldnet`: PPF-FoldNet as a frozen feature extractor, by training or from published weights."""

import logging
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from st3d.extractors.ppf_foldnet.network import PPFFoldNet, chamfer_of_features, graph_features, layers_of
from st3d.formats.atomic import locked, read_json, write_csv
from st3d.formats.checkpoints import load_weights, read_tensors, save
from st3d.formats.provenance import provenance, sha256
from st3d.training.device import Device, choose_device, set_threads
from st3d.training.inputs import Inputs
from st3d.training.memory import ahead
from st3d.training.optimizer import Adam
from st3d.training.passes import trained, validated
from st3d.training.progress_bar import progress_bar
from st3d.training.run import Progress, finished, run_hash

log = logging.getLogger("st3d")
TRAINING, VALIDATION = 0, 1  # random streams


def pretrain_ppf_foldnet(
    *,
    train: list[Path],
    validation: list[Path],
    scale: list[Path],
    extractor: Path,
    curve: Path,
    points: int,
    neighbours: int,
    weights: str,
    descriptors: int,
    neighbourhood: int,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    patches: int,
    seed: int,
    device: Device,
    threads: int,
    code: str,
) -> None:
    """Train PPF-FoldNet to rebuild the point pair features of neighbourhoods, or take published weights.

    Parameters
    ----------
    train : shards of training scenes; these three are not read, and may be left empty, if `weights` are given
    validation : shards of validation scenes
    scale : the JSON with the scenes' mean neighbour distance
    extractor : the model to write
    curve : CSV of losses per epoch to write, in squares of the features; of published weights only its header
    points : n, points of a scene
    neighbours : k, neighbours of a point: normals are made of them, and the scale is their mean distance
    weights : file of published weights, which are then taken as they are; empty: train
    descriptors : points of a cloud that the extractor describes
    neighbourhood : m, points of a neighbourhood
    epochs : passes over the training scenes
    learning_rate : Adam's step
    weight_decay : Adam's L2 penalty
    patches : neighbourhoods drawn per scene and step
    seed : of the initial weights and of all draws
    device : auto, cpu or cuda
    threads : CPU threads; they are part of the run, since they change the order of sums
    code : fingerprint of the code, kept with the model
    """
    settings = {key: value for key, value in locals().items() if not isinstance(value, list | Path)}
    del settings["code"]
    set_threads(threads)
    where = choose_device(device)
    torch.manual_seed(seed)
    network = PPFFoldNet(neighbourhood, descriptors)
    if weights:  # the file, not its place, makes the run
        load_published(network, Path(weights))
        settings["weights"] = sha256(Path(weights))
    run = run_hash(settings | {"device": where.type}, [] if weights else [*train, *validation, *scale], code)
    made = provenance(settings, code) | {"kind": "extractor", "method": "ppf_foldnet", "run": run}

    checkpoint = extractor.with_suffix(".checkpoint")
    with locked(extractor.with_suffix(".lock")):
        if finished(extractor, "extractor", run) and curve.exists():
            log.info("%s is already there", extractor)
            return
        history, kept = [], network.state_dict()
        if not weights:
            optimizer = Adam(network.to(where).parameters(), learning_rate, weight_decay)
            progress = Progress(checkpoint, run, network, network, [optimizer], epochs)

            def draw(clouds: Inputs, stream: list[int], index: int) -> Tensor:
                graph = clouds.graph(index)
                n = len(graph.points)
                drawn = np.random.default_rng(stream).choice(n, size=min(patches, n), replace=False)
                return graph_features(graph, graph.row_of_point[drawn], neighbourhood).to(where)

            loss_of = partial(rebuilding_loss, network)
            s = read_json(scale[0])["scale"]
            host = torch.device("cpu")  # neighbourhoods are looked up there
            with (
                Inputs(train, points, neighbours, s, host) as scenes,
                Inputs(validation, points, neighbours, s, host) as held_out,
            ):
                # the same neighbourhoods after every epoch, so that epochs compare
                held_features = [draw(held_out, [seed, VALIDATION, index], index) for index in range(len(held_out))]
                for epoch in progress.epochs_left():
                    started = time.monotonic()
                    order = np.random.default_rng([seed, TRAINING, epoch]).permutation(len(scenes))
                    drawn = (partial(draw, scenes, [seed, TRAINING, epoch, index], index) for index in order)
                    shown = progress_bar(ahead(drawn, where), f"epoch {epoch}", len(order))
                    losses = trained(network, optimizer, shown, loss_of)
                    held_losses = validated(network, held_features, loss_of)
                    progress.end_epoch(losses, held_losses, time.monotonic() - started)
            history, kept = progress.history, progress.best_weights

        write_csv(curve, history, ["epoch", "train", "validation"])
        model = {"neighbourhood": neighbourhood, "descriptors": descriptors}
        save(extractor, made | {"model": model, "weights": kept})
        checkpoint.unlink(missing_ok=True)


def rebuilding_loss(network: PPFFoldNet, features: Tensor) -> Tensor:
    """Mean Chamfer distance between point pair features (p, m, 4) and what the network makes of them."""
    return chamfer_of_features(network(features), features).mean()


def load_published(network: PPFFoldNet, path: Path) -> None:
    """Put the weights in `path`, a dictionary of tensors by name, into `network`.

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
        if not bool(torch.isfinite(value).all()):
            raise ValueError(f"{path}: expected finite numbers, found others in {name}")
    load_weights(network, layers_of(content), path)
