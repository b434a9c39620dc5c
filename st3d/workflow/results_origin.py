"""Whether Snakemake's own records, in .snakemake, are those of a results folder.

By them alone Snakemake knows the settings and the code that a file was made with. Where a results folder was copied
without them, it would call everything up to date, whatever was changed since.
"""

import hashlib
import uuid
from pathlib import Path

NAME = ".st3d.id"  # in a results folder


def known(results: Path, records: Path) -> bool:
    """Whether the records are those that were written beside the results.

    Parameters
    ----------
    results
        The results folder; it need not exist.
    records
        Snakemake's folder.

    Returns
    -------
    False where the results say that their records are others, or elsewhere; else True
    """
    try:
        return (results / NAME).read_bytes() == _twin(results, records).read_bytes()
    except FileNotFoundError:
        return not (results / NAME).exists()
    except OSError:  # of a folder that cannot be read there is more to be said elsewhere
        return True


def mark(results: Path, records: Path) -> None:
    """Write down that the two belong together; results that have a mark keep it.

    Parameters
    ----------
    results
        The results folder.
    records
        Snakemake's folder.
    """
    if (results / NAME).exists():
        return
    name = uuid.uuid4().hex
    twin = _twin(results, records)
    twin.parent.mkdir(parents=True, exist_ok=True)
    twin.write_text(name)  # first: a run killed in between leaves results that are known
    results.mkdir(parents=True, exist_ok=True)
    (results / NAME).write_text(name)


def _twin(results: Path, records: Path) -> Path:
    return records / "st3d" / hashlib.sha256(str(results).encode()).hexdigest()[:16]
