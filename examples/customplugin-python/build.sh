#!/usr/bin/env bash
# Packs the plugin into one file, which a feed can check and run: build.sh FILE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$(realpath -m "${1:?usage: build.sh FILE}")
mkdir -p "$(dirname "$out")"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$here"/*.py "$dir"
rm -f "$dir"/*_test.py
/usr/bin/python3 -m zipapp "$dir" --python /usr/bin/python3 --output "$out"
