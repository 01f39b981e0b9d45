#!/usr/bin/env bash
# Runs all tests, on the servers of "testservers with", which calls it. Two things go on side by side:
#
# - what runs feeds as processes of their own, or is made for tests alone, without the race detector, which would look at the
#   test and not at the feed; most of it waits most of the time,
# - everything else with the race detector.
set -uo pipefail
cd "$(dirname "$0")/.."

timeout=${TEST_TIMEOUT:-9m}
apart='/internal/(bench|demo|e2e|embedded|standin|testenv)(/|$)'

processes=$(go list ./... | grep -E "$apart")
rest=$(go list ./... | grep -vE "$apart")
status=0

go test -p 1 -parallel 4 -timeout "$timeout" $processes &
apart_pid=$!
go test -race -p 2 -timeout "$timeout" $rest || status=1
echo "Watermill's own suite, which has a race of its own, and what takes long: without the race detector"
go test -timeout "$timeout" -run 'Watermill|ReplayToRabbitMQ' ./stages/amqp ./stages/mqtt ./cmd/feed || status=1
wait "$apart_pid" || status=1
exit $status
