"""Stage `evidence`: what was measured of a study, in a folder small enough to be kept with the code.

A file for each row, as stage `evidence_row` writes it, and all that is made of these: one table of all rows with their
scores, intervals, losses, seconds and memory; the papers' tables; losses per epoch; figures; the best and worst maps of
each kind of defect, without their scans. What an earlier run put there stays, but for the rows that were run again and
those that could not be run so any more.
"""

import functools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from st3d.evaluation import methods_rows, paper_tables
from st3d.evaluation.compared_cells import compared_cells
from st3d.evaluation.evidence import sums
from st3d.evaluation.evidence.kept import digest_of_folder, merged
from st3d.evaluation.evidence.pictures import draw_maps, figures
from st3d.evaluation.report.figures import write
from st3d.formats.atomic import atomic, read_json, write_csv, write_json
from st3d.formats.folders import replaced

BASE = "base"
NONE = "none"  # an empty text would be no flag's value
RUN = ("commit", "date", "machine", "versions")


def evidence(
    *,
    rows: list[Path],
    declared: list[str],
    settings: list[str],
    shown: str,
    categories: list[str],
    dataset: Path,
    maps: Path,
    licence: str,
    folder: Path,
    output: Path,
    code: str,
) -> None:
    """Write the folder.

    Parameters
    ----------
    rows
        JSONs of all variants that were run, as stage `evidence_row` writes them.
    declared
        Texts <variant>=<hash of its settings> of all variants that the config declares, in their order.
    settings
        The base's settings, section.key=value.
    shown
        The variant whose maps are drawn; those of the base stay where an earlier run has drawn them.
    categories
        Its categories.
    dataset
        Folder in MVTec 3D-AD's layout.
    maps
        Folder of the shown variant's maps, of all categories.
    licence
        Of the maps' pictures, written beside them; "none": none is.
    folder
        Folder to make or to add to: rows/<variant>.json, rows.csv, seeds.csv, intervals.csv, losses.csv, times.csv,
        provenance.json, differences.txt, the tables, figures and pictures. Scores are fractions in [0, 1], losses in
        the networks' units, times in seconds, memory in GB of 10^9 bytes. It is replaced as a whole, or not at all.
    output
        Text to write: measured minus published of all cells of the tables, which stands in the folder too.
    code
        Fingerprint of the code.

    Raises
    ------
    ValueError
        If a file is not what its flag says, or the folder holds a user's own files.
    """
    digest = functools.cache(digest_of_folder)
    new = [read_json(path) for path in rows]
    for row in new:
        row["data"] = {path: digest(path) for path in row["data"]}
    hashes = dict(text.rsplit("=", 1) for text in declared)
    every = merged(folder / "rows", new, hashes, digest)
    with replaced(folder) as made:
        (made / "rows").mkdir()
        for row in every:
            write_json(made / "rows" / f"{row['variant']}.json", row)
        _sums(every, made)
        tables = _tables(every)
        for name, table in tables.items():
            table.to_csv(made / f"{name}.csv", index=False, lineterminator="\n")
        for figure in figures(every, tables):
            write(figure, made)
        shown_before = _shown(folder)
        if shown_before == BASE != shown and any(row["variant"] == BASE for row in every):
            shutil.copytree(folder / "maps", made / "maps")
            shown = shown_before
        else:
            for category in categories:
                draw_maps(dataset, category, maps, made / "maps")
            if licence != NONE:
                (made / "maps" / "LICENSE.txt").write_text(licence + "\n")
        content = {
            "runs": _runs(every), "shown": shown, "settings": dict(text.split("=", 1) for text in settings),
            "data": {path: value for row in every for path, value in row["data"].items()}, "evidence_code": code,
        }  # fmt: skip
        write_json(made / "provenance.json", content)
        compared = compared_cells(made)
        (made / "differences.txt").write_text(compared)
    with atomic(output) as partial:
        partial.write_text(compared)


def _sums(rows: Sequence[Mapping[str, Any]], folder: Path) -> None:
    cells, columns = [sums.row_cells(row) for row in rows], sums.columns(rows)
    write_csv(folder / "rows.csv", [{name: each.get(name, "") for name in columns} for each in cells], columns)
    scores = [*(f"au_pro_{limit}" for limit in sums.limits(rows)), "image_auroc"]
    write_csv(folder / "seeds.csv", list(sums.seed_rows(cells, scores)), sums.SEEDS)
    write_csv(folder / "intervals.csv", list(sums.interval_rows(rows)), sums.INTERVALS)
    write_csv(folder / "losses.csv", list(sums.loss_rows(rows)), sums.LOSS_COLUMNS)
    write_csv(folder / "times.csv", sums.time_rows(rows), sums.TIMES)


def _tables(rows: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """The tables that show any of the rows."""
    found = {}
    for table in get_args(paper_tables.Table):
        if chosen := [row for row in rows if table in row["tables"]]:
            costs = [row["cost"] for row in chosen] if table == "table3" else []
            found[table] = paper_tables.rows(table, [row["scores"] for row in chosen], costs)
    if chosen := [row for row in rows if "methods" in row["tables"]]:
        cells = methods_rows.rows(
            [row["scores"] for row in chosen], [row["protocol"] for row in chosen],
            [row["scores"]["weights"] or "its own scans" for row in chosen], [row["spent"] for row in chosen],
        )  # fmt: skip
        found["methods"] = pd.DataFrame(cells, columns=methods_rows.COLUMNS, dtype=object)
    return found


def _runs(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Which rows were made by which code, when and where."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        run = {name: row[name] for name in RUN} | {"gpus": row.get("gpus", [])}
        found.setdefault(str(run), run | {"variants": []})["variants"].append(row["variant"])
    return list(found.values())


def _shown(folder: Path) -> str:
    """The variant whose maps an earlier run has drawn; empty if there are none."""
    path = folder / "provenance.json"
    return read_json(path).get("shown", "") if path.is_file() and (folder / "maps").is_dir() else ""
