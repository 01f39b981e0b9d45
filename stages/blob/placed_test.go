package blob

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// placesOf remembers where each message stands.
type placesOf struct {
	mu sync.Mutex
	at map[string]feed.Place
}

func (p *placesOf) Record(_ *feed.Hop, ended []feed.Ended) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range ended {
		if len(e.Places) == 1 {
			p.at[string(e.Payload)] = e.Places[0]
		}
	}
}

// TestPlaces: what the ledger is told stands there, line by line, in many objects of
// many paths.
func TestPlaces(t *testing.T) {
	const n = 2000
	var payloads []string
	for i := range n {
		payloads = append(payloads, fmt.Sprintf(`{"t%d":%d}`, i%3, i))
	}
	queue, stream := &feedtest.Queue{}, &feedtest.Stream{Batch: 700}
	queue.Put(payloads...)
	queue.End()
	stream.Put(payloads...)
	stream.End()
	t.Run("queue", func(t *testing.T) { testPlaces(t, n, queue, "{topic}/x-{hash}", false) })
	t.Run("exactly once", func(t *testing.T) { testPlaces(t, n, stream, "x", true) })
}

func testPlaces(t *testing.T, n int, source message.Subscriber, path string, once bool) {
	dir := t.TempDir()
	c := DefaultConfig()
	c.URL, c.Path, c.Envelope, c.Compression, c.ExactlyOnce = feed.NewURL("file://"+dir), path, "none", "plain", once
	c.MaxObjectBytes = feed.KiB
	s, err := NewSink(c, feed.StageEnv{Feed: "f", Route: "r"})
	if err != nil {
		t.Fatal(err)
	}
	places := &placesOf{at: map[string]feed.Place{}}
	f, err := feed.New(feed.Options{Name: "f", Ledger: places}, feed.Route{Name: "r", Source: source, Sink: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(places.at) != n {
		t.Fatalf("%d messages have a place, want %d", len(places.at), n)
	}
	objects := map[string]bool{}
	for payload, at := range places.at {
		data, err := os.ReadFile(filepath.Join(dir, at.Object))
		if err != nil {
			t.Fatal(err)
		}
		objects[at.Object] = true
		lines := bytes.Split(data, []byte("\n"))
		if at.Position < 1 || at.Position > int64(len(lines)) || string(lines[at.Position-1]) != payload {
			t.Errorf("%s does not stand in line %d of %s:\n%s", payload, at.Position, at.Object, data)
		}
	}
	if len(objects) < 10 {
		t.Errorf("only %d objects: the test shows little", len(objects))
	}
}
