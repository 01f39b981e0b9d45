package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// subscription hands the publishes of an MQTT broker to a function.
type subscription struct {
	client *paho.Client
}

// subscribe subscribes to a filter with QoS 0, which costs the broker least;
// one goroutine calls on, in order.
func subscribe(ctx context.Context, address, clientID, filter string, on func(payload []byte)) (*subscription, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	s := &subscription{client: paho.NewClient(paho.ClientConfig{
		Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			on(p.Packet.Payload)
			return true, nil
		}},
	})}
	if _, err := s.client.Connect(ctx, &paho.Connect{ClientID: clientID, CleanStart: true}); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	if _, err := s.client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter}}}); err != nil {
		s.close()
		return nil, fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	return s, nil
}

// close ends the subscription and waits until nothing is handed over any more.
func (s *subscription) close() {
	_ = s.client.Disconnect(&paho.Disconnect{}) // the broker ends with us
	<-s.client.Done()
}
