package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// received follows Mosquitto's own count of publishes that it has received. A
// subscriber to the messages themselves would take the CPU that contenders
// need.
type received struct {
	subscription *subscription
	counts       chan int // the latest one that was not read yet
}

const (
	receivedTopic = "$SYS/broker/publish/messages/received"
	// countPatience is how long the count may lag: it comes every second.
	countPatience = 10 * time.Second
)

func followReceived(ctx context.Context, address string) (*received, error) {
	r := &received{counts: make(chan int, 1)}
	var err error
	r.subscription, err = subscribe(ctx, address, "bench-counts", receivedTopic, r.note)
	return r, err
}

// note is called by one goroutine.
func (r *received) note(payload []byte) {
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

// await waits until Mosquitto has received n publishes since it started. More
// are an error: something came twice.
func (r *received) await(ctx context.Context, n int) error {
	patience := time.NewTimer(countPatience)
	defer patience.Stop()
	for latest := 0; ; {
		select {
		case latest = <-r.counts:
			switch {
			case latest == n:
				return nil
			case latest > n:
				return fmt.Errorf("mosquitto has received %d messages too many", latest-n)
			}
		case <-patience.C:
			return fmt.Errorf("mosquitto has received %d messages, %d are missing", latest, n-latest)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (r *received) close() { r.subscription.close() }
