#!/usr/bin/env bash
# Set up what `make course` (or, with more Debian packages, `make test`) needs. Quick when it is all there.
# Usage: tools/setup.sh course|test
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:?course or test}
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "setup: Python 3.11 or newer is needed, and '$python' is not. Install it, or name one: make PYTHON=python3.12" >&2
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
    if ! command -v apt-get >/dev/null || ! "${sudo[@]}" true 2>/dev/null; then
        echo "setup: missing: ${missing[*]}. Install with your system's tool, on Debian: sudo apt-get install ${missing[*]}" >&2
        exit 1
    fi
    echo "setup: installing ${missing[*]}"
    "${sudo[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The stamp holds what was installed, so that a pull that changes the lock installs again, and a stop in the
# middle leaves no stamp.
want=$(cat requirements.lock pyproject.toml | sha256sum)
if [[ $(cat .venv/ready 2>/dev/null) != "$want" ]]; then
    .venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
    echo "setup: installing the Python packages of requirements.lock into .venv (a few minutes, once)"
    .venv/bin/python -m pip --disable-pip-version-check install --requirement requirements.lock
    .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --no-build-isolation --editable .
    echo "$want" > .venv/ready
fi
