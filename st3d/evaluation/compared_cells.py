"""Measured minus published, of every cell of a study's tables that has both, as text."""

from pathlib import Path

from st3d.evaluation.report import comparison


def compared_cells(folder: Path) -> str:
    """Lines of measured, published and their difference.

    Parameters
    ----------
    folder
        With the tables' CSVs; AU-PRO and AUROC are fractions in [0, 1], seconds and GB as in the tables.

    Returns
    -------
    A header, and a line for each cell of each table that has both numbers

    Raises
    ------
    ValueError
        If no table is there, or one is not what its name says.
    """
    paths = [folder / f"{name}.csv" for name in comparison.TITLES if (folder / f"{name}.csv").is_file()]
    if not paths:
        raise ValueError(f"{folder}: expected tables such as table1.csv, found none")
    lines = [f"{'table':14}{'row':46}{'column':22}{'measured':>10}{'published':>11}{'difference':>12}"]
    for path in paths:
        table = comparison.compare(path.stem, comparison.read(path))
        for row in table.rows if table else ():
            for column, cell in zip(table.values, row.cells, strict=True) if table else ():
                if cell.difference is None:
                    continue
                unlike = "" if cell.like else "  over other categories"
                lines.append(
                    f"{path.stem:14}{' '.join(row.keys):46}{column:22}{cell.measured:>10}{cell.published:>11}"
                    f"{cell.difference:>+12.4f}{unlike}"
                )
    return "\n".join([*lines, ""])
