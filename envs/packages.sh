#!/bin/sh
# Installs what is pinned into an environment: sh envs/packages.sh PYTHON. A file whose checksum is not in a lock file is
# refused. The lock files are complete, so that pip looks for no dependency; at the end it checks that none is missing.
set -eu
export PIP_DISABLE_PIP_VERSION_CHECK=1
python=$1

# one package comes as its source: it is built by the pinned setuptools, not by what an isolated build would fetch
install() {
    "$python" -m pip install --quiet --require-hashes --no-deps --no-build-isolation --use-pep517 "$@"
}

pinned() {
    sed -n "/^$1==/,/[^\\\\]\$/p" requirements.lock
}

pinned setuptools | install --requirement /dev/stdin

# Of torch's builds pip takes the one that it is configured for; told the checksums, it would always take PyPI's, on Linux
# that for CUDA. So it is fetched first, and installed from there if its checksum is known.
torch=$(pinned torch | sed -n 's/^\(torch==[^ ]*\).*/\1/p')
if ! "$python" -c "import importlib.metadata as found, sys; sys.exit('torch==' + found.version('torch').partition('+')[0] != '$torch')" 2> /dev/null; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    "$python" -m pip download --quiet --no-deps --only-binary :all: --dest "$folder" "$torch"
    pinned torch | install --no-index --find-links "$folder" --requirement /dev/stdin
fi
install --requirement requirements.lock
# the build for CUDA asks for NVIDIA's packages, that for the CPU does not
if "$python" -c 'import importlib.metadata as found, sys; sys.exit("nvidia" not in str(found.requires("torch")))'; then
    install --requirement requirements-cuda.lock
fi
"$python" -m pip check > /dev/null || "$python" -m pip check
