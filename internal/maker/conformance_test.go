package maker

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// scripted makes what a test puts in.
type scripted struct {
	mu       sync.Mutex
	payloads [][]byte
	made     int
}

func (s *scripted) Make(dst []Item, n int) ([]Item, time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.payloads))
	for _, p := range s.payloads[:n] {
		s.made++
		dst = append(dst, Item{ID: fmt.Sprint(s.made), Topic: "t", Time: "2026-01-01T00:00:00Z", ContentType: "text/plain", Payload: p})
	}
	s.payloads = s.payloads[n:]
	return dst, time.Hour, nil // unless it is woken
}

func TestConformance(t *testing.T) {
	feedtest.TestSource(t, func(*testing.T) feedtest.SourceUnderTest {
		making := &scripted{}
		source := NewSource(Description{Format: "scripted", Origin: "a test", Window: 20}, making)
		return feedtest.SourceUnderTest{
			Source: source, Window: 20,
			Put: func(_ testing.TB, payloads ...[]byte) {
				making.mu.Lock()
				making.payloads = append(making.payloads, payloads...)
				making.mu.Unlock()
				source.Wake()
			},
		}
	})
}
