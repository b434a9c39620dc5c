"""Stage `variant`: one variant's scores of all categories, in one file for the tables and one to read."""

from pathlib import Path
from typing import Literal

from st3d import __version__
from st3d.evaluation.methods import Method
from st3d.formats.atomic import read_json, write_csv, write_json
from st3d.formats.images import Modality

Varied = Literal["none", "points", "neighbours", "width", "latent", "other"]
Group = Literal["pretraining_dataset", "feature_extractor", ""]


def variant(
    *,
    variant: str,
    score: list[Path],
    categories: list[str],
    varied: Varied,
    group: Group,
    weights: str,
    pretraining: str,
    method: Method,
    modality: Modality,
    latent: int,
    points: int,
    neighbours: int,
    width: int,
    dataset: str,
    preset: str,
    output: Path,
    table: Path,
    code: str,
) -> None:
    """Collect one variant's scores of all categories.

    Parameters
    ----------
    variant
        Name.
    score
        JSON of each category, as stage `score` writes them.
    categories
        Their names, in the same order.
    varied
        What the variant varies: none (it is the first of its method), one hyperparameter, or other.
    group
        What part of Table 4 the variant belongs to; empty: none of these two.
    weights
        Where the weights come from that the students learn from; empty of a baseline.
    pretraining
        Name of the data that the scenes are made of.
    method
        3d_st, one of MVTec 3D-AD's own, or a memory bank.
    modality
        3d, or 3d_rgb: with colours.
    latent
        Latent dimension; 0 of a method without.
    points
        n, points of a scan; like the next two of no meaning but to 3d_st.
    neighbours
        k, neighbours of a point.
    width
        d, descriptor dimension.
    dataset
        Name or folder of the scans; of a folder its name is kept.
    preset
        Name of the set of sizes.
    output
        JSON to write; fractions in [0, 1].
    table
        CSV to write, a row per category and integration limit; fractions in [0, 1].
    code
        Fingerprint of all code that led to the scores.

    Raises
    ------
    ValueError
        If there is not one score per category, or a file holds no score.
    """
    if len(score) != len(categories):
        raise ValueError(f"--score: expected {len(categories)} files, one per category, found {len(score)}")
    scores = {name: _score(path) for name, path in zip(categories, score, strict=True)}
    rows = [
        {"category": name, "limit": limit, "au_pro": au_pro}
        | {"au_pro_sampled": each["au_pro_sampled"][limit], "au_roc": each["au_roc"]}
        for name, each in scores.items()
        for limit, au_pro in each["au_pro_at"].items()
    ]
    write_csv(table, rows, ["category", "limit", "au_pro", "au_pro_sampled", "au_roc"])
    content = {
        "variant": variant, "varied": varied, "group": group, "weights": weights, "pretraining": pretraining,
        "method": method, "modality": modality, "latent": latent, "points": points, "neighbours": neighbours,
        "width": width, "dataset": Path(dataset).name, "scale": preset, "code": f"{__version__}+{code}",
        "categories": scores,
    }  # fmt: skip
    write_json(output, content)


def _score(path: Path) -> dict:
    content = read_json(path)
    missing = [key for key in ("au_pro_at", "au_pro_sampled", "au_roc") if key not in content]
    if missing:
        raise ValueError(f"{path}: expected a score, found no {missing[0]}; delete it and run again")
    return {key: content[key] for key in ("au_pro_at", "au_pro_sampled", "au_roc")}
