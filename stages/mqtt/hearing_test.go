package mqtt

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestHearing says that every piece of a packet is a sign of life.
func TestHearing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		h := &hearing{nc: ours}
		asked := time.Now()
		if got := h.since(asked); !got.Equal(asked) {
			t.Errorf("heard something at %v", got)
		}
		go func() {
			<-time.After(time.Minute)
			_, _ = theirs.Write([]byte{0x30})
		}()
		if n, err := h.Read(make([]byte, 10)); n != 1 || err != nil {
			t.Fatalf("read %d, %v", n, err)
		}
		if got := h.since(asked); got.Sub(asked) != time.Minute {
			t.Errorf("heard %v after it was asked", got.Sub(asked))
		}
	})
}

// TestTopicsThatAreTaken are all that a broker may let pass.
func TestTopicsThatAreTaken(t *testing.T) {
	for topic, ok := range map[string]bool{
		"plant/a": true, "plant/a\x01": true, "plant/\u0085": true, "\ufdd0": true,
		"": false, "a\x00": false, "a/+": false, "#": false, "\xff": false,
	} {
		body := append([]byte{0, byte(len(topic))}, topic...)
		body = append(body, 0, 1, 0) // packet id, no properties
		if d, err := parsePublish(0x32, body); (err == nil) != ok || ok && d.topic != topic {
			t.Errorf("%q: %v", topic, err)
		}
	}
}
