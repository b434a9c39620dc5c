"""Stage `evidence_row`: all that was measured of one variant, and where it comes from, in one small file.

The evidence is made of such files alone. They are kept with the code, so that a row need not be run again to stand
beside those that are run later.
"""

import datetime
import subprocess
from pathlib import Path
from typing import Any

from st3d.evaluation.columns import EPOCHS, read_losses
from st3d.evaluation.job_logs import costs, gpus
from st3d.evaluation.report import origin
from st3d.formats.atomic import read_json, write_json

NONE = "none"  # an empty text among many would be no flag's value
DIGITS = 6  # of losses


def evidence_row(
    *,
    variant: Path,
    protocol: str,
    repeats: str,
    differs: str,
    intervals: list[str],
    costs_of_table3: list[Path],
    curves: list[str],
    jobs: list[Path],
    tables: list[str],
    settings: str,
    data: list[str],
    output: Path,
    code: str,
) -> None:
    """Collect all that was measured of one variant.

    Parameters
    ----------
    variant
        JSON of the variant, as stage `variant` writes it.
    protocol
        How it was scored: full, or such as 224_masked.
    repeats
        The variant that it repeats with other seeds; itself where it repeats none.
    differs
        What it has set otherwise than the base, as "section.key=value ..."; "none": nothing.
    intervals
        Texts <category>=<JSON of stage interval>; none where there are none.
    costs_of_table3
        JSON of its seconds and memory as stage `cost` measures them; none where table3 does not show it.
    curves
        Texts <network>=<CSV of losses>; the network is an extractor's stage or a category.
    jobs
        Folders with the logs of its jobs, <results>/<stage>/<variant that the stage was run for>.
    tables
        Names of the tables that show it.
    settings
        Hash of all settings that lead to its scores.
    data
        Folders of scans, meshes and clouds that lead to its scores.
    output
        JSON to write. Scores are fractions in [0, 1], losses in the networks' units, times in seconds.
    code
        Fingerprint of the code of this stage; the row has that of its scores beside it.

    Raises
    ------
    ValueError
        If a file is not what its flag says.
    """
    content = read_json(variant)
    times = {f"{each.parent.name}/{each.name}": [vars(time) for time in origin.times([each])] for each in jobs}
    row: dict[str, Any] = {
        "variant": content["variant"], "scores": content, "protocol": protocol, "repeats": repeats,
        "differs": "" if differs == NONE else differs, "tables": tables, "settings": settings, "data": data,
        "intervals": {name: read_json(Path(path)) for name, path in map(_divided, intervals)},
        "cost": read_json(costs_of_table3[0]) if costs_of_table3 else {},
        "losses": {name: _losses(Path(path)) for name, path in map(_divided, curves)},
        "spent": costs(jobs, list(content["categories"])),
        "times": {name: found[0] for name, found in times.items() if found},
        "commit": commit(), "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": origin.machine(), "gpus": gpus(jobs), "versions": origin.versions(), "evidence_code": code,
    }  # fmt: skip
    write_json(output, row)


def _divided(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals:
        raise ValueError(f"expected <name>=<path>, found {text}")
    return name, path


def _losses(path: Path) -> list[list[float]]:
    """Epoch, training and validation loss of each epoch."""
    return [[float(f"{value:.{DIGITS}g}") for value in epoch] for epoch in read_losses(path)[[*EPOCHS]].to_numpy()]


def commit() -> str:
    """The commit of the code that runs, with -dirty where files but results differ; empty outside a checkout."""
    found = _git("rev-parse", "HEAD")
    # results that are kept with the code are no change of the code
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)docs/results")
    return found + ("-dirty" if found and changed else "")


def _git(*arguments: str) -> str:
    """What git says of this package's checkout; empty if it cannot."""
    command = ["git", "-C", str(Path(__file__).parents[3]), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
