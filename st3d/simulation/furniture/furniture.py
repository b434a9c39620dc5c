"""Furniture meshes for the embedded default's pretraining: ModelNet10's kinds, folder layout and OFF format."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from st3d.formats import folders
from st3d.formats.atomic import write_json
from st3d.formats.provenance import provenance
from st3d.simulation.furniture import cases, shells
from st3d.simulation.furniture.parts import Mesh

log = logging.getLogger("st3d")

KINDS: dict[str, Callable[[np.random.Generator], Mesh]] = {
    "bathtub": shells.bathtub,
    "bed": cases.bed,
    "chair": shells.chair,
    "desk": cases.desk,
    "dresser": cases.dresser,
    "monitor": shells.monitor,
    "night_stand": cases.night_stand,
    "sofa": shells.sofa,
    "table": cases.table,
    "toilet": shells.toilet,
}


def furniture(*, output: Path, training: int, test: int, seed: int, code: str) -> None:
    """Make furniture meshes.

    Parameters
    ----------
    output
        Folder that gets <kind>/train/<kind>_0001.off and so on; an earlier one is replaced.
    training
        Training meshes of each kind.
    test
        Test meshes of each kind.
    seed
        Start of the random streams.
    code
        Fingerprint of this stage's source, kept in complete.json.

    Raises
    ------
    ValueError
        If a number is negative, or `output` holds files that st3d did not write.
    """
    output = Path(output)
    for name, count in (("training", training), ("test", test), ("seed", seed)):
        if count < 0:
            raise ValueError(f"{output}: expected {name} of at least 0, found {count}")
    files = []
    with folders.replaced(output) as partial:
        for number, kind in enumerate(KINDS):
            for split, (folder, first, count) in enumerate((("train", 1, training), ("test", training + 1, test))):
                for index in range(count):
                    path = Path(kind) / folder / f"{kind}_{first + index:04d}.off"
                    write_off(partial / path, KINDS[kind](np.random.default_rng([seed, number, split, index])))
                    files.append(str(path))
    log.info("%s: %d meshes", output, len(files))
    settings = {"training": training, "test": test, "seed": seed}
    write_json(output / "complete.json", {**provenance(settings, code), "files": sorted(files)})


def write_off(path: Path, mesh: Mesh) -> None:
    """Write a mesh as OFF text; a triangle that has two corners in one place, or all three on a line, is left out.

    Parameters
    ----------
    path
        The file; its folder is made.
    mesh
        Vertices (v, 3), centimetres, written with five decimals, and triangles (t, 3).
    """
    vertices, triangles = mesh
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    triangles = triangles[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-9]
    lines = ["OFF", f"{len(vertices)} {len(triangles)} 0"]
    lines += [f"{x:.5f} {y:.5f} {z:.5f}" for x, y, z in vertices]
    lines += [f"3 {i} {j} {k}" for i, j, k in triangles]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
