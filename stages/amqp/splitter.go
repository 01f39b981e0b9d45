package amqp

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Frames of AMQP 0-9-1, §2.3 of its specification: a type, a channel, a size,
// the payload, and an end marker.
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8

	frameHead = 7    // bytes before the payload
	frameEnd  = 0xCE // the byte after it
)

// splitter takes the deliveries of known consumers out of what the broker
// sends, and leaves everything else to the client library: handshake, methods,
// heartbeats, and deliveries of consumers that it does not know. Decoding them
// here, from one buffer, takes a fraction of the library's CPU time; it was the
// largest part of a consumer's cost.
//
// It is used by the socket's reader alone, but for register.
type splitter struct {
	buf        []byte // read: buf[start:end]
	start, end int
	pass       int  // bytes from start on that are the library's
	library    bool // everything is: what comes is no AMQP frame, or the end

	register sync.Mutex                        // guards changes of consumers, and ending
	ending   bool                              // no delivery waits for room
	boxes    atomic.Pointer[map[string]*inbox] // by consumer tag; replaced, never changed

	contents []*content // by channel: what is being received there
	decode   decoder
	fed      []*inbox // got deliveries, and were not signalled since
}

// splitBuffer holds the largest frame, and some more to read at a time.
const splitBuffer = maxFrame + bufferSize

func newSplitter() *splitter {
	s := &splitter{buf: make([]byte, splitBuffer)}
	s.boxes.Store(&map[string]*inbox{})
	return s
}

// deliver has the deliveries of a consumer go to box until stop is called.
func (s *splitter) deliver(consumer string, box *inbox) (stop func()) {
	change := func(f func(map[string]*inbox)) {
		s.register.Lock()
		defer s.register.Unlock()
		boxes := maps.Clone(*s.boxes.Load())
		f(boxes)
		s.boxes.Store(&boxes)
	}
	change(func(m map[string]*inbox) {
		m[consumer] = box
		if s.ending {
			box.Unbound()
		}
	})
	return func() { change(func(m map[string]*inbox) { delete(m, consumer) }) }
}

// unbound has no delivery wait for room from now on.
func (s *splitter) unbound() {
	s.register.Lock()
	defer s.register.Unlock()
	s.ending = true
	for _, box := range *s.boxes.Load() {
		box.Unbound()
	}
}

// announce signals what has been put into inboxes.
func (s *splitter) announce() {
	for _, box := range s.fed {
		box.Signal()
	}
	s.fed = s.fed[:0]
}

// mayRest reports whether more may gather before it is read: something has been
// put into inboxes, all of which rest.
func (s *splitter) mayRest() bool {
	for _, box := range s.fed {
		if !box.rests {
			return false
		}
	}
	return len(s.fed) > 0
}

// space returns where to put what is read next, never empty.
func (s *splitter) space() []byte {
	if s.start > 0 {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	return s.buf[s.end:]
}

// filled says how much was put into the space.
func (s *splitter) filled(n int) { s.end += n }

// surrender leaves what is there to the library: nothing more will come.
func (s *splitter) surrender() { s.library = true }

// take copies bytes that are the library's to p. It returns 0 when more must
// be read first.
func (s *splitter) take(p []byte) (int, error) {
	for s.pass == 0 {
		more, err := s.next()
		if err != nil || !more {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.start:s.start+s.pass])
	s.start += n
	s.pass -= n
	return n, nil
}

// next looks at one frame. It reports false when there is no whole one.
func (s *splitter) next() (bool, error) {
	rest := s.buf[s.start:s.end]
	if s.library {
		s.pass = len(rest)
		return s.pass > 0, nil
	}
	if len(rest) == 0 {
		return false, nil
	}
	switch rest[0] {
	case frameMethod, frameHeader, frameBody, frameHeartbeat:
	default:
		s.library = true // which will say what is wrong
		return true, nil
	}
	if len(rest) < frameHead {
		return false, nil
	}
	size := binary.BigEndian.Uint32(rest[3:])
	if size > maxFrame {
		s.library = true
		return true, nil
	}
	whole := frameHead + int(size) + 1
	if len(rest) < whole {
		return false, nil
	}
	if rest[whole-1] != frameEnd {
		s.library = true
		return true, nil
	}
	taken, err := s.frame(rest[0], binary.BigEndian.Uint16(rest[1:]), rest[frameHead:whole-1])
	if err != nil {
		return false, fmt.Errorf("receive a delivery: %w", err)
	}
	if taken {
		s.start += whole
	} else {
		s.pass = whole
	}
	return true, nil
}

// frame takes a frame if it belongs to a delivery of a known consumer. The
// frames of one content follow each other within their channel.
func (s *splitter) frame(kind byte, channel uint16, payload []byte) (taken bool, err error) {
	var c *content
	if int(channel) < len(s.contents) {
		c = s.contents[channel]
	}
	switch {
	case kind == frameMethod && isDeliver(payload):
		if c == nil {
			for int(channel) >= len(s.contents) {
				s.contents = append(s.contents, nil)
			}
			c = &content{announce: s.announce}
			s.contents[channel] = c
		}
		return c.begin(&s.decode, payload, *s.boxes.Load())
	case c == nil || c.box == nil:
		return false, nil
	}
	box := c.box
	switch kind {
	case frameHeader:
		err = c.header(payload)
	case frameBody:
		err = c.body(payload)
	default:
		c.box = nil // another method: the content was given up
		return false, nil
	}
	if c.box == nil && !slices.Contains(s.fed, box) { // it was the delivery's last frame
		s.fed = append(s.fed, box)
	}
	return true, err
}
