"""Writes the tables of the pages docs/results/<preset>.md, from the CSVs in docs/results/<preset>/.

python docs/draw_results.py

In a page, what stands between <!-- NAME --> and <!-- end --> is replaced by the table of that name.
"""

import csv
import re
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
LIMITS = ("0.01", "0.05", "0.1", "0.2", "0.3")
STRATEGIES = ("base", "random_weights", "absolute_coordinates", "normalised_coordinates", "rotation_invariance")
MARKED = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV; none where it is absent."""
    path = folder / f"{name}.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def short(text: str, digits: int = 3) -> str:
    """A number of a CSV with fewer digits; empty stays empty."""
    return f"{float(text):.{digits}f}" if text else ""


def markdown(header: list[str], lines: list[list[str]]) -> str:
    """A table; nothing measured: a sentence that says so."""
    if not lines:
        return "Not run."
    ruled = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in ruled)


def measured(row: dict[str, str], score: str) -> str:
    """A score with its interval, where it has one."""
    low, high = row.get(f"{score}_low", ""), row.get(f"{score}_high", "")
    return short(row[score]) + (f" ({short(low)} to {short(high)})" if low else "")


def categories(folder: Path) -> list[str]:
    """The categories that were run."""
    return list(dict.fromkeys(row["category"] for row in rows(folder, "intervals")))


def published(folder: Path, width: str, limit: str) -> str:
    """The paper's score for the categories that were run, their mean if they are several."""
    name, key = ("table1", ("method", f"3d_st_{width}")) if limit == "0.3" else ("table2", ("descriptor_dim", width))
    for row in rows(folder, name):
        at = limit == "0.3" or float(row["integration_limit"]) == float(limit)
        if row["source"] == "published" and row[key[0]] == key[1] and at:
            values = [float(row[each]) for each in categories(folder)]
            return f"{sum(values) / len(values):.3f}" if values else ""
    return ""


def limits(folder: Path) -> str:
    """Tables 1 and 2: AU-PRO at each limit, and the published one."""
    lines = []
    for row in rows(folder, "rows"):
        if row["method"] == "3d_st" and row["repeats"] in ("base", "width128") and row["protocol"] == "full":
            lines.append([row["variant"], *(measured(row, f"au_pro_{limit}") for limit in LIMITS)])
            if row["variant"] == row["repeats"]:
                lines.append(["*published*", *(published(folder, row["width"], limit) for limit in LIMITS)])
    return markdown(["", *LIMITS], lines)


def seeds(folder: Path) -> str:
    """The spread over seeds."""
    lines = [
        [row["variant"], row["score"], row["seeds"], *(short(row[name]) for name in ("mean", "lowest", "highest"))]
        for row in rows(folder, "seeds")
    ]
    return markdown(["variant", "score", "seeds", "mean", "lowest", "highest"], lines)


def _variants(folder: Path, names: list[str]) -> str:
    found = {row["variant"]: row for row in rows(folder, "rows")}
    known = {row["variant"]: row["au_pro"] for row in rows(folder, "table4") if row["source"] == "published"}
    lines = []
    for name in names:
        if name in found:
            row = found[name]
            losses = [short(row["teacher_loss"], 2), short(row["student_loss"], 2)]
            times = [short(row["training_seconds"], 0), short(row["pretraining_seconds"], 0)]
            lines.append([name, measured(row, "au_pro_0.3"), short(known.get(name, "")), *losses, *times])
    header = ["", "AU-PRO at 0.3", "published, mean of ten", "teacher's loss", "student's loss"]
    return markdown([*header, "s, student", "s, teacher"], lines)


def strategies(folder: Path) -> str:
    """Table 4, first part: training strategies."""
    return _variants(folder, list(STRATEGIES))


def others(folder: Path) -> str:
    """Table 4, the rest: other pretraining data and extractors."""
    names = [row["variant"] for row in rows(folder, "table4") if row["source"] == "measured" and row["code"]]
    return _variants(folder, [name for name in names if name not in STRATEGIES])


def sizes(folder: Path) -> str:
    """Table 3."""
    lines, known = [], {}
    for row in rows(folder, "table3"):
        key = row["hyperparameter"], row["value"]
        if row["source"] == "published":
            known[key] = row
        else:
            cells = []
            for name in ("au_pro", "inference_seconds", "training_memory_gb", "inference_memory_gb"):
                digits = 2 if name.endswith("gb") else 3
                cells += [short(row[name], digits), short(known.get(key, {}).get(name, ""), digits)]
            lines.append([f"{row['hyperparameter']} = {row['value']}", *cells])
    header = ["", "AU-PRO", "published", "s a scan", "V100", "GB, training", "published", "GB, inference", "published"]
    return markdown(header, lines)


def per_category(folder: Path) -> str:
    """Table 1: AU-PRO at 0.3 of every category, measured rows and below each the published one."""
    run = categories(folder)
    lines, known = [], {row["method"]: row for row in rows(folder, "table1") if row["source"] == "published"}
    for row in rows(folder, "table1"):
        if row["source"] == "measured" and row["code"]:
            lines.append([row["method"], *(short(row[name]) for name in (*run, "mean"))])
            if row["method"] in known:
                lines.append(["*published*", *(short(known[row["method"]].get(name, "")) for name in (*run, "mean"))])
    return markdown(["", *(name.replace("_", " ") for name in (*run, "mean"))], lines)


def baselines(folder: Path) -> str:
    """Table 1's baselines."""
    found = {row["variant"]: row for row in rows(folder, "rows")}
    known = {row["method"]: row for row in rows(folder, "table1") if row["source"] == "published"}
    lines = []
    for name, row in known.items():
        if name in found:
            values = [float(row[each]) for each in categories(folder)]
            mean = f"{sum(values) / len(values):.3f}" if values else ""
            lines.append([name, measured(found[name], "au_pro_0.3"), mean, measured(found[name], "image_auroc")])
    return markdown(["", "AU-PRO at 0.3", "published", "image AUROC"], lines)


def times(folder: Path) -> str:
    """Seconds of all jobs, by stage."""
    lines = [
        [row["stage"], row["jobs"], short(row["seconds"], 0), short(row["cpu_seconds"], 0)]
        for row in rows(folder, "times")
    ]
    return markdown(["stage", "jobs", "seconds", "of CPU"], lines)


TABLES = {each.__name__: each for each in (limits, per_category, seeds, strategies, others, sizes, baselines, times)}


def updated(page: Path) -> str:
    """The text of a page with its tables written anew."""
    folder = page.with_suffix("")
    return MARKED.sub(lambda found: f"<!-- {found[1]} -->\n{TABLES[found[1]](folder)}\n<!-- end -->", page.read_text())


if __name__ == "__main__":
    for path in sorted(RESULTS.glob("*.md")):
        path.write_text(updated(path))
