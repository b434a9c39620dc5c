"""Stage `evidence`: what a study measured, in a folder small enough to be kept with the code.

Every variant a row with its scores, their intervals, losses, seconds and memory; the tables; losses per epoch; where it
all comes from; figures; the best and worst maps of each kind of defect, without their scans.
"""

import datetime
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from st3d.evaluation.columns import named_categories, read_table
from st3d.evaluation.job_logs import COSTS, costs
from st3d.evaluation.report import comparison, origin, paper_figures
from st3d.evaluation.report.figures import COLOURS, Figure, Panel, Series, write
from st3d.evaluation.report.scan_pictures import DEFECT, GAP, SCALE, SOUND, choose, colour_scale
from st3d.formats.atomic import atomic, read_json, write_csv, write_json
from st3d.formats.folders import replaced
from st3d.formats.scans import list_samples, read_map, read_mask

TEACHERS = ("teacher", "pretrain_fcgf", "pretrain_ppf_foldnet", "sdf_expert")  # trained once for all categories
SCORES = ("image_auroc",)
NAMES = ("variant", "repeats", "differs", "protocol", "modality", "method", "points", "neighbours", "width")
LOSSES = ("teacher_loss", "student_loss")
SEEDS = ("variant", "seeds", "score", "mean", "lowest", "highest")
INTERVALS = ("variant", "category", "score", "value", "low", "high")
EPOCHS = ("variant", "network", "epoch", "train", "validation")
TIMES = ("stage", "jobs", "seconds", "cpu_seconds", "peak_mb")
NONE = "none"  # an empty text among many would be no flag's value
LAST = ("weights", "dataset", "categories", "code")


def evidence(
    *,
    variants: list[Path],
    protocols: list[str],
    repeats: list[str],
    differs: list[str],
    intervals: list[str],
    curves: list[str],
    jobs: list[str],
    tables: list[Path],
    settings: list[str],
    shown: str,
    categories: list[str],
    dataset: Path,
    listing: str,
    maps: Path,
    licence: str,
    output: Path,
    code: str,
) -> None:
    """Write the folder.

    Parameters
    ----------
    variants
        JSONs of all variants that were run, as stage `variant` writes them.
    protocols
        How each was scored, in the same order: full, or such as 224_masked.
    repeats
        The variant that each repeats with other seeds, in the same order; itself where it repeats none.
    differs
        What each has set otherwise than the base, as "section.key=value ...", in the same order; "none": nothing.
    intervals
        Texts <variant>/<category>=<JSON of stage interval>.
    curves
        Texts <variant>/<network>=<CSV of losses>; the network is an extractor's stage or a category.
    jobs
        Texts <variant>=<folder with the logs of its jobs>.
    tables
        CSVs, as stage `tables` writes them.
    settings
        The shown variant's settings, section.key=value.
    shown
        The variant whose maps are drawn.
    categories
        Its categories.
    dataset
        Folder in MVTec 3D-AD's layout.
    listing
        Hash of what lies in the data set's folders; "none" where it is simulated or downloaded.
    maps
        Folder of the shown variant's maps, of all categories.
    licence
        Of the maps' pictures, written beside them; "none": none is.
    output
        Folder to make: rows.csv, seeds.csv, intervals.csv, losses.csv, times.csv, provenance.json, the tables, figures
        and pictures. Scores are fractions in [0, 1], losses in the networks' units, times in seconds, memory in GB of
        10^9 bytes. What an earlier run of this stage put there is replaced as a whole.
    code
        Fingerprint of the code.

    Raises
    ------
    ValueError
        If the lists differ in length, or a file is not what its flag says.
    """
    if not len(variants) == len(protocols) == len(repeats) == len(differs):
        raise ValueError(f"--protocols, --repeats, --differs: expected {len(variants)} each, one per variant")
    contents = [read_json(path) for path in variants]
    found = {tuple(name.split("/", 1)): read_json(Path(path)) for name, path in map(_divided, intervals)}
    losses = {tuple(name.split("/", 1)): read_table(Path(path)) for name, path in map(_divided, curves)}
    folders: dict[str, list[Path]] = {}
    for name, path in map(_divided, jobs):
        folders.setdefault(name, []).append(Path(path))
    rows = [
        _row(content, found, losses)
        | {"protocol": protocol, "repeats": repeated, "differs": "" if differing == NONE else differing}
        | costs(folders.get(content["variant"], []), list(content["categories"]))
        for content, protocol, repeated, differing in zip(contents, protocols, repeats, differs, strict=True)
    ]
    with replaced(output) as folder:
        limits = list(next(iter(contents[0]["categories"].values()))["au_pro_at"])
        write_csv(folder / "rows.csv", _filled(rows, _columns(limits)), _columns(limits))
        scores = [*(f"au_pro_{limit}" for limit in limits), *SCORES]
        write_csv(folder / "seeds.csv", list(_spread(rows, scores)), SEEDS)
        write_csv(folder / "intervals.csv", list(_intervals(contents, found)), INTERVALS)
        write_csv(folder / "losses.csv", list(_epochs(losses)), EPOCHS)
        every = dict.fromkeys(each for of_variant in folders.values() for each in of_variant)
        write_csv(folder / "times.csv", _times(origin.times(list(every))), TIMES)
        for table in tables:
            (folder / table.name).write_bytes(table.read_bytes())
        for figure in _figures(contents, repeats, protocols, tables, losses):
            write(figure, folder)
        for category in categories:
            _draw(dataset, category, maps, folder / "maps")
        if licence != NONE:
            (folder / "maps" / "LICENSE.txt").write_text(licence + "\n")
        content = {
            "commit": _commit(), "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "machine": origin.machine(), "versions": origin.versions(), "code": code, "data": listing,
            "settings": dict(text.split("=", 1) for text in settings),
        }  # fmt: skip
        write_json(folder / "provenance.json", content)


