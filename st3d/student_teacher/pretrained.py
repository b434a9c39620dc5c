"""The teacher that the package brings, and stage `pretrained_teacher`, which makes its files."""

from pathlib import Path

from st3d.formats.atomic import atomic, read_json, write_json
from st3d.formats.provenance import provenance, sha256
from st3d.training.curves import validation_losses

FOLDER = Path(__file__).parents[1] / "pretrained"
MODEL, RECORD = "teacher.pt", "teacher.json"
PACKAGED = FOLDER / MODEL


def packaged_teacher(folder: Path = FOLDER) -> Path:
    """The packaged teacher's file, after a look at its checksum.

    Parameters
    ----------
    folder
        Where it and its record lie.

    Returns
    -------
    Path of the model, as stage `teacher` writes it

    Raises
    ------
    ValueError
        One line with the file: it is absent, or not the one of its record.
    """
    model, record = folder / MODEL, folder / RECORD
    for path in (model, record):
        if not path.is_file():
            raise ValueError(f"{path}: expected the package's teacher, found none; install st3d again")
    wanted, found = read_json(record).get("sha256"), sha256(model)
    if found != wanted:
        raise ValueError(f"{model}: expected checksum {wanted}, found {found}; install st3d again")
    return model


def pretrained_teacher(*, teacher: Path, curve: Path, output: Path, code: str) -> None:
    """Make the two files of a pretrained teacher for the package: the model, and a record of how it was made.

    Parameters
    ----------
    teacher
        Model, as stage `teacher` writes it.
    curve
        CSV of its losses per epoch.
    output
        Model to write, a copy; the record is written beside it (JSON: settings, code, checksum, losses).
    code
        Fingerprint of this stage's source; the record keeps that of the teacher's.

    Raises
    ------
    ValueError
        One line with the file: it holds no teacher, or the curve no epoch.
    """
    from st3d.formats.checkpoints import load  # torch: rules look at the packaged teacher without

    content = load(teacher, "teacher")
    validation = validation_losses(curve)
    if not validation:
        raise ValueError(f"{curve}: expected the losses of an epoch or more, found none")
    with atomic(output) as temporary:
        temporary.write_bytes(teacher.read_bytes())
    best = validation.index(min(validation)) + 1
    kept = {"epochs": len(validation), "best_epoch": best, "validation": min(validation)}
    write_json(
        output.with_name(RECORD), provenance(content["settings"], content["code"]) | kept | {"sha256": sha256(output)}
    )
