package remote

import (
	"fmt"
	"hash/maphash"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// enough deaths with nothing but one thing in flight condemn it.
const enough = 2

// Suspects are remembered until the process survives them, but no longer than this
// after the latest death, and not more than so many: some never come again.
const (
	remembered   = time.Hour
	mostSuspects = 1 << 18
)

// suspects are things that were in flight when the process died, messages or requests
// of a codec, with the number of deaths with nothing else in flight. They are known by
// what is in them: when the budget of restarts is used up a message goes back to where
// it came from, and comes again as another one.
type suspects struct {
	seed   maphash.Seed
	deaths map[uint64]int // by key
	latest time.Time      // when the latest death was
}

func newSuspects() *suspects {
	return &suspects{seed: maphash.MakeSeed(), deaths: map[uint64]int{}}
}

// key is that of an encoded request.
func (s *suspects) key(encoded []byte) uint64 { return maphash.Bytes(s.seed, encoded) }

// keys are those of messages: of what stays the same when they come again, which
// headers may not, such as the number of deliveries that brokers add.
func (s *suspects) keys(msgs ...*message.Message) []uint64 {
	all := make([]uint64, len(msgs))
	for i, m := range msgs {
		all[i] = s.keyOf(m)
	}
	return all
}

func (s *suspects) keyOf(m *message.Message) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, text := range [...]string{m.UUID, feed.Topic(m)} {
		_, _ = h.WriteString(text) // it never fails
		_ = h.WriteByte(0)
	}
	_, _ = h.Write(m.Payload)
	return h.Sum64()
}

// none reports whether nothing is suspected.
func (s *suspects) none() bool {
	if len(s.deaths) > 0 && time.Since(s.latest) > remembered {
		clear(s.deaths)
	}
	return len(s.deaths) == 0
}

// has reports whether something is a suspect.
func (s *suspects) has(key uint64) bool {
	_, ok := s.deaths[key]
	return ok
}

// isolated returns how many of the messages may be sent at once: those before the
// first suspect; or one, and whether it is a suspect.
func (s *suspects) isolated(msgs []*message.Message) (n int, suspect bool) {
	if s.none() {
		return len(msgs), false
	}
	for n, m := range msgs {
		if !s.has(s.keyOf(m)) {
			continue
		}
		if n == 0 {
			return 1, true
		}
		return n, false
	}
	return len(msgs), false
}

// passed clears a suspect that the process has survived.
func (s *suspects) passed(key uint64) { delete(s.deaths, key) }

// died notes a death with things in flight; alone says that it was a suspect, with
// nothing else. One that is condemned gets the returned error.
func (s *suspects) died(keys []uint64, alone bool, death *diedError) error {
	s.latest = time.Now()
	if alone {
		s.deaths[keys[0]]++
		if s.deaths[keys[0]] < enough {
			return nil
		}
		delete(s.deaths, keys[0])
		return feed.Permanent(fmt.Errorf("killed plugin %s twice: %s", death.stage.plugin.name, death.how))
	}
	if len(s.deaths)+len(keys) > mostSuspects {
		clear(s.deaths)
	}
	for _, key := range keys {
		s.deaths[key] += 0
	}
	return nil
}
