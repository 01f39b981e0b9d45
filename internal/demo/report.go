package demo

import (
	"fmt"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// Report is the outcome of a demo. Its JSON keys are stable.
type Report struct {
	Complete bool     `json:"complete"`           // nothing is missing, nothing too much, all accounts balance
	Problems []string `json:"problems,omitempty"` // why it is not complete

	Source      string  `json:"source"`      // rabbitmq or generator
	Published   uint64  `json:"published"`   // different readings that RabbitMQ confirmed or the generator handed out
	Republished uint64  `json:"republished"` // readings sent again for want of a confirm: each may arrive twice
	Rate        float64 `json:"rate"`        // readings published a second
	RateAsked   float64 `json:"-"`           // readings a second that were asked for; 0: as many as possible

	MQTT  witness.Verdict `json:"mqtt"`  // what the independent subscriber received
	Blobs BlobVerdict     `json:"blobs"` // what stands in the files

	Routes []RouteAccount `json:"routes"` // what the feed says of itself

	StartSeconds   float64 `json:"startSeconds"`   // until publishing began
	PublishSeconds float64 `json:"publishSeconds"` // of publishing
	DrainSeconds   float64 `json:"drainSeconds"`   // until all had arrived
	RSSBytes       uint64  `json:"rssBytes"`       // of this process, all of the demo included; 0: unknown
	PeakRSSBytes   uint64  `json:"peakRSSBytes"`

	File string `json:"file,omitempty"` // the feed.yaml, when it is kept
}

// BlobVerdict is a verdict with the number of files.
type BlobVerdict struct {
	witness.Verdict
	Objects int `json:"objects"`
}

// RouteAccount is a route's own account at the end.
type RouteAccount struct {
	Name        string       `json:"name"`
	Deliveries  feed.Account `json:"deliveries"`
	Balances    bool         `json:"balances"`
	Batches     uint64       `json:"batches"`
	Retries     uint64       `json:"retries"`
	Redelivered uint64       `json:"redelivered"`
	Reordered   uint64       `json:"reordered"`
}

// account copies what the report shows of a route, and notes what is wrong.
func (r *Report) account(s feed.RouteStatus) {
	a := RouteAccount{
		Name: s.Name, Deliveries: s.Deliveries, Balances: true,
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

// judge notes what the witnesses found, and says whether all is well.
func (r *Report) judge() {
	r.verdict("MQTT", r.MQTT)
	r.verdict("blobs", r.Blobs.Verdict)
	if r.Published == 0 {
		r.problem("nothing was published")
	}
	r.Complete = len(r.Problems) == 0
}

// slow reports whether the rate stayed clearly below the one asked for.
func (r *Report) slow() bool { return r.Rate < 0.95*r.RateAsked }

func (r *Report) verdict(where string, v witness.Verdict) {
	if v.Missing > 0 {
		r.problem("%s: missing %s: %s", where, readings(v.Missing), firsts(v.FirstMissing, v.Missing))
	}
	if v.Unexpected > 0 {
		r.problem("%s: arrived, but never published: %s", where, readings(v.Unexpected))
	}
	if v.Unreadable > 0 {
		r.problem("%s: arrived, but cannot be read: %s", where, count(v.Unreadable))
	}
}

func readings(n uint64) string {
	if n == 1 {
		return "1 reading"
	}
	return count(n) + " readings"
}

// firsts names some of the missing readings, as device/sequence number.
func firsts(names []string, of uint64) string {
	const most = 5
	shown := names[:min(most, len(names))]
	text := strings.Join(shown, ", ")
	if of > uint64(len(shown)) {
		text += ", …"
	}
	return text
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}
