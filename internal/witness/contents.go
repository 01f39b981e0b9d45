package witness

import (
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Contents records readings by device, tag, time and sequence number, with what
// they say. Safe for concurrent use.
type Contents struct {
	mu         sync.Mutex
	parser     reading.Parser
	text       []byte              // reused
	readings   map[identity]uint64 // hash of the JSON form
	total      uint64
	altered    uint64 // repetitions that say something else
	unreadable uint64
	firstBad   string
}

// identity is what a reading is known by.
type identity struct {
	device, tag string
	time        int64
	seq         uint64
}

var contentsSeed = maphash.MakeSeed()

// NewContents returns an empty record.
func NewContents() *Contents { return &Contents{readings: map[identity]uint64{}} }

// AddJSON records the reading in a JSON payload. What is none is counted as
// unreadable.
func (c *Contents) AddJSON(payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.parser.Parse(payload)
	if err != nil {
		if c.unreadable++; c.firstBad == "" {
			c.firstBad = fmt.Sprintf("%.200s: %v", payload, err)
		}
		return
	}
	c.add(&r)
}

// Add records a reading.
func (c *Contents) Add(r reading.Reading) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(&r)
}

func (c *Contents) add(r *reading.Reading) {
	c.text = r.AppendJSON(c.text[:0])
	sum := maphash.Bytes(contentsSeed, c.text)
	id := identity{r.Device, r.Tag, r.Time, r.Seq}
	c.total++
	if before, ok := c.readings[id]; ok && before != sum {
		c.altered++
		return
	}
	c.readings[id] = sum
}

// Distinct returns how many different readings were recorded.
func (c *Contents) Distinct() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.readings)
}

// Differences is what a comparison of contents found.
type Differences struct {
	Expected   int    // different readings that there should be
	Missing    int    // of them
	Extra      int    // that there should not be
	Altered    int    // that say something else, the first time or a later one
	Repeated   uint64 // arrivals beyond the first of each
	Unreadable uint64 // arrivals that are no readings
	FirstBad   string // one of them, or of the missing ones
}

// Equal reports whether there is nothing but what there should be. It may be
// there repeatedly.
func (d Differences) Equal() bool {
	return d.Missing == 0 && d.Extra == 0 && d.Altered == 0 && d.Unreadable == 0
}

// Differ compares what arrived with the truth.
func Differ(truth, arrived *Contents) Differences {
	truth.mu.Lock()
	defer truth.mu.Unlock()
	arrived.mu.Lock()
	defer arrived.mu.Unlock()
	d := Differences{
		Expected: len(truth.readings), Altered: int(arrived.altered), Unreadable: arrived.unreadable, FirstBad: arrived.firstBad,
		Repeated: arrived.total - arrived.altered - uint64(len(arrived.readings)),
	}
	found := 0
	for id, sum := range truth.readings {
		got, ok := arrived.readings[id]
		switch {
		case !ok:
			if d.Missing++; d.FirstBad == "" {
				d.FirstBad = fmt.Sprintf("missing: %+v", id)
			}
			continue
		case got != sum:
			d.Altered++
		}
		found++
	}
	d.Extra = len(arrived.readings) - found
	return d
}
