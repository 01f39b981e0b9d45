package validator

import (
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// What the sink counts.
const (
	eventRun     = "run"             // that ended
	eventFailed  = "run_failed"      // and is tried again
	eventFull    = "store_full"      // tries of batches, and probes, that found no room
	eventDropped = "reading_dropped" // by retention, or to make room after it was judged
	eventGivenUp = "window_given_up" // never judged, and never will be
)

var eventNames = []string{eventRun, eventFailed, eventFull, eventDropped, eventGivenUp}

// Events implements [feed.EventCounter].
func (s *Sink) Events() map[string]uint64 { return s.events.Events() }

// Gauges implements [feed.GaugeReader]: of the windows that are judged and not older
// than retention.
func (s *Sink) Gauges() map[string]float64 {
	all := map[string]float64{}
	if o := s.latest.Load(); o != nil {
		all["last_run_timestamp_seconds"] = seconds(o.at.UnixNano())
		all["last_run_outcome"] = map[validate.Outcome]float64{validate.Proven: 0, validate.Discrepant: 1, validate.Open: 2}[o.worst]
	}
	k := s.kept.Load()
	if k == nil {
		return all
	}
	now := s.now().UnixNano()
	c, undecided, oldest := k.judgements.figures(now)
	all["readings_expected"] = float64(c.Expected)
	all["readings_matched"] = float64(c.Matched)
	all["readings_missing"] = float64(c.Missing)
	all["readings_altered"] = float64(c.Altered)
	all["readings_extra"] = float64(c.Extra)
	all["readings_duplicate"] = float64(c.Duplicate)
	all["readings_undecided"] = float64(c.Undecided)
	// A copy that was expected and not observed is no reading that lacks.
	if judged := c.Expected - c.Undecided - c.Repeated; judged > 0 {
		all["completeness_ratio"] = float64(c.Matched) / float64(judged)
	}
	all["windows_undecided"] = float64(undecided)
	all["oldest_undecided_seconds"] = 0
	if undecided > 0 {
		all["oldest_undecided_seconds"] = seconds(now - oldest)
	}
	all["stored_bytes"] = float64(k.store.stored())
	return all
}

func seconds(nanos int64) float64 { return float64(nanos) / float64(time.Second) }
