package mqtt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.golang/packets"
)

// limits is what a CONNACK grants.
type limits struct {
	receiveMaximum int
	maxPacketSize  int
	maxQoS         int
	retain         bool           // retained messages are kept
	shared         bool           // shared subscriptions are served
	keepAlive      time.Duration  // 0 is none
	sessionExpiry  *time.Duration // nil: as asked for
	sessionPresent bool
	clientID       string // assigned by the broker
}

// link is a connection whose CONNACK has been read.
type link struct {
	to      address
	nc      net.Conn
	in      *bufio.Reader
	heard   *hearing
	granted limits
	renewal *renewal
}

// dialFunc opens a transport connection.
type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// connect makes one attempt to open a connection and greet the broker, with a
// CONNECT that ask completes. It reads credentials and certificates anew.
func connect(ctx context.Context, a access, ask func(*packets.Connect), dial dialFunc) (*link, error) {
	to, err := parseAddress(a.url)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, a.connectTimeout)
	defer cancel()
	k, err := to.connect(ctx, a, ask, dial)
	if err != nil {
		if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w (%w)", err, ctx.Err())
		}
		return nil, fmt.Errorf("connect to %s: %w", to, err)
	}
	return k, nil
}

func (to address) connect(ctx context.Context, a access, ask func(*packets.Connect), dial dialFunc) (*link, error) {
	hello, err := a.hello(to)
	if err != nil {
		return nil, err
	}
	ask(hello)
	var tlsConfig *tls.Config
	if to.tls {
		if tlsConfig, err = a.tls.clientConfig(to.host); err != nil {
			return nil, err
		}
	}
	nc, err := dial(ctx, to.network, to.dial)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	k, err := greet(ctx, nc, tlsConfig, hello)
	if !stop() && err == nil {
		err = ctx.Err() // it ended in the last moment and has closed nc
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	if k.granted.keepAlive < 0 {
		k.granted.keepAlive = a.keepAlive.Truncate(time.Second)
	}
	k.to, k.renewal = to, a.renewal(hello)
	return k, nil
}

func greet(ctx context.Context, nc net.Conn, tlsConfig *tls.Config, hello *packets.Connect) (*link, error) {
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
	heard := &hearing{nc: nc}
	in := bufio.NewReaderSize(heard, 2*maxIncoming)
	first, body, err := readAnswer(in)
	if err != nil {
		return nil, fmt.Errorf("read CONNACK: %w", err)
	}
	switch first {
	case packets.DISCONNECT << 4:
		return nil, disconnect(body)
	case packets.AUTH << 4:
		return nil, fmt.Errorf("%w: it asks for further authentication, and %s has one step", errProtocol, serviceAccountToken)
	}
	l, err := granted(body)
	if err != nil {
		return nil, err
	}
	return &link{nc: nc, in: in, heard: heard, granted: l}, nil
}

// readAnswer reads the CONNACK, or a DISCONNECT or AUTH in its place, and
// returns its first byte and a copy of its body.
func readAnswer(in *bufio.Reader) (first byte, body []byte, err error) {
	for need := 1; ; {
		p, err := in.Peek(need)
		if err != nil {
			return 0, nil, err
		}
		switch first = p[0]; first {
		case packets.CONNACK << 4, packets.DISCONNECT << 4, packets.AUTH << 4:
		default:
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

// granted reads a CONNACK. What the broker refuses is an error that says so.
// A keepAlive below 0 stands for the client's own.
func granted(body []byte) (limits, error) {
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
		maxQoS:         2,
		retain:         p.RetainAvailable == nil || *p.RetainAvailable != 0,
		shared:         p.SharedSubAvailable == nil || *p.SharedSubAvailable != 0,
		keepAlive:      -1,
		sessionPresent: ack.SessionPresent,
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
	if p.SessionExpiryInterval != nil {
		d := time.Duration(*p.SessionExpiryInterval) * time.Second
		l.sessionExpiry = &d
	}
	if p.MaximumQOS != nil {
		l.maxQoS = int(*p.MaximumQOS)
	}
	return l, nil
}
