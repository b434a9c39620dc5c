#!/bin/sh
# Makes .venv from requirements.lock, builds the C kernels, and sees to it that Open3D can be imported. Needs no root.
# PYTHON=/path/to/python3.12 chooses the interpreter.
set -eu

fail() {
    echo "set-up: $1" >&2
    exit 1
}

suits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null
}

if ! suits .venv/bin/python; then
    python=
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if suits "$candidate"; then
            python=$candidate
            break
        fi
    done
    [ -n "$python" ] || fail "expected Python 3.11 to 3.13, found $(${PYTHON:-python3} --version 2>&1 || true); install one, or say: make PYTHON=/path/to/python3.12"
    "$python" -c 'import ensurepip, venv' 2> /dev/null || fail "$python has no venv; install it (Debian, Ubuntu: apt-get install python3-venv)"
    rm -rf .venv
    "$python" -m venv .venv
fi
command -v "${CC:-cc}" > /dev/null || fail "expected a C compiler, found none; install one (Debian, Ubuntu: apt-get install gcc libc6-dev)"

export PIP_DISABLE_PIP_VERSION_CHECK=1
sh envs/packages.sh .venv/bin/python || fail "pip could not install requirements.lock; see above"
.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable . || fail "the C kernels do not build; see above (Python's header files: apt-get install python3-dev)"
.venv/bin/python -c "from st3d.kernels.open3d_library import open3d_module as load; load()" || fail "Open3D cannot be imported; see above for the library that it lacks (Debian, Ubuntu: apt-get install libegl1 libgl1 libx11-6)"
