package embedded

import (
	"sync"
	"sync/atomic"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// backlog is how many unacknowledged messages a subscriber may have before
// publishers wait for it. It is far from the 65535 at which the broker drops.
const backlog = 2048

// holdBack is the hook that makes publishers wait for slow subscribers, and lets
// everybody in unless another hook decides.
type holdBack struct {
	mqtt.HookBase
	server    *mqtt.Server
	everybody bool // is let in

	waiting  atomic.Int32 // publishers that wait
	mu       sync.Mutex
	progress sync.Cond // a subscriber has acknowledged, or gone
	released bool
}

func newHoldBack(s *mqtt.Server) *holdBack {
	h := &holdBack{server: s}
	h.progress.L = &h.mu
	return h
}

// ID implements mqtt.Hook.
func (h *holdBack) ID() string { return "hold-back" }

// Provides implements mqtt.Hook.
func (h *holdBack) Provides(event byte) bool {
	switch event {
	case mqtt.OnConnectAuthenticate:
		return h.everybody
	case mqtt.OnACLCheck, mqtt.OnSessionEstablish, mqtt.OnSessionEstablished,
		mqtt.OnPublish, mqtt.OnQosComplete, mqtt.OnQosDropped, mqtt.OnDisconnect:
		return true
	}
	return false
}

// OnConnectAuthenticate lets every client in: the broker listens on the
// loopback interface only.
func (h *holdBack) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck permits everything.
func (h *holdBack) OnACLCheck(*mqtt.Client, string, bool) bool { return true }

// OnSessionEstablish turns the broker's own flow control off: that looks through
// all unacknowledged messages of a subscriber at each acknowledgement, under a
// read lock that it takes twice, and so deadlocks with a publisher that waits
// for the write lock in between. Holding publishers back takes its place.
func (h *holdBack) OnSessionEstablish(c *mqtt.Client, _ packets.Packet) {
	c.State.Inflight.ResetSendQuota(0)
}

// OnSessionEstablished does the same for a session that was resumed.
func (h *holdBack) OnSessionEstablished(c *mqtt.Client, _ packets.Packet) {
	c.State.Inflight.ResetSendQuota(0)
}

// OnPublish runs in the goroutine that reads from the publisher, before the
// message is handed out and acknowledged: waiting here holds the publisher
// back.
func (h *holdBack) OnPublish(publisher *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	if !h.congested(publisher) {
		return pk, nil
	}
	h.waiting.Add(1)
	defer h.waiting.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	for !h.released && !publisher.Closed() && h.congested(publisher) {
		h.progress.Wait()
	}
	return pk, nil
}

// congested reports whether a connected subscriber other than the publisher
// has fallen behind.
func (h *holdBack) congested(publisher *mqtt.Client) bool {
	for _, c := range h.server.Clients.GetAll() {
		if c != publisher && !c.Closed() && c.State.Inflight.Len() >= limit(c) {
			return true
		}
	}
	return false
}

// limit returns how many unacknowledged messages a subscriber may have, which
// is never more than its Receive Maximum.
func limit(c *mqtt.Client) int {
	if m := int(c.Properties.Props.ReceiveMaximum); m > 0 && m < backlog {
		return m
	}
	return backlog
}

// OnQosComplete tells publishers that a subscriber has acknowledged.
func (h *holdBack) OnQosComplete(*mqtt.Client, packets.Packet) { h.wake() }

// OnQosDropped tells publishers that a message has expired.
func (h *holdBack) OnQosDropped(*mqtt.Client, packets.Packet) { h.wake() }

// OnDisconnect tells publishers that a subscriber, or one of themselves, has
// gone.
func (h *holdBack) OnDisconnect(*mqtt.Client, error, bool) { h.wake() }

// wake has the publishers that wait look again. A publisher counts as waiting
// before it looks, so that none is missed.
func (h *holdBack) wake() {
	if h.waiting.Load() == 0 {
		return
	}
	h.mu.Lock()
	h.progress.Broadcast()
	h.mu.Unlock()
}

// release ends all waiting for good.
func (h *holdBack) release() {
	h.mu.Lock()
	h.released = true
	h.progress.Broadcast()
	h.mu.Unlock()
}
