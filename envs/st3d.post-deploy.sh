#!/bin/sh
# Runs once, inside the new conda environment, in the folder that snakemake was started in: the repository.
set -eu
sh envs/packages.sh python
python -m pip install --no-deps --no-build-isolation --editable .
