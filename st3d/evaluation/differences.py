"""Command `differences`: measured minus published, of every cell of a study's tables that has both."""

import sys
from pathlib import Path

from st3d.evaluation.compared_cells import compared_cells


def differences(*, folder: Path) -> None:
    """Print measured minus published of all cells of tables.

    Parameters
    ----------
    folder
        With the tables' CSVs, such as results/tables or docs/results/cable_gland; AU-PRO and AUROC are fractions in
        [0, 1], seconds and GB as in the tables.

    Raises
    ------
    ValueError
        If no table is there, or one is not what its name says.
    """
    sys.stdout.write(compared_cells(folder))
