"""Stage `methods`: all methods in one table: scores, seconds, memory; each published row above its measured one."""

from pathlib import Path

from st3d.evaluation import methods_rows
from st3d.evaluation.job_logs import costs
from st3d.formats.atomic import read_json, write_csv


def methods(
    *, variants: list[Path], protocols: list[str], weights: list[str], jobs: list[str], output: Path, code: str
) -> None:
    """Write the table of all methods.

    Parameters
    ----------
    variants
        JSONs of the variants to show, as stage `variant` writes them.
    protocols
        How each was scored, in the same order: full (the scans' own size, all pixels), or such as 224 or 224_masked
        (the size of object images, without the background).
    weights
        Where each one's weights come from, in the same order; may be empty.
    jobs
        Texts <variant>=<folder>, the folders with the logs of each variant's stages, <results>/<stage>/<variant>; from
        these come the seconds and memory. Where a log says none, the cell is empty.
    output
        CSV to write. au_pro_*, image_auroc: means over the categories, fractions in [0, 1]. seconds_per_scan: of all
        jobs on test scans, from the scan to its map. memory_gb: the largest of the jobs that make maps, GB of 10^9
        bytes. training_seconds: of the jobs on one category's training and validation scans, mean over categories.
        pretraining_seconds: of the jobs that categories share. Wall clock on the machine and with the load of the run.
    code
        Fingerprint of the code; not kept, each row has that of its scores.

    Raises
    ------
    ValueError
        If the lists differ in length.
    """
    if not len(variants) == len(protocols) == len(weights):
        raise ValueError(
            f"--protocols, --weights: expected {len(variants)}, one per variant,"
            f" found {len(protocols)} and {len(weights)}"
        )
    folders: dict[str, list[Path]] = {}
    for text in jobs:
        name, _, folder = text.partition("=")
        folders.setdefault(name, []).append(Path(folder))
    contents = [read_json(path) for path in variants]
    spent = [costs(folders.get(content["variant"], []), list(content["categories"])) for content in contents]
    write_csv(output, methods_rows.rows(contents, protocols, weights, spent), methods_rows.COLUMNS)
