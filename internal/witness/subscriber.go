package witness

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// Subscriber receives everything that is published on an MQTT broker, through
// a client of its own, and tallies it.
type Subscriber struct {
	client *paho.Client
	conn   net.Conn
}

// Subscribe connects to the broker at address (mqtt://host:port) and tallies
// all messages on filter. The connection has no keep-alive, so that it
// outlives a broker that is frozen for a while.
func Subscribe(ctx context.Context, address, filter string, t Recorder) (*Subscriber, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	client := paho.NewClient(paho.ClientConfig{
		Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			t.AddJSON(p.Packet.Payload)
			return true, nil
		}},
	})
	expiry, receiveMaximum := uint32(3600), uint16(65535)
	ack, err := client.Connect(ctx, &paho.Connect{
		ClientID: fmt.Sprintf("witness-%d", time.Now().UnixNano()), CleanStart: true,
		Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry, ReceiveMaximum: &receiveMaximum},
	})
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	if ack.ReasonCode != 0 {
		_ = conn.Close()
		return nil, fmt.Errorf("subscribe: the broker refused the connection with 0x%02x", ack.ReasonCode)
	}
	granted, err := client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1}}})
	if err != nil || len(granted.Reasons) != 1 || granted.Reasons[0] > 2 {
		_ = client.Disconnect(&paho.Disconnect{})
		return nil, fmt.Errorf("subscribe to %s: %w, granted %v", filter, err, granted)
	}
	return &Subscriber{client: client, conn: conn}, nil
}

// Close ends the subscription and waits until nothing is tallied any more.
func (s *Subscriber) Close() error {
	err := s.client.Disconnect(&paho.Disconnect{})
	<-s.client.Done()
	_ = s.conn.Close()
	return err
}
