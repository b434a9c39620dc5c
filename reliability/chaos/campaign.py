"""`python -m reliability chaos [--kills N] [--seed S] [--folder F] [--only NAME ...]`: all of it, or some."""

import argparse
import logging
import tempfile
import time
from pathlib import Path

from reliability.chaos.circumstances import CIRCUMSTANCES
from reliability.chaos.kills import kills

log = logging.getLogger("reliability")


def main(arguments: list[str]) -> int:
    """Run the campaign; 1 if anything was lost, left behind, or ended without a word."""
    parser = argparse.ArgumentParser(prog="python -m reliability chaos")
    parser.add_argument("--kills", type=int, default=100, help="kill -9, all studies together; 0: none")
    parser.add_argument("--seed", type=int, default=0, help="of moments and victims")
    parser.add_argument("--folder", type=Path, help="where the studies lie; without, a temporary one")
    parser.add_argument("--only", nargs="+", choices=["kills", *CIRCUMSTANCES], help="these alone")
    parser.add_argument("--targets", nargs="+", default=[], help="of Snakemake; without, everything")
    chosen = parser.parse_args(arguments)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="st3d-chaos-", ignore_cleanup_errors=True) as temporary:
        folder = chosen.folder or Path(temporary)
        for name in chosen.only or ["kills", *CIRCUMSTANCES]:
            started = time.monotonic()
            try:
                if name == "kills":
                    said = kills(folder, chosen.kills, chosen.seed, chosen.targets) if chosen.kills else "none"
                else:
                    said = CIRCUMSTANCES[name](folder / name, chosen.seed)
            except AssertionError as error:
                failed += 1
                said = f"FAILED: {error}"
            log.info("%s: %s (%.0f s)", name, said, time.monotonic() - started)
    return int(failed > 0)
