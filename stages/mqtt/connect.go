package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/kraft-edge/datafeed/feed"
)

// limits is what a CONNACK grants.
type limits struct {
	receiveMaximum int
	maxPacketSize  int
	keepAlive      time.Duration
	clientID       string
}

// dialFunc opens a transport connection.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// connect makes one attempt to open a connection and greet the broker. It
// reads credentials and certificates anew.
func connect(ctx context.Context, c Config, clientID string, dial dialFunc) (*conn, error) {
	a, err := parseAddress(c.URL)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout)
	defer cancel()
	k, err := a.connect(ctx, c, clientID, dial)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w (%w)", err, ctx.Err())
		}
		return nil, fmt.Errorf("connect to %s: %w", a, err)
	}
	return k, nil
}

func (a address) connect(ctx context.Context, c Config, clientID string, dial dialFunc) (*conn, error) {
	hello, err := connectPacket(c, a, clientID)
	if err != nil {
		return nil, err
	}
	var tlsConfig *tls.Config
	if a.tls {
		if tlsConfig, err = c.TLS.clientConfig(a.host); err != nil {
			return nil, err
		}
	}
	nc, err := dial(ctx, a.network, a.dial)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	k, err := greet(ctx, nc, tlsConfig, hello, c)
	if !stop() && err == nil {
		// The context ended in the last moment and has closed nc.
		k.close(ctx.Err())
		return nil, ctx.Err()
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return k, nil
}

func greet(ctx context.Context, nc net.Conn, tlsConfig *tls.Config, hello *packets.Connect, c Config) (*conn, error) {
	if tlsConfig != nil {
		t := tls.Client(nc, tlsConfig)
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		nc = t
	}
	var packet bytes.Buffer
	if _, err := hello.WriteTo(&packet); err != nil {
		return nil, fmt.Errorf("encode CONNECT: %w", err)
	}
	if _, err := nc.Write(packet.Bytes()); err != nil {
		return nil, fmt.Errorf("write CONNECT: %w", err)
	}
	in := bufio.NewReaderSize(nc, 2*maxIncoming)
	first, body, err := readAnswer(in)
	if err != nil {
		return nil, fmt.Errorf("read CONNACK: %w", err)
	}
	if first == packets.DISCONNECT<<4 {
		return nil, disconnect(body)
	}
	l, err := granted(body, c)
	if err != nil {
		return nil, err
	}
	return newConn(nc, in, c, l), nil
}

// readAnswer reads the CONNACK, or a DISCONNECT, and returns its first byte and
// a copy of its body.
func readAnswer(in *bufio.Reader) (first byte, body []byte, err error) {
	for need := 1; ; {
		p, err := in.Peek(need)
		if err != nil {
			return 0, nil, err
		}
		if first = p[0]; first != packets.CONNACK<<4 && first != packets.DISCONNECT<<4 {
			return 0, nil, fmt.Errorf("%w: it answers with a packet of type %d: does it speak MQTT 5?", errProtocol, first>>4)
		}
		body, n, more, err := frame(p)
		if err != nil {
			return 0, nil, fmt.Errorf("%w: %w", errProtocol, err)
		}
		if n > 0 {
			body = bytes.Clone(body)
			_, err = in.Discard(n)
			return first, body, err
		}
		need = more
	}
}

func connectPacket(c Config, a address, clientID string) (*packets.Connect, error) {
	p := packets.NewControlPacket(packets.CONNECT).Content.(*packets.Connect)
	p.ClientID = clientID
	// A session that outlives the connection would gain a publisher nothing:
	// the route sends again what was not acknowledged.
	p.CleanStart = true
	p.KeepAlive = uint16(c.KeepAlive / time.Second)
	most, problems := uint32(maxIncoming), byte(1)
	p.Properties.MaximumPacketSize = &most
	p.Properties.RequestProblemInfo = &problems

	username, password := a.username, a.password
	hasUser, hasPassword := a.hasUser, a.hasPass
	if !hasUser {
		text, err := c.Password.Reveal()
		if err != nil {
			return nil, fmt.Errorf("password: %w", err)
		}
		username, password = c.Username, text
		hasUser, hasPassword = username != "", !c.Password.IsZero()
	}
	if why := textProblem(username); why != "" {
		return nil, errors.New("the user name " + why)
	}
	if len(password) > math.MaxUint16 {
		return nil, errors.New("the password is longer than the 65535 bytes that MQTT takes")
	}
	p.Username, p.UsernameFlag = username, hasUser
	p.Password, p.PasswordFlag = []byte(password), hasPassword
	return p, nil
}

// granted reads a CONNACK. What the broker refuses, or grants too little of,
// is an error that says so.
func granted(body []byte, c Config) (limits, error) {
	var ack packets.Connack
	ack.Properties = &packets.Properties{}
	if err := ack.Unpack(bytes.NewBuffer(body)); err != nil {
		return limits{}, fmt.Errorf("%w: CONNACK: %w", errProtocol, err)
	}
	p := ack.Properties
	if ack.ReasonCode != packets.ConnackSuccess {
		text := p.ReasonString
		if text == "" && p.ServerReference != "" {
			text = "see " + p.ServerReference
		}
		return limits{}, fmt.Errorf("the broker refused: %w", &ReasonError{Packet: "CONNACK", Code: ack.ReasonCode, Text: bounded(text)})
	}
	l := limits{
		receiveMaximum: maxPacketID,
		maxPacketSize:  maxPacket,
		keepAlive:      c.KeepAlive.Truncate(time.Second),
		clientID:       p.AssignedClientID,
	}
	if p.ReceiveMaximum != nil {
		l.receiveMaximum = int(*p.ReceiveMaximum)
	}
	if p.MaximumPacketSize != nil {
		l.maxPacketSize = int(*p.MaximumPacketSize)
	}
	if l.receiveMaximum == 0 || l.maxPacketSize == 0 {
		return limits{}, fmt.Errorf("%w: CONNACK with a Receive Maximum or Maximum Packet Size of 0", errProtocol)
	}
	if p.ServerKeepAlive != nil {
		l.keepAlive = time.Duration(*p.ServerKeepAlive) * time.Second
	}
	if p.MaximumQOS != nil && int(*p.MaximumQOS) < c.QoS {
		return limits{}, fmt.Errorf("the broker grants no QoS 1, so nothing sent to it is durable: %w",
			&feed.ConfigError{Key: "qos", Problem: fmt.Sprintf("the broker's Maximum QoS is %d", *p.MaximumQOS), Remedy: "allow QoS 1 at the broker, or write 0 if messages may be lost"})
	}
	if p.RetainAvailable != nil && *p.RetainAvailable == 0 && c.Retain {
		return limits{}, &feed.ConfigError{Key: "retain", Problem: "the broker keeps no retained messages", Remedy: "allow them at the broker, or write false"}
	}
	return l, nil
}
