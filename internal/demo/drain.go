package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// idleFor is how long nothing must have moved, with nothing in flight, before
// what is missing counts as lost.
const idleFor = 4 * time.Second

// errSlow says that nothing comes to its end.
var errSlow = errors.New("it takes too long")

// send has the devices send until their time is over, and then what they have
// begun with: the cloud API and the feed get the same batches.
func (s *stage) send(ctx context.Context) error {
	over, end := context.WithTimeout(s.stopping, s.options.For)
	defer end()
	s.startClock()
	s.devices.run(context.Background())
	feedDone := s.feed.done
	select {
	case <-over.Done():
	case <-feedDone:
		return fmt.Errorf("the feed ended early: %w", s.feed.err)
	case <-s.devices.done:
		return fmt.Errorf("the devices ended early: %w", s.devices.err)
	}
	s.stopClock()
	s.simulated.end.Now()
	s.enter("sending what was begun")
	err := s.await(ctx, s.devices.ended, s.devices)
	if errors.Is(err, errSlow) {
		return fmt.Errorf("not all was taken after %v: %s", s.options.drainWithin, reasons(s.devices.feed.Status()))
	}
	return err
}

// drain waits until all has gone through, or until nothing moves any more: then
// the comparison says what is missing.
func (s *stage) drain(ctx context.Context) error {
	err := s.await(ctx, s.through, s.feed)
	if errors.Is(err, errSlow) {
		return fmt.Errorf("not all had arrived after %v: %s", s.options.drainWithin, reasons(s.feed.feed.Status()))
	}
	return err
}

// await waits until done, until f has ended, until nothing has moved in f for a
// while, or until it takes too long.
func (s *stage) await(ctx context.Context, done func() bool, f *running) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(s.options.drainWithin)
	defer timeout.Stop()
	last, since := uint64(0), time.Now()
	for !done() {
		moved, idle := movement(f.feed.Status())
		if moved != last || !idle {
			last, since = moved, time.Now()
		}
		if time.Since(since) >= idleFor {
			return nil
		}
		select {
		case <-tick.C:
		case <-f.done:
			return nil // stop tells why
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return errSlow
		}
	}
	return nil
}

// through reports whether all that was handed to RabbitMQ has gone through all
// routes.
func (s *stage) through() bool {
	if s.place == nil {
		return s.feed.ended()
	}
	ingest := s.feed.route(routeIngest)
	if settled(ingest.Deliveries) < s.devices.route(routeDevices).Deliveries.Delivered {
		return false
	}
	for _, name := range []string{routeMQTT, routeArchive} {
		if settled(s.feed.route(name).Deliveries) < ingest.Produced.Delivered {
			return false
		}
	}
	_, idle := movement(s.feed.feed.Status())
	return idle
}

// movement returns a figure that changes when messages move, and whether the
// routes run and have nothing in flight.
func movement(status feed.Status) (n uint64, idle bool) {
	idle = true
	for _, r := range status.Routes {
		n += r.Deliveries.Received + settled(r.Deliveries) + r.Produced.Delivered
		idle = idle && (r.State == feed.StateRunning || r.State == feed.StateStopped) && r.Deliveries.InFlight == 0
	}
	return n, idle
}

// awaitSubscriber waits until the subscriber has what the broker has
// acknowledged, or until nothing comes any more.
func (s *stage) awaitSubscriber() {
	want := s.feed.route(routeMQTT).Deliveries.Delivered
	if s.place == nil {
		want = s.feed.route(routeDirect).Produced.Delivered
	}
	idle := time.NewTimer(idleFor)
	defer idle.Stop()
	for {
		changed := s.received.tally.Changed()
		if s.received.n.Load() >= want {
			return
		}
		select {
		case <-changed:
			idle.Reset(idleFor)
		case <-s.subscriber.Done():
			return
		case <-idle.C:
			return
		}
	}
}
