package demo

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// Report is the outcome of a demo. Its JSON keys are stable.
type Report struct {
	Complete bool     `json:"complete"`           // all that the API serves arrived, nothing else, and all accounts balance
	Problems []string `json:"problems,omitempty"` // why it is not complete

	Source    string          `json:"source"`  // rabbitmq or in-process
	Devices   DevicesReport   `json:"devices"` // what they sent to the feed
	Truth     simulate.Report `json:"truth"`   // what they sent to the cloud API
	API       APIReport       `json:"api"`     // what it serves
	Rate      float64         `json:"rate"`    // readings sent a second
	RateAsked float64         `json:"-"`       // readings a second that were asked for; 0: as many as possible

	Routes     []RouteAccount    `json:"routes"`     // what the feeds say of themselves
	Quarantine map[string]uint64 `json:"quarantine"` // batches that stand in it, by reason

	MQTT       Comparison  `json:"mqtt"`                 // what the subscriber received
	Blobs      BlobsReport `json:"blobs"`                // what stands in the files
	PostgreSQL *Comparison `json:"postgresql,omitempty"` // what stands in the database

	Validation *ValidationReport `json:"validation,omitempty"` // nil: the API vouches for nothing yet

	StartSeconds   float64 `json:"startSeconds"`   // until sending began
	SendSeconds    float64 `json:"sendSeconds"`    // of sending
	DrainSeconds   float64 `json:"drainSeconds"`   // until all had arrived
	CompareSeconds float64 `json:"compareSeconds"` // of reading all back
	RSSBytes       uint64  `json:"rssBytes"`       // of this process, all of the demo included; 0: unknown
	PeakRSSBytes   uint64  `json:"peakRSSBytes"`

	Files []string `json:"files,omitempty"` // of the feeds, when they are kept
}

// DevicesReport is what devices have sent.
type DevicesReport struct {
	Count int `json:"count"`
	simulate.Report
}

// APIReport is what the cloud API serves.
type APIReport struct {
	Readings uint64 `json:"readings"` // different ones
	Pages    int    `json:"pages"`
}

// BlobsReport is a comparison with the number of files.
type BlobsReport struct {
	Comparison
	Objects int `json:"objects"`
}

// RouteAccount is what a feed says of a route.
type RouteAccount struct {
	Name        string       `json:"name"`
	From        string       `json:"from"`
	To          string       `json:"to"`
	Deliveries  feed.Account `json:"deliveries"`
	Produced    feed.Account `json:"produced"`
	Balances    bool         `json:"balances"`
	Batches     uint64       `json:"batches"`
	Retries     uint64       `json:"retries"`
	Redelivered uint64       `json:"redelivered"`
	Reordered   uint64       `json:"reordered"`
}

// account copies what the report shows of a route, and notes what is wrong.
func (r *Report) account(s feed.RouteStatus) {
	a := RouteAccount{
		Name: s.Name, From: s.Source, To: s.Sink, Deliveries: s.Deliveries, Produced: s.Produced, Balances: true,
		Batches: s.Batches, Retries: s.Retries, Redelivered: s.Redelivered, Reordered: s.Reordered,
	}
	for _, account := range []feed.Account{s.Deliveries, s.Produced} {
		if err := account.Check(); err != nil {
			a.Balances = false
			r.problem("route %s: %v", s.Name, err)
		}
	}
	r.Routes = append(r.Routes, a)
}

// judge notes what is wrong, and says whether all is well.
func (r *Report) judge() {
	if r.Devices.Readings == 0 {
		r.problem("nothing was sent")
	}
	if r.Truth.Readings != r.Devices.Readings {
		r.problem("the cloud API was sent %s, and the feed %s", readings(r.Truth.Readings), readings(r.Devices.Readings))
	}
	if r.API.Readings != r.Truth.Readings {
		r.problem("the cloud API serves %s, and was sent %s", readings(r.API.Readings), readings(r.Truth.Readings))
	}
	var stand uint64
	for _, n := range r.Quarantine {
		stand += n
	}
	if damaged := r.Devices.Corrupt(); stand < damaged {
		r.problem("%s damaged batches were sent, and only %s stand in the quarantine", count(damaged), count(stand))
	}
	r.compared("MQTT", r.MQTT)
	r.compared("blobs", r.Blobs.Comparison)
	if r.PostgreSQL != nil {
		r.compared("PostgreSQL", *r.PostgreSQL)
	}
	r.validated()
	r.Complete = len(r.Problems) == 0
}

// slow reports whether the rate stayed clearly below the one asked for. What is
// in batches that no device has closed yet, a second's worth at most, is not sent.
func (r *Report) slow() bool { return r.Rate < 0.95*r.RateAsked*(1-1/max(r.SendSeconds, 1)) }

func (r *Report) compared(where string, c Comparison) {
	if c.Missing > 0 {
		which := firsts(c.FirstMissing, c.Missing)
		if len(c.FirstMissing) == 0 { // one with its device and number is there, but of another tag or time
			which = c.FirstBad
		}
		r.problem("%s: missing %s: %s", where, readings(c.Missing), which)
	}
	if c.Altered > 0 {
		r.problem("%s: not what the cloud API serves, %s: %s", where, readings(c.Altered), firsts(c.FirstAltered, c.Altered))
	}
	if c.Unexpected > 0 {
		r.problem("%s: arrived, but unknown to the cloud API: %s", where, readings(c.Unexpected))
	}
	if c.Unreadable > 0 {
		r.problem("%s: arrived, but cannot be read: %s: %s", where, count(c.Unreadable), c.FirstBad)
	}
}

func readings(n uint64) string { return amount(n, "reading") }

// firsts names some readings, as device/sequence number.
func firsts(names []string, of uint64) string {
	const most = 5
	shown := names[:min(most, len(names))]
	if of > uint64(len(shown)) {
		shown = append(slices.Clip(shown), "…")
	}
	return strings.Join(shown, ", ")
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}
