package remote

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// enough deaths with nothing but one message in flight condemn it.
const enough = 2

// suspects are messages that were in flight when the process died, with the number
// of deaths with nothing else in flight.
type suspects map[*message.Message]int

// isolated returns how many of the messages may be sent at once: those before the
// first suspect; or one, and whether it is a suspect.
func (s suspects) isolated(msgs []*message.Message) (n int, suspect bool) {
	if len(s) == 0 {
		return len(msgs), false
	}
	for n, m := range msgs {
		if _, ok := s[m]; !ok {
			continue
		}
		if n == 0 {
			return 1, true
		}
		return n, false
	}
	return len(msgs), false
}

// forget drops the suspects that are not among the messages: they are somewhere
// else now, and come again as other ones.
func (s suspects) forget(msgs []*message.Message) {
	if len(s) == 0 {
		return
	}
	here := make(map[*message.Message]bool, len(msgs))
	for _, m := range msgs {
		here[m] = true
	}
	for m := range s {
		if !here[m] {
			delete(s, m)
		}
	}
}

// passed clears messages that the process has survived.
func (s suspects) passed(msgs []*message.Message) {
	if len(s) == 0 {
		return
	}
	for _, m := range msgs {
		delete(s, m)
	}
}

// died notes a death with messages in flight; alone says that it was a suspect, with
// nothing else. A message that is condemned gets the returned error.
func (s suspects) died(msgs []*message.Message, alone bool, death *diedError) error {
	for _, m := range msgs {
		if alone {
			s[m]++
		} else {
			s[m] += 0
		}
	}
	if !alone || s[msgs[0]] < enough {
		return nil
	}
	delete(s, msgs[0])
	return feed.Permanent(condemned(death))
}

// condemned is what is said of something that killed the process enough times.
func condemned(death *diedError) error {
	return fmt.Errorf("killed plugin %s twice: %s", death.stage.plugin.name, death.how)
}
