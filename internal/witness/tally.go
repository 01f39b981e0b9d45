package witness

import (
	"encoding/json"
	"fmt"
	"sync"
)

// Recorder records readings.
type Recorder interface {
	// AddJSON records the reading in a payload, which it does not keep.
	AddJSON(payload []byte)
}

// Tally records readings by device and sequence number. Sequence numbers of a
// device begin at 1. Safe for concurrent use.
type Tally struct {
	mu         sync.Mutex
	devices    map[string]*deviceTally
	total      uint64 // readings recorded, repetitions included
	duplicates uint64
	disordered uint64 // first occurrences that came after a later one of their device
	unreadable uint64
	changed    chan struct{}
}

type deviceTally struct {
	seen []uint64 // a bit for each sequence number
	last uint64   // the highest
}

// NewTally returns an empty tally.
func NewTally() *Tally { return &Tally{devices: map[string]*deviceTally{}} }

// counted is what a tally needs of a reading.
type counted struct {
	Device string `json:"device"`
	Seq    uint64 `json:"seq"`
}

// maxSeq bounds the memory that one reading can claim.
const maxSeq = 1 << 32

// AddJSON records the reading in a JSON payload. What is none is counted as
// unreadable.
func (t *Tally) AddJSON(payload []byte) {
	var r counted
	if err := json.Unmarshal(payload, &r); err != nil || r.Device == "" || r.Seq == 0 || r.Seq > maxSeq {
		t.mu.Lock()
		t.unreadable++
		t.mu.Unlock()
		return
	}
	t.Add(r.Device, r.Seq)
}

// Add records a reading.
func (t *Tally) Add(device string, seq uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.devices[device]
	if d == nil {
		d = &deviceTally{}
		t.devices[device] = d
	}
	t.total++
	for uint64(len(d.seen)) <= seq/64 {
		d.seen = append(d.seen, 0)
	}
	switch bit := uint64(1) << (seq % 64); {
	case d.seen[seq/64]&bit != 0:
		t.duplicates++
	case seq < d.last:
		d.seen[seq/64] |= bit
		t.disordered++
	default:
		d.seen[seq/64] |= bit
		d.last = seq
	}
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// Distinct returns how many different readings were recorded.
func (t *Tally) Distinct() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total - t.duplicates
}

// Changed returns a channel that is closed when the next reading is recorded.
func (t *Tally) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return t.changed
}

// Verdict is what a comparison found.
type Verdict struct {
	Expected   uint64 `json:"expected"`   // different readings that were published
	Arrived    uint64 `json:"arrived"`    // different readings among them that arrived
	Missing    uint64 `json:"missing"`    // published, but did not arrive
	Unexpected uint64 `json:"unexpected"` // arrived, but were never published
	Duplicates uint64 `json:"duplicates"` // arrivals that repeat an earlier one
	Disordered uint64 `json:"disordered"` // first arrivals after a later one of their device
	Unreadable uint64 `json:"unreadable"` // arrivals that are no readings

	// FirstMissing names some missing readings, for people.
	FirstMissing []string `json:"firstMissing,omitempty"`
}

// Complete reports whether everything arrived and nothing else.
func (v Verdict) Complete() bool {
	return v.Missing == 0 && v.Unexpected == 0 && v.Unreadable == 0
}

// Compare compares what arrived with what was published.
func Compare(published, arrived *Tally) Verdict {
	published.mu.Lock()
	defer published.mu.Unlock()
	arrived.mu.Lock()
	defer arrived.mu.Unlock()
	v := Verdict{
		Expected:   published.total - published.duplicates,
		Duplicates: arrived.duplicates,
		Disordered: arrived.disordered,
		Unreadable: arrived.unreadable,
	}
	for name, p := range published.devices {
		a := arrived.devices[name]
		for seq := uint64(1); seq <= p.last; seq++ {
			if !p.has(seq) {
				continue
			}
			if a.has(seq) {
				v.Arrived++
				continue
			}
			v.Missing++
			if len(v.FirstMissing) < 10 {
				v.FirstMissing = append(v.FirstMissing, fmt.Sprintf("%s/%d", name, seq))
			}
		}
	}
	v.Unexpected = arrived.total - arrived.duplicates - v.Arrived
	return v
}

func (d *deviceTally) has(seq uint64) bool {
	return d != nil && seq/64 < uint64(len(d.seen)) && d.seen[seq/64]>>(seq%64)&1 == 1
}
