package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// brokerCount follows one of Mosquitto's own counts. A subscriber to the messages
// themselves would take the CPU that contenders need.
type brokerCount struct {
	subscription *subscription
	counts       chan int // the latest one that was not read yet
}

const (
	receivedTopic = "$SYS/broker/publish/messages/received" // publishes
	storedTopic   = "$SYS/broker/store/messages/count"      // messages that wait, and retained ones
	// countPatience is how long the count may lag: it comes every second.
	countPatience = 10 * time.Second
)

// followCount follows the count of a topic as a client of the given name.
func followCount(ctx context.Context, address, clientID, topic string) (*brokerCount, error) {
	r := &brokerCount{counts: make(chan int, 1)}
	var err error
	r.subscription, err = subscribe(ctx, address, clientID, topic, r.note)
	return r, err
}

// note is called by one goroutine.
func (r *brokerCount) note(payload []byte) {
	n, err := strconv.Atoi(string(payload))
	if err != nil {
		return // no count: await will say that none came
	}
	select {
	case <-r.counts: // older
	default:
	}
	r.counts <- n
}

// await waits until the count is n. More is an error: something came twice.
func (r *brokerCount) await(ctx context.Context, n int) error {
	patience := time.NewTimer(countPatience)
	defer patience.Stop()
	for latest := 0; ; {
		select {
		case latest = <-r.counts:
			switch {
			case latest == n:
				return nil
			case latest > n:
				return fmt.Errorf("mosquitto counts %d messages too many", latest-n)
			}
		case <-patience.C:
			return fmt.Errorf("mosquitto counts %d messages, %d are missing", latest, n-latest)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// fall waits until the count is n or less. progress is told how many are left.
func (r *brokerCount) fall(ctx context.Context, n int, progress func(left int)) error {
	for {
		select {
		case latest := <-r.counts:
			if progress(max(latest-n, 0)); latest <= n {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// next returns the next count that comes.
func (r *brokerCount) next(ctx context.Context) (int, error) {
	select {
	case n := <-r.counts:
		return n, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (r *brokerCount) close() { r.subscription.close() }
