"""Tables of points whose first column numbers the rows, where x should be."""

import numpy as np

FEW = 10  # rows; x of so few points may be 0, 1, 2, ...


def refuse_row_numbers(first: np.ndarray) -> None:
    """Refuse a column of x that counts the rows.

    Parameters
    ----------
    first
        (n,) numbers of the first column, which no header names.

    Raises
    ------
    ValueError
        One line, without the file's name, if they are consecutive whole numbers.
    """
    if len(first) > FEW and float(first[0]).is_integer() and bool((np.diff(first) == 1).all()):
        found = f"{first[0]:.0f}, {first[1]:.0f}, {first[2]:.0f}, ..."
        raise ValueError(f"expected x in the first column, found the numbers of the rows ({found}); leave them out")
