#!/usr/bin/env bash
# Set up what `make course` (or, with more Debian packages, `make test`) needs. Quick when it is all there.
# Usage: tools/setup.sh course|test
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?course or test}
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: Python 3.11 or newer is needed, and '$python' is not. Install it, or name one: make course PYTHON=python3.12" >&2
    exit 1
fi

missing=()
while read -r package needed_for probe; do
    [[ -z $package || $package == \#* ]] && continue
    [[ $needed_for == test && $purpose == course ]] && continue
    bash -c "$probe" >/dev/null 2>&1 || missing+=("$package")
done < packages.txt

if ((${#missing[@]})); then
    sudo=()
    [[ $(id -u) == 0 ]] || sudo=(sudo -n)
    get="on Debian: sudo apt-get install ${missing[*]}"
    if ! command -v apt-get >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
        echo "setup: missing: ${missing[*]}. Install with your system's tool, $get" >&2
        exit 1
    fi
    echo "setup: installing ${missing[*]}"
    if ! { "${sudo[@]}" apt-get update -qq && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >/dev/null; then
        echo "setup: apt-get could not install ${missing[*]}. Is there a network? Then, $get" >&2
        exit 1
    fi
fi

# The stamp holds what was installed, and where: a pull that changes the lock, a folder that was moved or a new
# Python installs again, and a stop in the middle leaves no stamp.
here="$PWD with $("$python" -V)"
want="$(cat requirements.lock pyproject.toml | sha256sum) $here"
if [[ $(cat .venv/ready 2>/dev/null) != "$want" ]]; then
    # An environment without a note of its place was made by hand (say, with another build of torch) and is kept.
    if [[ -e .venv/place && $(cat .venv/place) != "$here" ]] ||
        ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --clear .venv
    fi
    echo "$here" > .venv/place
    echo "setup: installing the Python packages of requirements.lock into .venv (a few minutes, once)"
    .venv/bin/python -m pip --disable-pip-version-check install --requirement requirements.lock
    .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
    echo "$want" > .venv/ready
fi
