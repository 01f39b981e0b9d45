package validator

import (
	"fmt"
	"time"
)

// expire drops segments that are older than retention. The caller holds writing.
func (s *Sink) expire(k *kept) error {
	first := s.now().Add(-s.config.Retention).UnixNano()
	if n := k.judgements.forget(first); n > 0 {
		s.events.Add(eventGivenUp, int(n))
		s.log.Warn("windows are older than retention and were never judged", "windows", n, "before", time.Unix(0, first).UTC())
	}
	segments, end := k.store.snapshot()
	var old []segment
	for _, g := range segments {
		if g.age() < first && g.Number != end.Segment {
			old = append(old, g)
		}
	}
	if len(old) == 0 || !k.store.reading.TryLock() {
		return nil // what is being read now is dropped later
	}
	defer k.store.reading.Unlock()
	return s.drop(k, old...)
}

// makeRoom drops the oldest segment of which no window waits to be judged. When there
// is none, or a run reads, it returns errFull. The caller holds writing.
func (s *Sink) makeRoom(k *kept) error {
	if !k.store.reading.TryLock() {
		s.events.Add(eventFull, 1)
		return fmt.Errorf("%w: room is made when the run that reads it is done", errFull)
	}
	defer k.store.reading.Unlock()
	segments, end := k.store.snapshot()
	for _, g := range segments {
		if g.Number != end.Segment && k.judgements.settled(g.due()) {
			return s.drop(k, g)
		}
	}
	s.events.Add(eventFull, 1)
	since := "nothing is judged yet"
	if _, n, oldest := k.judgements.figures(s.now().UnixNano()); n > 0 {
		since = fmt.Sprintf("%d windows wait to be judged, the oldest since %s", n, time.Unix(0, oldest).UTC().Format(time.RFC3339))
	}
	return fmt.Errorf("%w: it has %d bytes of maxBytes %s, and %s: let %s be reached, or raise maxBytes", errFull, k.store.stored(), s.config.MaxBytes, since, s.expect)
}

// drop drops segments. What is kept says so first: no window is ever judged whose
// readings were dropped.
func (s *Sink) drop(k *kept, segments ...segment) error {
	for _, g := range segments {
		if n := k.judgements.giveUp(g.due(), s.now().UnixNano()); n > 0 {
			s.events.Add(eventGivenUp, int(n))
			s.log.Warn("readings are dropped although their windows were not judged", "segment", segmentName(g.Number), "windows", n, "readings", g.Readings)
		}
	}
	if err := s.save(k); err != nil {
		return err
	}
	for _, g := range segments {
		if err := k.store.drop(g.Number); err != nil {
			return err
		}
		s.events.Add(eventDropped, int(g.Readings))
	}
	return nil
}
