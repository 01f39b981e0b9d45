package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/witness"
)

// stockUp fills a queue that several runs take from. Nothing more comes to it
// after that.
func (s *stand) stockUp(ctx context.Context, v value) error {
	queues, l := s.queues(v.path), v.load
	l.messages = v.waiting
	if err := queues.declare(); err != nil {
		return err
	}
	_, err := queues.fill(ctx, l, func(done int) { s.progress.count(v.path.name+": filling", done, l.messages) })
	if err != nil {
		return err
	}
	return queues.unbind()
}

// carryPart has a competitor carry the first n messages or a few more of a
// queue that holds others too, and fails unless what it took off arrives.
func (s *stand) carryPart(ctx context.Context, p path, c competitor, n int) (m measurement, err error) {
	if err := s.prepare(ctx, p, false); err != nil {
		return m, err
	}
	queue, err := openQueue(s.servers.amqpURL(), p.legs[0].queue())
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, queue.close()) }()
	before, err := queue.inspect()
	if err != nil {
		return m, err
	}
	// What is handed out is not ready, whether it is settled or not.
	out := n + p.legs[0].prefetch
	if before.Messages <= out {
		return m, fmt.Errorf("the backlog of %d messages is used up: choose a larger -backlog", before.Messages)
	}
	m, err = c.empty(ctx, s.env(p), func(ctx context.Context, _ int) error {
		return queue.await(ctx, func(now amqp.Queue) bool {
			s.progress.count(p.name+", "+c.name+": running", min(out, before.Messages-now.Messages), out)
			return before.Messages-now.Messages >= out
		})
	})
	if err != nil {
		return m, err
	}
	s.progress.say(p.name + ", " + c.name + ": checking")
	left, err := s.settledDown(ctx, p, queue)
	if err != nil {
		return m, err
	}
	if left == 0 {
		return m, errors.New("the backlog was used up during the run: choose a larger -backlog")
	}
	m.messages = before.Messages - left
	return m, s.check(ctx, p, &published{messages: m.messages, tally: witness.NewTally()})
}

// settledDown waits until what a competitor gave back when it ended is in the
// queue again, and returns how many messages that holds. Returned messages
// become ready some time after the consumer is gone: everything is back when
// as many are ready as RabbitMQ counts altogether.
func (s *stand) settledDown(ctx context.Context, p path, queue *inspectedQueue) (left int, err error) {
	returned, cancel := context.WithTimeout(ctx, returnPatience)
	defer cancel()
	for {
		counted, err := s.queues(p).held(returned)
		if err != nil {
			return 0, err
		}
		now, err := queue.inspect()
		if err != nil {
			return 0, err
		}
		if now.Messages == counted {
			return counted, nil
		}
		if err := pause(returned, inspectEvery); err != nil {
			return 0, fmt.Errorf("what it gave back does not return: %d messages, %d of them ready: %w", counted, now.Messages, err)
		}
	}
}

// carryPortions has a competitor carry a load of which only a portion waits at
// a time, and fails unless everything arrives. The competitor is halted while
// RabbitMQ takes in the next portion.
func (s *stand) carryPortions(ctx context.Context, p path, c competitor, l load, portion int, witnessed bool) (m measurement, err error) {
	label := p.name + ", " + c.name + ": running"
	if err := s.prepare(ctx, p, witnessed); err != nil {
		return m, err
	}
	queue, err := openQueue(s.servers.amqpURL(), p.legs[0].queue())
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, queue.close()) }()
	readings, err := l.readings(nil)
	if err != nil {
		return m, err
	}
	queues, all := s.queues(p), &published{messages: l.messages, tally: witness.NewTally()}
	next := func() error { return queues.publishAll(ctx, all.tally, atMost(portion, readings), func(int) {}) }
	if err := next(); err != nil {
		return m, err
	}
	m, err = c.empty(ctx, s.env(p), func(ctx context.Context, pid int) error {
		for done := portion; done < l.messages; done += portion {
			s.progress.count(label, done, l.messages)
			if err := queue.await(ctx, func(now amqp.Queue) bool { return now.Messages == 0 }); err != nil {
				return err
			}
			last := done+portion >= l.messages
			err := halted(pid, func() error {
				if err := next(); err != nil || !last {
					return err
				}
				// The queue was empty before: a count of then must not be taken for the end.
				return s.seenFilled(ctx, p)
			})
			if err != nil {
				return err
			}
		}
		return queues.await(ctx, 0, func(int) {})
	})
	if err != nil {
		return m, err
	}
	m.messages = l.messages
	return m, s.checkEmptied(ctx, p, all)
}

// seenFilled waits until RabbitMQ has counted that there are messages.
func (s *stand) seenFilled(ctx context.Context, p path) error {
	for {
		held, err := s.queues(p).held(ctx)
		if err != nil || held > 0 {
			return err
		}
		if err := pause(ctx, askEvery); err != nil {
			return fmt.Errorf("wait until the queue is filled: %w", err)
		}
	}
}

// atMost passes on n readings.
func atMost(n int, readings func() (witness.Reading, bool)) func() (witness.Reading, bool) {
	return func() (witness.Reading, bool) {
		if n == 0 {
			return witness.Reading{}, false
		}
		n--
		return readings()
	}
}

// halted calls do while a process stands still.
func halted(pid int, do func() error) error {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("halt the process: %w", err)
	}
	err := do()
	if resumed := syscall.Kill(pid, syscall.SIGCONT); resumed != nil {
		err = errors.Join(err, fmt.Errorf("resume the process: %w", resumed))
	}
	return err
}