def _divided(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals:
        raise ValueError(f"expected <name>=<path>, found {text}")
    return name, path


def _columns(limits: Sequence[str]) -> tuple[str, ...]:
    scores = [f"au_pro_{limit}" for limit in limits] + list(SCORES)
    return (
        *NAMES, *(f"{name}{end}" for name in scores for end in ("", "_low", "_high")), *LOSSES, *COSTS, *LAST
    )  # fmt: skip


def _filled(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> list[dict[str, Any]]:
    return [{name: row.get(name, "") for name in columns} for row in rows]


def _row(content: Mapping[str, Any], intervals: Mapping, losses: Mapping) -> dict[str, Any]:
    """A variant's names, the means of its scores, the interval where it has one category, its lowest losses."""
    row = {name: content[name] for name in ("variant", "modality", "method", "weights", "dataset", "code")}
    if content["method"] == "3d_st":
        row |= {name: content[name] for name in ("points", "neighbours", "width")}
    row["categories"] = named_categories(list(content["categories"]))
    scores = list(content["categories"].values())
    for limit in scores[0]["au_pro_at"]:
        row[f"au_pro_{limit}"] = _text(np.mean([each["au_pro_at"][limit] for each in scores]))
    row["image_auroc"] = _text(np.mean([each["au_roc"] for each in scores]))
    if len(scores) == 1:
        bounds = intervals.get((content["variant"], *content["categories"]))
        for name, (low, high) in _bounds(bounds).items() if bounds else ():
            row |= {f"{name}_low": _text(low), f"{name}_high": _text(high)}
    lowest = {name: rows["validation"].astype(float).min() for (variant, name), rows in losses.items()
              if variant == content["variant"] and len(rows)}  # fmt: skip
    for column, chosen in zip(LOSSES, ([n for n in lowest if n in TEACHERS], [n for n in lowest if n not in TEACHERS]),
                              strict=True):  # fmt: skip
        row[column] = _text(np.mean([lowest[name] for name in chosen])) if chosen else ""
    return row


def _bounds(interval: Mapping[str, Any]) -> dict[str, list[float]]:
    return {f"au_pro_{limit}": each for limit, each in interval["au_pro_at"].items()} | {
        "image_auroc": interval["au_roc"]
    }


def _text(value: Any) -> str:
    return f"{float(value):.4f}"


def _spread(rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Over the seeds of each variant that was run with several."""
    for name in dict.fromkeys(row["repeats"] for row in rows):
        same = [row for row in rows if row["repeats"] == name]
        for score in scores if len(same) > 1 else ():
            values = [float(row[score]) for row in same]
            yield {"variant": name, "seeds": len(same), "score": score, "mean": _text(np.mean(values)),
                   "lowest": _text(min(values)), "highest": _text(max(values))}  # fmt: skip


def _intervals(contents: Sequence[Mapping[str, Any]], intervals: Mapping) -> Iterator[dict[str, Any]]:
    for content in contents:
        for category, scores in content["categories"].items():
            values = {f"au_pro_{limit}": value for limit, value in scores["au_pro_at"].items()}
            values["image_auroc"] = scores["au_roc"]
            bounds = intervals.get((content["variant"], category))
            for name, (low, high) in _bounds(bounds).items() if bounds else ():
                row = {"variant": content["variant"], "category": category, "score": name}
                yield row | {"value": _text(values[name]), "low": _text(low), "high": _text(high)}


def _epochs(losses: Mapping[tuple[str, ...], pd.DataFrame]) -> Iterator[dict[str, Any]]:
    for (variant, network), rows in losses.items():
        for each in rows.to_dict("records"):
            yield {"variant": variant, "network": network} | {
                name: each[name] for name in ("epoch", "train", "validation")
            }


def _times(times: Sequence[origin.Time]) -> list[dict[str, Any]]:
    rounded = {"seconds": 1, "cpu_seconds": 1, "peak_mb": 0}
    return [
        vars(each) | {name: round(getattr(each, name), digits) for name, digits in rounded.items()} for each in times
    ]


def _figures(
    contents: Sequence[Mapping[str, Any]],
    repeats: Sequence[str],
    protocols: Sequence[str],
    tables: Sequence[Path],
    losses: Mapping[tuple[str, ...], pd.DataFrame],
) -> list[Figure]:
    """The paper's figures of what was run, and the students' losses."""
    rows = {path.stem: comparison.read(path) for path in tables if path.stem in comparison.TITLES}
    measured = {name for name, each in rows.items() if (each["code"] != "").any()}
    listed = set(rows["table1"].loc[rows["table1"]["code"] != "", "method"]) if "table1" in measured else set()
    first: dict[str, Mapping[str, Any]] = {}
    for content, repeated, protocol in zip(contents, repeats, protocols, strict=True):
        name = paper_figures.method_name(content)
        if protocol == "full" and repeated == content["variant"] and name in listed:
            first.setdefault(name, content)
    figures = [paper_figures.figure5(list(first.values()))] if first else []
    if "table3" in measured:
        figures.append(paper_figures.figure6(rows["table3"]))
    if "table4" in measured:
        figures.append(paper_figures.figure7(rows["table4"]))
    panels = []
    for teachers, title in ((True, "Pretraining"), (False, "Students and models")):
        series = [
            Series(name="/".join(name), x=each["epoch"].astype(float).tolist(),
                   y=each["validation"].astype(float).tolist(), colour=COLOURS[number % len(COLOURS)])
            for number, (name, each) in enumerate(losses.items())
            if len(each) and (name[1] in TEACHERS) == teachers and name[0] == repeats[0]
        ]  # fmt: skip
        if series:
            panels.append(Panel(title=title, x="epoch", y="validation loss", series=series, logarithmic="y"))
    if panels:
        caption = "Validation losses of the first variant per epoch, each in its network's unit."
        figures.append(Figure(name="loss_curves", title="Losses", caption=caption, panels=panels))
    return figures


def _draw(dataset: Path, category: str, maps: Path, folder: Path) -> None:
    """Of each kind of defect the best and the worst map: left the map, right the ground truth; no scan."""
    samples, own = list_samples(dataset, category, "test"), maps / category / "test"
    low, high = colour_scale(samples, own)
    folder.mkdir(exist_ok=True)
    for scan in choose(samples, own):
        scores = read_map(own / f"{scan.sample.name}.tiff")
        mask = read_mask(scan.sample.mask, scores.shape) if scan.sample.mask else np.zeros(scores.shape, bool)
        both = [SCALE(np.clip((scores - low) / (high - low), 0, 1))[..., :3], np.where(mask[..., None], DEFECT, SOUND)]
        gap = np.ones((len(scores), GAP, 3))
        picture = Image.fromarray((255 * np.concatenate([both[0], gap, both[1]], axis=1)).round().astype(np.uint8))
        name = f"{category}_{scan.sample.defect}_{scan.rank.split()[0]}.png"
        with atomic(folder / name) as partial:
            picture.quantize(256, dither=Image.Dither.NONE).save(partial, format="PNG")


def _commit() -> str:
    """The commit of the code that runs, with -dirty where files but results differ; empty outside a checkout."""
    commit = _git("rev-parse", "HEAD")
    # the run itself has just removed the results that are kept with the code
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)docs/results")
    return commit + ("-dirty" if commit and changed else "")


def _git(*arguments: str) -> str:
    """What git says of this package's checkout; empty if it cannot."""
    command = ["git", "-C", str(Path(__file__).parents[2]), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
