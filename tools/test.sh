#!/usr/bin/env bash
# Runs all tests, on the servers of "testservers with", which calls it. Two things go on side by side:
#
# - without the race detector: what runs feeds as processes of their own, or is made for tests alone (the detector would look at
#   the test and not at the feed; most of it waits most of the time), what checks files of deployments, of which nothing is
#   concurrent and Kubernetes' types take minutes to compile, Watermill's own suite, which has a race of its own, and what
#   computes for long in one goroutine,
# - everything else with the race detector.
#
# Packages are tested in the order that they are named in: what takes longest comes first, so that it does not end last.
set -uo pipefail
cd "$(dirname "$0")/.."

timeout=${TEST_TIMEOUT:-9m}
computes='DuckDB|ParquetLosesNothing|ParquetRowGroups|ColumnTypes|EachLie|ClockThatStands|ParserKeepsLittle|^TestPurge$|^TestMarks$|InPages|ManyInOnePut'
apart='/(cmd/feed|deploy|internal/(bench|capacity|demo|e2e|embedded|kube|ociimage|standin|testenv)|plugins/host)(/|$)'
long='/(internal/e2e|stages/(amqp|blob|postgres|quarantine|simulate))$'

deployment='/(deploy/observability|internal/kube/boottest)$' # "make test-deploy" runs these

all=$(go list ./... | grep -vE "$deployment") || exit
# in_order prints the packages on stdin, the long ones first.
in_order() {
  local packages
  packages=$(cat)
  grep -E "$long" <<<"$packages"
  grep -vE "$long" <<<"$packages"
}

without_detector() {
  local status=0
  # shellcheck disable=SC2046 # package paths have no spaces
  go test -p 2 -parallel 4 -timeout "$timeout" $(grep -E "$apart" <<<"$all" | in_order) || status=1
  go test -timeout "$timeout" -run "Watermill|$computes" ./feed/reading ./feed/validate ./stages/amqp ./stages/blob ./stages/mqtt ./stages/quarantine || status=1
  return $status
}

status=0
without_detector &
# shellcheck disable=SC2046
CGO_ENABLED=1 go test -race -p 2 -skip "$computes" -timeout "$timeout" $(grep -vE "$apart" <<<"$all" | in_order) || status=1
wait $! || status=1
exit $status
