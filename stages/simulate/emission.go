package simulate

// kind is what a message is.
type kind uint8

const (
	intact kind = iota
	damaged
	duplicate
	garbage
	conflict
)

// emission is a message that stands for a batch.
type emission struct {
	device   int
	sequence uint64
	kind     kind
}

// fate is what happens to a batch: how many batches of its device later each of
// its messages comes; -1 is never.
type fate struct {
	garbage, damaged, intact, duplicate, conflict int
}

// The children of a device's key that chaos takes.
const (
	ofFate   uint64 = 20
	ofDamage uint64 = 21
)

// fate returns what happens to a batch.
func (c *Chaos) fate(k key) fate {
	f := fate{garbage: -1, damaged: -1, duplicate: -1, conflict: -1}
	happens := func(which uint64, s Share) bool { return s > 0 && k.with(which).unit() < float64(s) }
	later := func(which uint64) int { return 1 + int(k.with(which).below(int64(c.Within))) }
	if happens(0, c.Garbage) {
		f.garbage = 0
	}
	if happens(1, c.Corrupt) {
		f.damaged, f.intact = 0, later(2)
	}
	if happens(3, c.Reorder) {
		f.intact = max(f.intact, later(4))
	}
	if happens(5, c.Duplicate) {
		f.duplicate = f.intact + later(6)
	}
	if happens(7, c.Conflict) {
		f.conflict = f.intact + later(8)
	}
	return f
}

// quiet reports whether nothing happens to batches.
func (c *Chaos) quiet() bool {
	return c.Corrupt == 0 && c.Duplicate == 0 && c.Reorder == 0 && c.Garbage == 0 && c.Conflict == 0
}

// latest is how much later a message may come.
func (c *Chaos) latest() int {
	if c.quiet() {
		return 0
	}
	return 2 * c.Within
}

// emissions appends what comes when a device closes a batch: its own messages,
// then what is late of earlier ones. Those of sequences above last never come.
func (s *Simulator) emissions(dst []emission, device int, sequence, last uint64) []emission {
	chaos := &s.config.Chaos
	if chaos.quiet() {
		if sequence <= last {
			dst = append(dst, emission{device, sequence, intact})
		}
		return dst
	}
	fates := s.devices[device].key.with(ofFate)
	for late := range chaos.latest() + 1 {
		of := sequence - uint64(late) // which wraps before the first
		if of-1 >= last {
			continue
		}
		f := chaos.fate(fates.with(of))
		for _, m := range [...]struct {
			after int
			kind  kind
		}{{f.garbage, garbage}, {f.damaged, damaged}, {f.intact, intact}, {f.duplicate, duplicate}, {f.conflict, conflict}} {
			if m.after == late {
				dst = append(dst, emission{device, of, m.kind})
			}
		}
	}
	return dst
}
