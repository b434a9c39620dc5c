"""Losses per epoch, as a training run writes them: CSV with the columns epoch, train and validation."""

from pathlib import Path


def validation_losses(curve: Path) -> list[float]:
    """Read the validation loss of each epoch.

    Parameters
    ----------
    curve
        CSV of losses per epoch.

    Returns
    -------
    Losses, of the first epoch first
    """
    return [float(row.split(",")[2]) for row in curve.read_text().splitlines()[1:]]
