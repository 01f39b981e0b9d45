package feed

import "time"

// parkingLot sets failing messages aside while others go on. It parks by key:
// under order key that is the message's key, under order none the message
// itself.
type parkingLot struct {
	route  Route
	spots  map[any]*spot
	round  map[any]int // order key: who of a key goes in this round
	delays backoff
}

type spot struct {
	until time.Time
	delay backoff
}

func newParkingLot(r Route) parkingLot {
	return parkingLot{
		route:  r,
		spots:  map[any]*spot{},
		round:  map[any]int{},
		delays: backoff{first: r.Retry.InitialDelay, longest: r.Retry.MaxDelay},
	}
}

func (p *parkingLot) key(o *outgoing) any {
	if p.route.Order == OrderKey {
		return p.route.Key(o.msg)
	}
	return o.number
}

// admit reports whether o, which stands at place i of the queue, may go now:
// its key is not waiting, and no earlier message of its key is in the queue.
func (p *parkingLot) admit(o *outgoing, now time.Time, i int) bool {
	k := p.key(o)
	if p.route.Order == OrderKey {
		if first, ok := p.round[k]; ok && first != i {
			return false
		}
		p.round[k] = i
	}
	s, ok := p.spots[k]
	return !ok || !now.Before(s.until)
}

// nextRound forgets who went.
func (p *parkingLot) nextRound() { clear(p.round) }

// postpone parks the key of a message that failed, for longer each time.
func (p *parkingLot) postpone(o *outgoing) {
	k := p.key(o)
	s := p.spots[k]
	if s == nil {
		s = &spot{delay: p.delays}
		p.spots[k] = s
	}
	s.until = time.Now().Add(s.delay.next())
}

// free ends the parking of a message's key.
func (p *parkingLot) free(o *outgoing) {
	if len(p.spots) > 0 {
		delete(p.spots, p.key(o))
	}
}

// parked reports whether the message's key is set aside.
func (p *parkingLot) parked(o *outgoing) bool {
	if len(p.spots) == 0 {
		return false
	}
	_, ok := p.spots[p.key(o)]
	return ok
}

// nextDue returns when the first parked key is to be tried again.
func (p *parkingLot) nextDue() (due time.Time, ok bool) {
	for _, s := range p.spots {
		if !ok || s.until.Before(due) {
			due, ok = s.until, true
		}
	}
	return due, ok
}

// count returns how many messages of the queue are set aside.
func (p *parkingLot) count(queue []*outgoing) int {
	n := 0
	if len(p.spots) > 0 {
		for _, o := range queue {
			if p.parked(o) {
				n++
			}
		}
	}
	return n
}

// full reports whether so much is set aside that no new messages may come in.
func (p *parkingLot) full(queue []*outgoing) bool {
	if len(p.spots) == 0 {
		return false
	}
	total, perKey := 0, map[any]int{}
	for _, o := range queue {
		if k := p.key(o); p.spots[k] != nil {
			total++
			if perKey[k]++; perKey[k] >= p.route.Park.PerKey {
				return true
			}
		}
	}
	return total >= p.route.Park.PerRoute
}
