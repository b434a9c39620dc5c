"""Stage `cost`: what one scan costs in seconds and memory (the columns of Table 3), measured alone on the machine."""

import logging
import time
from dataclasses import asdict
from pathlib import Path

import torch

from st3d.evaluation.peak_memory import PeakMemory
from st3d.evaluation.processor import processor
from st3d.formats.atomic import read_json, write_json
from st3d.formats.provenance import provenance
from st3d.student_teacher.losses import regression
from st3d.student_teacher.network import DescriptorNetwork, NetworkSettings
from st3d.student_teacher.pair import Pair, standardised
from st3d.training.device import choose_device, set_threads
from st3d.training.inputs import Inputs
from st3d.training.optimizer import Adam
from st3d.training.settings import GraphSettings, Machine, flat

log = logging.getLogger("st3d")


def cost(
    *,
    train: list[Path],
    scale: Path,
    output: Path,
    graph: GraphSettings,
    network: NetworkSettings,
    repeats: int,
    machine: Machine,
    code: str,
) -> None:
    """Measure inference time and the memory of inference and of a training step on one training scan.

    Parameters
    ----------
    train
        Shards of scans; the first scan is used.
    scale
        JSON with the scans' mean neighbour distance, metres.
    output
        JSON to write: inference_seconds, training_memory_gb, inference_memory_gb, device.
    repeats
        Timed passes, whose median is written.
    code
        Fingerprint of the code, kept with the result.

    Raises
    ------
    ValueError
        If a shard or the scale's file is none, or there is no such device.
    """
    set_threads(machine.threads)
    device = choose_device(machine.device)
    # any weights cost the same
    teacher, student = (DescriptorNetwork(**asdict(network)).to(device) for _ in range(2))
    mean, std = torch.zeros(network.width, device=device), torch.ones(network.width, device=device)
    pair = Pair(teacher, student, mean, std, read_json(scale)["scale"], graph.points, graph.neighbours, 0)
    with Inputs(train, graph.points, graph.neighbours, pair.scale, device) as scans:
        scan = scans.graph(0)

    memory = PeakMemory(device)
    seconds = []
    for _ in range(repeats + 1):  # the first is the warm-up
        _synchronise(device)
        started = time.perf_counter()
        pair.scores(scan)
        _synchronise(device)
        seconds.append(time.perf_counter() - started)
    inference_memory = memory.grown_gb()

    optimizer = Adam(student.parameters(), learning_rate=0.001, weight_decay=0.00001)
    for _ in range(2):  # the second step holds the optimizer's state too
        with torch.no_grad():
            target = standardised(teacher.extract(scan), mean, std)
        optimizer.zero_grad()
        regression(student.extract(scan), target).backward()
        optimizer.step()
    training_memory = memory.grown_gb()

    result = {
        "inference_seconds": sorted(seconds[1:])[repeats // 2],
        "inference_memory_gb": inference_memory,
        "training_memory_gb": training_memory,
        "device": _name(device, machine.threads),
        "points": len(scan.points),
    }
    log.info("%s", result)
    settings = flat(graph, network, machine) | {"repeats": repeats}
    write_json(output, provenance(settings, code) | result)


def _synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _name(device: torch.device, threads: int) -> str:
    """The device's model, such as `AMD EPYC (1 thread)`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor()} ({threads} thread{'s' if threads > 1 else ''})"
