package embedded

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"sync"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
)

// Broker is a running MQTT broker.
type Broker struct {
	server  *mqtt.Server
	address string
	hold    *holdBack
	close   func() error
}

// Start returns a broker that listens on a free port of 127.0.0.1 and lets
// everybody in. The caller closes it.
func Start() (*Broker, error) { return start(nil) }

// StartWithTokens is Start for a broker that lets in who shows one of the tokens.
func StartWithTokens(tokens *Tokens) (*Broker, error) { return start(tokens) }

func start(tokens *Tokens) (*Broker, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("embedded MQTT broker: %w", err)
	}
	b := &Broker{server: mqtt.New(options()), address: listener.Addr().String()}
	b.hold = newHoldBack(b.server)
	b.hold.everybody = tokens == nil
	b.close = sync.OnceValue(b.shutDown)
	for _, hook := range []mqtt.Hook{&limits{server: b.server}, b.hold} {
		if err := b.server.AddHook(hook, nil); err != nil {
			return nil, fmt.Errorf("embedded MQTT broker: %w", closing(err, listener))
		}
	}
	if tokens != nil {
		tokens.server = b.server
		if err := b.server.AddHook(&doorkeeper{tokens: tokens}, nil); err != nil {
			return nil, fmt.Errorf("embedded MQTT broker: %w", closing(err, listener))
		}
	}
	if err := b.server.AddListener(listeners.NewNet("loopback", listener)); err != nil {
		return nil, fmt.Errorf("embedded MQTT broker: %w", closing(err, listener))
	}
	if err := b.server.Serve(); err != nil {
		return nil, fmt.Errorf("embedded MQTT broker: %w", closing(err, b))
	}
	return b, nil
}

// closing closes what an error has left open.
func closing(err error, c io.Closer) error {
	_ = c.Close() // the first error tells more
	return err
}

// options raises the limits at which messages would be dropped, and grants what
// Azure IoT Operations MQ does.
func options() *mqtt.Options {
	c := mqtt.NewDefaultServerCapabilities()
	c.MaximumInflight = math.MaxUint16
	c.ReceiveMaximum = math.MaxUint16
	c.MaximumClientWritesPending = 1 << 20
	c.MaximumQos, c.TopicAliasMaximum, c.SubIDAvailable = 1, 0, 0
	return &mqtt.Options{
		Capabilities: c,
		InlineClient: true, // for Watch
		Logger:       slog.New(slog.DiscardHandler),
		// Fewer system calls for the many small packets of telemetry.
		ClientNetReadBufferSize:  64 << 10,
		ClientNetWriteBufferSize: 64 << 10,
	}
}

// URL returns where clients connect to: mqtt://127.0.0.1:PORT.
func (b *Broker) URL() string { return "mqtt://" + b.address }

// Close disconnects all clients and stops the broker. It may be called more
// than once.
func (b *Broker) Close() error { return b.close() }

func (b *Broker) shutDown() error {
	b.hold.release()
	if err := b.server.Close(); err != nil {
		return fmt.Errorf("embedded MQTT broker: %w", err)
	}
	return nil
}
