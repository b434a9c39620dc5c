"""Stage `fpfh`: fast point feature histograms as a feature extractor."""

from pathlib import Path

from st3d import runtime
from st3d.checkpoints import run_hash, save


def fpfh(*, extractor: Path, neighbours: int, code: str) -> None:
    """Write the extractor's file: it has no weights, the file says how the histograms are made.

    Parameters
    ----------
    extractor : the file to write
    neighbours : points around a point that its histogram is made of
    code : fingerprint of the code, kept with the file
    """
    if neighbours < 1:
        raise ValueError(f"fpfh: expected neighbours of 1 or more, found {neighbours}")
    settings = {"neighbours": neighbours}
    made = runtime.provenance(settings, code) | {"kind": "extractor", "method": "fpfh"}
    save(extractor, made | {"run": run_hash(settings, [], code), "model": settings, "weights": {}})
