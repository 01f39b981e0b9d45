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
	factory := &witness.Factory{URL: s.place.url, Exchange: s.place.exchange, Rate: s.options.Rate, Published: s.published}
	// What is unconfirmed when the time is over is still waited for: it may
	// stand in the queues.
	confirming, abandon := context.WithCancel(ctx)
	defer abandon()
	deadline := time.AfterFunc(s.options.For+confirmWithin, abandon)
	defer deadline.Stop()
	defer context.AfterFunc(s.stopping, func() { deadline.Reset(confirmWithin) })()
	err = factory.Publish(confirming, func() (witness.Reading, bool) {
		if over.Err() != nil {
			return witness.Reading{}, false
		}
		reading := generator.Next()
		s.handed.Add(1)
		return witness.Reading{Device: reading.Device, Seq: reading.Seq, RoutingKey: string(reading.AppendRoutingKey(nil)), Payload: reading.AppendJSON(nil)}, true
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
