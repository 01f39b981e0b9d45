#!/usr/bin/env bash
# Runs every fuzz target of the module, one after another, for the given time each (default 10s).
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-10s}

# go's tool fuzzes one target of one package at a time.
git ls-files --cached --others --exclude-standard '*_test.go' | while read -r file; do
	[[ -f $file ]] || continue
	while read -r target; do
		echo "== $(dirname "$file") $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "./$(dirname "$file")" </dev/null
	done < <(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$file")
done
