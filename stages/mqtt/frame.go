package mqtt

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/eclipse/paho.golang/packets"
)

// maxIncoming bounds the packets that a broker may send: a PUBACK or a
// DISCONNECT with a long reason. The CONNECT packet says so.
const maxIncoming = 32 << 10

var errMalformed = errors.New("the broker sent what is no MQTT packet")

// frame finds the first packet of p. It returns its body (what follows the
// fixed header) and its whole length; or a length of 0 and how many bytes p
// must have to be looked at again.
func frame(p []byte) (body []byte, length, need int, err error) {
	if len(p) < 2 {
		return nil, 0, 2, nil
	}
	remaining, shift := 0, 0
	for i := 1; ; i++ {
		if i == len(p) {
			return nil, 0, i + 1, nil
		}
		remaining |= int(p[i]&0x7f) << shift
		if p[i] < 0x80 {
			length = i + 1 + remaining
			if length > maxIncoming {
				return nil, 0, 0, fmt.Errorf("the broker sent a packet of %d bytes: %d were allowed", length, maxIncoming)
			}
			if length > len(p) {
				return nil, 0, length, nil
			}
			return p[i+1 : length], length, 0, nil
		}
		if shift += 7; shift > 21 {
			return nil, 0, 0, errMalformed
		}
	}
}

// puback takes the body of a PUBACK apart. The text of a refusal is copied.
func puback(body []byte) (id uint16, code byte, text string, err error) {
	if len(body) < 2 {
		return 0, 0, "", errMalformed
	}
	id = uint16(body[0])<<8 | uint16(body[1])
	if len(body) > 2 {
		code = body[2]
	}
	if refused(code) && len(body) > 3 {
		var props packets.Properties
		if err := props.Unpack(bytes.NewBuffer(body[3:]), packets.PUBACK); err != nil {
			return 0, 0, "", fmt.Errorf("%w: PUBACK: %w", errMalformed, err)
		}
		text = bounded(props.ReasonString)
	}
	return id, code, text, nil
}

// disconnect takes the body of a DISCONNECT apart.
func disconnect(body []byte) error {
	e := &ReasonError{Packet: "DISCONNECT"}
	if len(body) > 0 {
		e.Code = body[0]
	}
	if len(body) > 1 {
		var props packets.Properties
		if err := props.Unpack(bytes.NewBuffer(body[1:]), packets.DISCONNECT); err != nil {
			return fmt.Errorf("%w: DISCONNECT: %w", errMalformed, err)
		}
		e.Text = bounded(props.ReasonString)
		if e.Text == "" && props.ServerReference != "" {
			e.Text = "see " + bounded(props.ServerReference)
		}
	}
	return fmt.Errorf("the broker ended the connection: %w", e)
}
