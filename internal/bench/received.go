package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// received follows Mosquitto's own count of publishes that it has received. A
// subscriber to the messages themselves would take the CPU that contenders
// need.
type received struct {
	client *paho.Client
	counts chan int // the latest one that was not read yet
}

const (
	receivedTopic = "$SYS/broker/publish/messages/received"
	// countPatience is how long the count may lag: it comes every second.
	countPatience = 10 * time.Second
)

func followReceived(ctx context.Context, address string) (*received, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("follow Mosquitto's counts: %w", err)
	}
	r := &received{counts: make(chan int, 1)}
	r.client = paho.NewClient(paho.ClientConfig{
		Conn:              conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){r.note},
	})
	if _, err := r.client.Connect(ctx, &paho.Connect{ClientID: "bench-counts", CleanStart: true}); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("follow Mosquitto's counts: %w", err)
	}
	_, err = r.client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: receivedTopic}}})
	if err != nil {
		r.close()
		return nil, fmt.Errorf("follow Mosquitto's counts: %w", err)
	}
	return r, nil
}

// note is called by one goroutine.
func (r *received) note(p paho.PublishReceived) (bool, error) {
	n, err := strconv.Atoi(string(p.Packet.Payload))
	if err != nil {
		return true, nil //nolint:nilerr // no count: await will say that none came
	}
	select {
	case <-r.counts: // older
	default:
	}
	r.counts <- n
	return true, nil
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

func (r *received) close() {
	_ = r.client.Disconnect(&paho.Disconnect{}) // the broker ends with us
	<-r.client.Done()
}
