package witness

import (
	"context"
	"errors"
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

// Option changes how a [Subscriber] connects.
type Option func(*paho.ClientConfig, *paho.Connect)

// WithServiceAccountToken authenticates with a token as Azure IoT Operations MQ
// asks for it: MQTT 5 enhanced authentication with the method K8S-SAT.
func WithServiceAccountToken(token string) Option {
	return func(client *paho.ClientConfig, c *paho.Connect) {
		client.AuthHandler = silent{}
		c.Properties.AuthMethod, c.Properties.AuthData = "K8S-SAT", []byte(token)
	}
}

// silent has nothing to add to a token.
type silent struct{}

// Authenticate is called when the broker asks for more.
func (silent) Authenticate(*paho.Auth) *paho.Auth { return nil }

// Authenticated is called when the broker is content.
func (silent) Authenticated() {}

// Subscribe connects to the broker at address (mqtt://host:port) and tallies
// all messages on filter, with QoS 1: a message is acknowledged when it is
// tallied, so that the broker knows how far a slow recorder is. ctx bounds
// connecting and subscribing alone. The connection has no keep-alive, so that it
// outlives a broker that is frozen for a while; one that is lost stays lost, and
// Close says so.
func Subscribe(ctx context.Context, address, filter string, t Recorder, options ...Option) (*Subscriber, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	config := paho.ClientConfig{
		Conn: conn,
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
			t.AddJSON(p.Packet.Payload)
			return true, nil
		}},
	}
	expiry, receiveMaximum := uint32(3600), uint16(65535)
	connect := &paho.Connect{
		ClientID: fmt.Sprintf("witness-%d", time.Now().UnixNano()), CleanStart: true,
		Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry, ReceiveMaximum: &receiveMaximum},
	}
	for _, o := range options {
		o(&config, connect)
	}
	client := paho.NewClient(config)
	ack, err := client.Connect(ctx, connect)
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

// Done is closed when the connection is lost, or closed.
func (s *Subscriber) Done() <-chan struct{} { return s.client.Done() }

// Close ends the subscription and waits until nothing is tallied any more. It
// returns an error when the connection was lost before.
func (s *Subscriber) Close() error {
	select {
	case <-s.client.Done():
		_ = s.conn.Close()
		return errors.New("the subscriber had lost its connection to the MQTT broker")
	default:
	}
	err := s.client.Disconnect(&paho.Disconnect{})
	<-s.client.Done()
	_ = s.conn.Close()
	return err
}
