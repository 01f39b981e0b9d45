package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/kraft-edge/datafeed/feed"
)

// figures are those of a quarantine that may be down.
type figures struct{ err error }

func (f figures) Len(context.Context) (int64, error)       { return 3, f.err }
func (f figures) Bytes(context.Context) (feed.Size, error) { return 1848, f.err }
func (figures) Removed() (aged, displaced int64)           { return 7, 5 }

func TestQuarantineMetrics(t *testing.T) {
	const removed = `# TYPE datafeed_quarantine_removed_total counter
# HELP datafeed_quarantine_removed_total Messages that retention has removed from the quarantine: too old, or to make room (age, size).
datafeed_quarantine_removed_total{feed="line-1",reason="age"} 7
datafeed_quarantine_removed_total{feed="line-1",reason="size"} 5
# TYPE datafeed_quarantine_up gauge
# HELP datafeed_quarantine_up Whether the quarantine could be read: 1 or 0.
`
	for name, tt := range map[string]struct {
		err  error
		want string
	}{
		"up": {nil, removed + `datafeed_quarantine_up{feed="line-1"} 1
# TYPE datafeed_quarantine_messages gauge
# HELP datafeed_quarantine_messages Messages that stand in the quarantine.
datafeed_quarantine_messages{feed="line-1"} 3
# TYPE datafeed_quarantine_bytes gauge
# HELP datafeed_quarantine_bytes Bytes that count against the bound of the quarantine.
datafeed_quarantine_bytes{feed="line-1"} 1848
`},
		"down": {errors.New("as told"), removed + `datafeed_quarantine_up{feed="line-1"} 0
`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := testutil.CollectAndCompare(newQuarantineCollector("line-1", figures{tt.err}), strings.NewReader(tt.want)); err != nil {
				t.Error(err)
			}
		})
	}
}
