package feed

import "math/bits"

// tally counts what enters and how it leaves, and keeps a bit for each entry
// that has not left yet. In flight is the number of those bits. A message that
// leaves without having entered, leaves twice or never leaves makes the
// account fail to balance, which is the point of counting twice.
//
// A tally has no lock of its own: its route guards it.
type tally struct {
	account Account
	next    uint64   // number of the next entry
	base    uint64   // number of the first bit of open, a multiple of 64
	open    []uint64 // a bit for each entry that is in flight
}

func newTally() *tally {
	return &tally{account: Account{
		Filtered:    map[string]uint64{},
		Quarantined: map[string]uint64{},
		Returned:    map[string]uint64{},
	}}
}

// enter records n entries and returns the number of the first.
func (l *tally) enter(n int) uint64 {
	first := l.next
	l.next += uint64(n)
	l.account.Received += uint64(n)
	for need := (l.next - l.base + 63) / 64; uint64(len(l.open)) < need; {
		l.open = append(l.open, 0)
	}
	for i := first; i < l.next; {
		word, bit := (i-l.base)/64, i%64
		run := min(64-bit, l.next-i)
		l.open[word] |= (^uint64(0) >> (64 - run)) << bit
		i += run
	}
	return first
}

// leave records how an entry ended. The label is the reason of a filter or a
// return, and the stage of a quarantine.
func (l *tally) leave(entry uint64, o Outcome, label string) {
	if entry >= l.base {
		if word := (entry - l.base) / 64; word < uint64(len(l.open)) {
			l.open[word] &^= 1 << (entry % 64)
		}
	}
	switch o {
	case Delivered:
		l.account.Delivered++
	case Filtered:
		l.account.Filtered[label]++
	case Quarantined:
		l.account.Quarantined[label]++
	case Returned:
		l.account.Returned[label]++
	}
}

// trim forgets the leading words in which nothing is in flight.
func (l *tally) trim() {
	n := 0
	for n < len(l.open) && l.open[n] == 0 && l.base+uint64(n+1)*64 <= l.next {
		n++
	}
	if n > 0 {
		l.base += uint64(n) * 64
		l.open = l.open[:copy(l.open, l.open[n:])]
	}
}

// snapshot returns the account with what is in flight counted.
func (l *tally) snapshot() Account {
	a := l.account.clone()
	for _, w := range l.open {
		a.InFlight += uint64(bits.OnesCount64(w))
	}
	return a
}
