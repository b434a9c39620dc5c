"""Stage `tables`: one of the paper's tables, of further scores or of the dataset paper's, as a CSV."""

from pathlib import Path

from st3d.evaluation import paper_tables
from st3d.evaluation.paper_tables import Table
from st3d.formats.atomic import atomic, read_json


def tables(*, table: Table, variants: list[Path], costs: list[Path], output: Path, code: str) -> None:
    """Write one of the tables.

    Parameters
    ----------
    table
        Which one.
    variants
        JSONs of the variants to show, as stage `variant` writes them.
    costs
        JSONs of their costs, in the same order; only for table3. Seconds, and GB of 10^9 bytes.
    output
        CSV to write; AU-PRO and AUROC are fractions in [0, 1].
    code
        Fingerprint of the code; not kept, each row has that of its scores.

    Raises
    ------
    ValueError
        If table3 has not one file of costs per variant.
    """
    both = paper_tables.rows(table, [read_json(path) for path in variants], [read_json(path) for path in costs])
    with atomic(output) as temporary:
        both.to_csv(temporary, index=False, lineterminator="\n")
