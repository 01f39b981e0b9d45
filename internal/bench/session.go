package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/kraft-edge/datafeed/internal/witness"
)

// The session at Mosquitto in which messages wait. Nobody else subscribes to its
// topics: sessions of other paths' witnesses would keep the messages, too.
const (
	sessionName   = "bench"
	sessionPrefix = "waiting/"
	sessionFilter = sessionPrefix + "#"
)

// retained is by how much the count of stored messages may differ between two
// moments at which none waits: Mosquitto's own, retained ones are in it.
const retained = 50

// carryWaiting has a competitor carry messages that wait where the path begins.
func (s *stand) carryWaiting(ctx context.Context, p path, c competitor, l load, witnessed bool) (measurement, error) {
	if p.fromMQTT {
		return s.carrySession(ctx, p, c, l, witnessed)
	}
	return s.carryBacklog(ctx, p, c, l, witnessed)
}

// carrySession has a competitor carry messages that wait for it in a session at
// Mosquitto, and fails unless all of them arrive.
func (s *stand) carrySession(ctx context.Context, p path, c competitor, l load, witnessed bool) (m measurement, err error) {
	label := p.name + ", " + c.name + ": "
	if err := s.prepare(ctx, p, witnessed); err != nil {
		return m, err
	}
	stored, err := followCount(ctx, s.servers.mosquitto.Addr(), "bench-stored", storedTopic)
	if err != nil {
		return m, err
	}
	defer stored.close()
	before, err := stored.next(ctx)
	if err != nil {
		return m, err
	}
	published, err := s.fillSession(ctx, l, func(done int) { s.progress.count(label+"filling", done, l.messages) })
	if err != nil {
		return m, err
	}
	m, err = c.empty(ctx, s.env(p), func(ctx context.Context, _ int) error {
		return stored.fall(ctx, before+retained, func(left int) { s.progress.count(label+"running", l.messages-left, l.messages) })
	})
	if err != nil {
		return m, err
	}
	m.messages = l.messages
	s.progress.say(label + "checking")
	return m, s.check(ctx, p, published)
}

// fillSession begins the session anew and publishes the load, all of which waits
// in it then.
func (s *stand) fillSession(ctx context.Context, l load, progress func(done int)) (*published, error) {
	if err := s.beginSession(ctx); err != nil {
		return nil, fmt.Errorf("begin the session: %w", err)
	}
	next, err := l.readings(nil)
	if err != nil {
		return nil, err
	}
	p := &published{messages: l.messages, tally: witness.NewTally()}
	client, err := s.mqttClient(ctx, &paho.Connect{ClientID: "bench-gateway", CleanStart: true})
	if err != nil {
		return nil, err
	}
	defer hangUp(client)
	for done := 1; ; done++ {
		r, ok := next()
		if !ok {
			break
		}
		topic := sessionPrefix + strings.ReplaceAll(strings.TrimPrefix(r.RoutingKey, "telemetry."), ".", "/")
		if _, err := client.PublishWithOptions(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: r.Payload}, paho.PublishOptions{Method: paho.PublishMethod_AsyncSend}); err != nil {
			return nil, fmt.Errorf("fill the session: %w", err)
		}
		p.tally.Add(r.Device, r.Seq)
		if done%1000 == 0 {
			progress(done)
		}
	}
	return p, s.mqtt.count(ctx, l.messages)
}

// beginSession makes the session, as a contender that is away.
func (s *stand) beginSession(ctx context.Context) error {
	expiry := uint32(time.Hour / time.Second)
	client, err := s.mqttClient(ctx, &paho.Connect{ClientID: sessionName, CleanStart: true, Properties: &paho.ConnectProperties{SessionExpiryInterval: &expiry}})
	if err != nil {
		return err
	}
	_, err = client.Subscribe(ctx, &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: sessionFilter, QoS: 1}}})
	hangUp(client)
	return err
}

func (s *stand) mqttClient(ctx context.Context, c *paho.Connect) (*paho.Client, error) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", s.servers.mosquitto.Addr())
	if err != nil {
		return nil, err
	}
	client := paho.NewClient(paho.ClientConfig{Conn: conn})
	if _, err := client.Connect(ctx, c); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return client, nil
}

// hangUp ends a connection in order; a session with an expiry stays.
func hangUp(client *paho.Client) {
	_ = client.Disconnect(&paho.Disconnect{}) // the broker ends with us
	<-client.Done()
}
