package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// publishedBytes is how many bytes of payloads go to a broker before they are
// marked.
const publishedBytes = 16 * feed.MiB

// publishing sends items to a broker.
type publishing struct {
	to      *destination
	env     feed.StageEnv
	sinks   map[string]*amqp.Sink // by exchange
	sent    atomic.Int64
	refused quarantine.Failures // for good
	suspect int64               // the item after which the broker closed the channel: it goes alone
}

// shipment is a run of items that go to one exchange.
type shipment struct {
	exchange string
	items    []quarantine.Item
	msgs     []amqp.Outgoing
}

// finishFor bounds how long a shipment may take after it was begun.
const finishFor = 2 * time.Minute

func (p *publishing) count() int64 { return p.sent.Load() }

// page sends items and marks those that are durable. It returns an error when
// some could not be sent that may be sent later.
func (p *publishing) page(ctx context.Context, items []quarantine.Item, run *quarantine.Run) error {
	for {
		var next shipment
		if next, items = p.next(items); len(next.items) == 0 {
			return nil
		}
		sink, err := p.sink(next.exchange)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		// What is on its way is finished also when ctx ends: it would be sent again.
		finishing, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishFor)
		done, again, err := p.outcome(next, sink.PublishOriginals(finishing, next.msgs))
		cancel()
		if len(done) > 0 {
			// Also when ctx has ended: what is sent must not be sent again.
			marked, markErr := run.Mark(context.WithoutCancel(ctx), done)
			p.sent.Add(int64(marked))
			if markErr != nil {
				return errors.Join(err, fmt.Errorf("%s sent, but could not be marked, so that the next run sends them again: %w", were(int64(len(done)-marked)), markErr))
			}
		}
		if err != nil {
			return err
		}
		items = append(again, items...)
	}
}

// next returns the longest run of items that go to one exchange, and the rest.
// Items that cannot go to a broker are left out.
func (p *publishing) next(items []quarantine.Item) (s shipment, rest []quarantine.Item) {
	for i, it := range items {
		if it.ID == p.suspect && len(s.items) > 0 {
			return s, items[i:]
		}
		props, err := decode(it)
		if err != nil {
			p.refused.Add(fmt.Errorf("item %d: %w", it.ID, err))
			continue
		}
		exchange := props.Exchange
		if !p.to.ownExchange {
			exchange = p.to.config.Exchange
		}
		if len(s.items) > 0 && exchange != s.exchange {
			return s, items[i:]
		}
		s.exchange = exchange
		s.items, s.msgs = append(s.items, it), append(s.msgs, amqp.Outgoing{Properties: props, Body: it.Payload})
		if it.ID == p.suspect {
			return s, items[i+1:]
		}
	}
	return s, nil
}

func decode(it quarantine.Item) (amqp.Properties, error) {
	if it.Format != amqp.Format {
		return amqp.Properties{}, fmt.Errorf("its properties have the format %q, and only %s goes to RabbitMQ: replay it through a route", oneLine(it.Format, 60), amqp.Format)
	}
	return amqp.DecodeProperties(it.Properties)
}

// outcome returns the ids of what is durable and the items that are to be tried
// again at once: those that were in the way of the broker closing the channel
// because of one of them. An error says that the rest is for later.
func (p *publishing) outcome(s shipment, err error) (done []int64, again []quarantine.Item, _ error) {
	var failures []feed.Failure
	if err != nil {
		var batch *feed.BatchError
		if !errors.As(err, &batch) {
			return nil, nil, err
		}
		failures = batch.Failures
	}
	var later error
	closed := false
	for i, it := range s.items {
		if len(failures) == 0 || failures[0].Index != i {
			done = append(done, it.ID)
			continue
		}
		err := fmt.Errorf("item %d: %w", it.ID, failures[0].Err)
		failures = failures[1:]
		fatal := feed.IsConnectionFatal(err)
		switch {
		case feed.IsPermanent(err), fatal && len(s.items) == 1:
			p.refused.Add(err)
			continue
		case fatal:
			p.suspect, closed = it.ID, true
		case later == nil:
			later = err
		}
		again = append(again, it)
	}
	if closed || later == nil {
		return done, again, nil
	}
	return done, nil, later
}

// sink returns the sink of an exchange.
func (p *publishing) sink(exchange string) (*amqp.Sink, error) {
	if s := p.sinks[exchange]; s != nil {
		return s, nil
	}
	config := p.to.config
	config.Exchange = exchange
	s, err := amqp.NewSink(config, p.env)
	if err != nil {
		return nil, err
	}
	p.sinks[exchange] = s
	return s, nil
}

func (p *publishing) close() error {
	var errs []error
	for _, s := range p.sinks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
