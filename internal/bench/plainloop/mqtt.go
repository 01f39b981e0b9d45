package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/eclipse/paho.golang/packets"
	"github.com/eclipse/paho.golang/paho"
	"github.com/eclipse/paho.golang/paho/session"
	"github.com/eclipse/paho.golang/paho/session/state"
	amqp "github.com/rabbitmq/amqp091-go"
)

// ackEvery is how many finished messages one acknowledgement covers under load.
const ackEvery = 100

// toMQTT publishes a queue's messages with QoS 1 to the topics that topicOf
// returns: all that were delivered are
// in flight at a time, and those at the head that the broker has acknowledged
// are acknowledged to RabbitMQ together.
func toMQTT(ctx context.Context, j job, topicOf func(*amqp.Delivery) (string, error)) error {
	source, err := consume(ctx, j.queue, j.prefetch)
	if err != nil {
		return err
	}
	defer source.conn.Close() //nolint:errcheck // everything is acknowledged, or will be delivered again
	broker, err := connectMQTT(ctx, j)
	if err != nil {
		return err
	}
	defer broker.close()

	var (
		inFlight []publishing // oldest first
		finished uint64       // tag of the last that is finished and not acknowledged
		count    int
	)
	deliveries := source.deliveries
	for deliveries != nil || len(inFlight) > 0 {
		select {
		case d, ok := <-deliveries:
			if !ok {
				if err := source.ended(ctx); err != nil {
					return err
				}
				deliveries = nil
				continue
			}
			topic, err := topicOf(&d)
			if err != nil {
				return err
			}
			id, err := broker.publish(&d, topic)
			if err != nil {
				return err
			}
			inFlight = append(inFlight, publishing{id: id, tag: d.DeliveryTag})

		case answer := <-broker.session.answers:
			ack, ok := answer.Content.(*packets.Puback)
			switch {
			case !ok:
				return errors.New("the MQTT session ended")
			case ack.ReasonCode >= 0x80:
				return fmt.Errorf("the MQTT broker refused a message: %s", ack.Reason())
			case ack.PacketID != inFlight[0].id:
				return errors.New("the MQTT broker acknowledged out of order") // which MQTT forbids
			}
			finished, inFlight = inFlight[0].tag, inFlight[1:]
			if count++; count >= ackEvery || len(inFlight) == 0 {
				if err := source.channel.Ack(finished, true); err != nil {
					return fmt.Errorf("acknowledge: %w", err)
				}
				count = 0
			}

		case err := <-broker.failed:
			return fmt.Errorf("MQTT connection: %w", err)
		}
	}
	return nil
}

// publishing is a message that waits for its PUBACK.
type publishing struct {
	id  uint16
	tag uint64
}

// broker is a connection to the MQTT broker.
type broker struct {
	client  *paho.Client
	session *sharedSession
	failed  failure
}

func connectMQTT(ctx context.Context, j job) (*broker, error) {
	conn, err := dialMQTT(16 << 10)
	if err != nil {
		return nil, err
	}
	b := &broker{
		session: &sharedSession{SessionManager: state.NewInMemory(), answers: make(chan packets.ControlPacket, j.prefetch)},
		failed:  make(failure, 1),
	}
	b.client = paho.NewClient(paho.ClientConfig{
		Conn: conn, Session: b.session, OnClientError: b.failed.note, OnServerDisconnect: b.failed.noteDisconnect,
	})
	// Acknowledgement may not stop while draining: the connection outlives ctx.
	_, err = b.client.Connect(context.WithoutCancel(ctx), &paho.Connect{
		ClientID: fmt.Sprintf("plainloop-%d-%s", os.Getpid(), j.queue), CleanStart: true, KeepAlive: 30,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the MQTT broker: %w", err), conn.Close())
	}
	return b, nil
}

// publish sends a delivery and returns its packet identifier, without waiting
// for the acknowledgement.
func (b *broker) publish(d *amqp.Delivery, topic string) (uint16, error) {
	_, err := b.client.PublishWithOptions(context.Background(), &paho.Publish{
		QoS:        1,
		Topic:      topic,
		Payload:    d.Body,
		Properties: &paho.PublishProperties{ContentType: d.ContentType},
	}, paho.PublishOptions{Method: paho.PublishMethod_AsyncSend})
	if err != nil {
		return 0, fmt.Errorf("publish: %w", err)
	}
	return b.session.last, nil
}

func (b *broker) close() {
	_ = b.client.Disconnect(&paho.Disconnect{}) // nothing is in flight any more, or all is lost anyway
	<-b.client.Done()
}

// sharedSession is paho's session with one channel for all acknowledgements,
// where paho has one a message, which with PublishMethod_AsyncSend nobody sees.
type sharedSession struct {
	session.SessionManager
	answers chan packets.ControlPacket // room for all that can be in flight
	last    uint16                     // identifier of the last publish
}

// AddToSession implements session.SessionManager.
func (s *sharedSession) AddToSession(ctx context.Context, packet session.Packet, answer chan<- packets.ControlPacket) error {
	p, ok := packet.(*packets.Publish)
	if !ok {
		return s.SessionManager.AddToSession(ctx, packet, answer)
	}
	err := s.SessionManager.AddToSession(ctx, packet, s.answers)
	s.last = p.PacketID
	return err
}

// failure keeps the first reason why a connection has ended: it has room for one.
type failure chan error

func (f failure) note(err error) {
	select {
	case f <- err:
	default: // an earlier one waits to be read
	}
}

func (f failure) noteDisconnect(d *paho.Disconnect) {
	f.note(fmt.Errorf("the broker ended it with reason 0x%02x", d.ReasonCode))
}

// dialMQTT connects to where the environment says, and reads pieces of the given
// size.
func dialMQTT(size int) (*bufferedConn, error) {
	address, err := net.ResolveTCPAddr("tcp", os.Getenv("MQTT_ADDRESS"))
	if err != nil {
		return nil, fmt.Errorf("connect to the MQTT broker: %w", err)
	}
	tcp, err := net.DialTCP("tcp", nil, address)
	if err != nil {
		return nil, fmt.Errorf("connect to the MQTT broker: %w", err)
	}
	return &bufferedConn{TCPConn: tcp, reader: bufio.NewReaderSize(tcp, size)}, nil
}

// bufferedConn reads from the connection in larger pieces than paho, which
// asks for the type of a packet, each byte of its length and the rest. Writes
// stay those of TCPConn, to which paho gives a whole packet at a time.
type bufferedConn struct {
	*net.TCPConn
	reader *bufio.Reader
}

// Read implements net.Conn.
func (c *bufferedConn) Read(p []byte) (int, error) { return c.reader.Read(p) }
