package demo

import (
	"context"
	"errors"
	"time"

	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/generate"
)

// confirmWithin bounds the wait for outstanding confirms when publishing ends.
const confirmWithin = 15 * time.Second

// publish has the factory publish until its time is over.
func (s *stage) publish(ctx context.Context, r *Report) error {
	over, end := context.WithTimeout(s.stopping, s.options.For)
	defer end()
	if s.place == nil {
		return s.publishInProcess(over)
	}
	generator, err := s.generator()
	if err != nil {
		return err
	}
	factory := &witness.Factory{URL: s.place.url, Exchange: s.place.exchange, Published: s.published}
	if s.options.Rate > 0 {
		// The pace is kept below. A higher one here has the factory send
		// larger groups before it waits for their confirms, so that slow
		// confirms do not slow it down.
		factory.Rate = 4 * s.options.Rate
	}
	// What is unconfirmed when the time is over is still waited for: it may
	// stand in the queues.
	confirming, abandon := context.WithCancel(ctx)
	defer abandon()
	deadline := time.AfterFunc(s.options.For+confirmWithin, abandon)
	defer deadline.Stop()
	defer context.AfterFunc(s.stopping, func() { deadline.Reset(confirmWithin) })()
	begin, n := time.Now(), 0
	err = factory.Publish(confirming, func() (witness.Reading, bool) {
		if !pace(over, begin, n, s.options.Rate) {
			return witness.Reading{}, false
		}
		n++
		reading := generator.Next()
		return witness.Reading{Device: reading.Device, Seq: reading.Seq, RoutingKey: reading.RoutingKey(), Payload: reading.AppendJSON(nil, 0)}, true
	})
	r.Republished = factory.Republished
	if err != nil && ctx.Err() == nil {
		return errors.New("RabbitMQ did not confirm all readings in time")
	}
	return err
}

// publishInProcess lets the generator of the feed go on until over ends, and
// then ends it.
func (s *stage) publishInProcess(over context.Context) error {
	select {
	case <-over.Done():
	case <-s.feedDone:
		return errors.New("the feed ended early")
	}
	s.stop()
	return nil
}

func (s *stage) generator() (*generate.Generator, error) {
	c := generate.DefaultConfig()
	c.Devices, c.Rate = s.options.Devices, 0 // the times are the clock's
	return generate.NewGenerator(c)
}

// pace waits until the nth reading is due, and reports false when ctx has
// ended.
func pace(ctx context.Context, begin time.Time, n, rate int) bool {
	if rate > 0 {
		if d := time.Until(begin.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))); d > 0 {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err() == nil
}
