package simulate

import "cmp"

// queue says which batch is next, in the order in which devices close them. It is
// a heap with the next one first.
type queue struct {
	simulator *Simulator
	next      []upcoming
}

// upcoming is the next batch of a device.
type upcoming struct {
	device   int
	sequence uint64
	due      int64 // in ns since the start
}

func newQueue(s *Simulator) *queue {
	q := &queue{simulator: s, next: make([]upcoming, s.Devices())}
	for i := range q.next {
		q.next[i] = upcoming{i, 1, s.closes(i, 1)}
	}
	for i := len(q.next)/2 - 1; i >= 0; i-- {
		q.sink(i)
	}
	return q
}

// peek returns the next batch.
func (q *queue) peek() upcoming { return q.next[0] }

// pop removes it.
func (q *queue) pop() {
	first := &q.next[0]
	first.sequence++
	first.due = q.simulator.closes(first.device, first.sequence)
	q.sink(0)
}

// sink moves an entry behind those that come before it.
func (q *queue) sink(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(q.next); child++ {
			if q.next[child].compare(q.next[least]) < 0 {
				least = child
			}
		}
		if least == i {
			return
		}
		q.next[i], q.next[least] = q.next[least], q.next[i]
		i = least
	}
}

func (u upcoming) compare(other upcoming) int {
	return cmp.Or(cmp.Compare(u.due, other.due), cmp.Compare(u.device, other.device))
}
