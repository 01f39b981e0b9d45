#!/usr/bin/env bash
# Packs the plugin into one file, which a feed can check and run: build.sh FILE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?usage: build.sh FILE}")
mkdir -p "$(dirname "$out")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$here"/*.py "$dir"
rm -f "$dir"/test_*.py
# The Python that runs it must have grpcio: PYTHON=/path/to/venv/bin/python3 takes that of a virtual environment.
python=${PYTHON:-/usr/bin/python3}
"$python" -m zipapp "$dir" --python "$python" --output "$out"
