"""`python -m benchmarks.uninformed_decoder RESULTS VARIANT [EPOCHS]`: a teacher's loss if its descriptors said nothing.

A decoder is trained as RESULTS/teacher/VARIANT was, on the scenes of RESULTS's base, but with the same descriptor for
every point. The teacher has learned as much as its validation loss is below the one that this prints last.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from st3d.formats.atomic import read_json
from st3d.formats.checkpoints import load
from st3d.kernels.nearest import chamfer_of_sets
from st3d.student_teacher.network import AGGREGATIONS_PER_BLOCK, Decoder
from st3d.student_teacher.teacher import draw_task
from st3d.training.device import set_threads
from st3d.training.inputs import Inputs


def losses(train: list[Path], validation: list[Path], unit: float, settings: dict, epochs: int) -> Iterator[float]:
    """The validation loss after each epoch, in squared units of the scale.

    Parameters
    ----------
    train, validation
        Shards of scenes with their graphs.
    unit
        Their scale.
    settings
        Those of a teacher.
    epochs
        Passes over the training scenes.
    """
    n, k, hops = settings["points"], settings["neighbours"], AGGREGATIONS_PER_BLOCK * settings["blocks"]
    fields = settings["receptive_fields"]
    torch.manual_seed(settings["seed"])
    decoder = Decoder(settings["width"], settings["decoded_points"])
    descriptor = torch.ones(1, settings["width"])
    optimizer = torch.optim.Adam(decoder.parameters(), settings["learning_rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    device = torch.device("cpu")
    with Inputs(train, n, k, unit, device) as scenes, Inputs(validation, n, k, unit, device) as validation_scenes:

        def loss(clouds: Inputs, index: int, *stream: int) -> torch.Tensor:
            task = draw_task(clouds.graph(index), hops, fields, np.random.default_rng([*stream, index]))
            decoded = decoder(descriptor.expand(len(task.offsets) - 1, -1))
            return chamfer_of_sets(decoded, task.fields, task.offsets).mean()

        for epoch in range(epochs):
            for index in np.random.default_rng([1, epoch]).permutation(len(scenes)):
                optimizer.zero_grad()
                loss(scenes, int(index), 1, epoch).backward()
                optimizer.step()
            schedule.step()
            with torch.no_grad():
                ends = [loss(validation_scenes, index, 2) for index in range(len(validation_scenes))]
            yield float(torch.stack(ends).mean())


if __name__ == "__main__":
    set_threads(1)
    folder, variant, *rest = sys.argv[1:]
    settings = load(Path(folder, "teacher", variant, "teacher.pt"), "teacher")["settings"]
    shards = [sorted(Path(folder).glob(f"graph/base/scenes/{split}_*.h5")) for split in ("train", "validation")]
    unit = read_json(Path(folder, "scale/base/scenes.json"))["scale"]
    for number, value in enumerate(losses(*shards, unit, settings, int(rest[0]) if rest else 5), 1):
        sys.stdout.write(f"epoch {number}: validation loss {value:.4f}\n")
        sys.stdout.flush()
