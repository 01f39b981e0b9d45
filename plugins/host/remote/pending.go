package remote

import (
	"context"
	"weak"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// pending are the messages whose end a transform wants to know. A route does not
// tell of those that go back to their source: it lets go of them, and so does this.
type pending struct {
	call *call // that knows them
	at   map[weak.Pointer[message.Message]]place
	look int // how many there are when it is looked for those that have gone
}

// place is where a message stood.
type place struct {
	batch uint64
	index uint32
}

// fewPending is how many are kept without looking.
const fewPending = 4096

// add notes the messages of a batch of which something was made.
func (p *pending) add(c *call, number uint64, msgs []*message.Message, made []feed.Made) {
	if p.call != c {
		*p = pending{call: c, at: map[weak.Pointer[message.Message]]place{}, look: fewPending}
	}
	for i, m := range made {
		if _, filtered := feed.FilterReason(m.Err); filtered || len(m.Messages) > 0 {
			p.at[weak.Make(msgs[i])] = place{number, uint32(i)}
		}
	}
}

// settled takes out messages that have ended.
func (p *pending) settled(ended []feed.Settled) []*pluginpb.SettledMessage {
	var all []*pluginpb.SettledMessage
	for _, s := range ended {
		key := weak.Make(s.Message)
		if at, ok := p.at[key]; ok {
			all = append(all, &pluginpb.SettledMessage{Batch: at.batch, Index: at.index, Outcome: pluginpb.Outcome(s.Outcome)})
			delete(p.at, key)
		}
	}
	return all
}

// returned takes out messages that nobody has any more.
func (p *pending) returned() []*pluginpb.SettledMessage {
	if len(p.at) < p.look {
		return nil
	}
	var all []*pluginpb.SettledMessage
	for key, at := range p.at {
		if key.Value() == nil {
			all = append(all, &pluginpb.SettledMessage{Batch: at.batch, Index: at.index, Outcome: pluginpb.Outcome_OUTCOME_RETURNED})
			delete(p.at, key)
		}
	}
	p.look = max(fewPending, 2*len(p.at))
	return all
}

// settled implements the Settled of a [feed.Transform]. What a process that has
// died was not told it cannot know.
func (t *transform) settled(ended []feed.Settled) {
	if t.call == nil || t.call.ending.Load() || t.pending.call != t.call {
		return
	}
	messages := append(t.pending.settled(ended), t.pending.returned()...)
	if len(messages) == 0 {
		return
	}
	defer t.plugin.enter(false)()
	c := t.call
	// When that fails, the next batch is told.
	_ = t.within(context.Background(), t.plugin.limits.Timeout, func() error {
		return c.send(&pluginpb.TransformRequest{Request: &pluginpb.TransformRequest_Settled{Settled: &pluginpb.SettledBatch{Messages: messages}}})
	})
}
