"""`python -m reliability fuzz [--files N] [--seed S] [--reader NAME]`: a campaign, for docs/reliability.md."""

import importlib
import logging
import sys

CAMPAIGNS = {"fuzz": "reliability.fuzz.campaign"}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in CAMPAIGNS:
        found = arguments[0] if arguments else "none"
        sys.stderr.write(f"reliability: expected a campaign ({', '.join(CAMPAIGNS)}), found {found}\n")
        return 2
    return importlib.import_module(CAMPAIGNS[arguments[0]]).main(arguments[1:])


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    sys.exit(main(sys.argv[1:]))
