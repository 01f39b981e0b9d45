// Command customstage shows a stage of one's own: a transform that converts
// Fahrenheit to Celsius, filters what it does not know, and refuses what is
// malformed; and a sink that writes lines to a file and returns when they are
// on disk. What is refused goes to a quarantine beside that file. It writes to the
// file that its argument names, or to a new one among the temporary files:
//
//	go run ./examples/customstage [FILE]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/generate"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

func main() {
	config := generate.DefaultConfig()
	config.Count = 100
	source, err := generate.NewSource(config, feed.StageEnv{Route: "example"})
	if err != nil {
		log.Fatal(err)
	}
	path, err := target()
	if err != nil {
		log.Fatal(err)
	}
	account, err := run(context.Background(), source, path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("wrote %s: %d received = %d delivered + %d filtered + %d quarantined + %d returned + %d in flight\n", path,
		account.Received, account.Delivered, feed.Total(account.Filtered), feed.Total(account.Quarantined), feed.Total(account.Returned), account.InFlight)
}

// target is the file to write.
func target() (string, error) {
	if len(os.Args) > 1 {
		return os.Args[1], nil
	}
	dir, err := os.MkdirTemp("", "readings-")
	return filepath.Join(dir, "readings.ndjson"), err
}

// run moves readings from source to the file until the source has no more, and
// returns what became of them.
func run(ctx context.Context, source message.Subscriber, path string) (account feed.Account, err error) {
	config := quarantine.DefaultConfig()
	config.Feed, config.Path = "example", path+".quarantine.db"
	store, err := quarantine.Open(ctx, config)
	if err != nil {
		return account, err
	}
	defer func() { err = errors.Join(err, store.Close()) }() // once the feed has ended
	sink, err := newFileSink(path)
	if err != nil {
		return account, err
	}
	f, err := feed.New(feed.Options{Name: "example", Quarantine: store}, feed.Route{
		Name:       "celsius",
		Source:     source,
		Transforms: []feed.Transform{{Name: "celsius", Func: toCelsius}},
		Sink:       sink,
	})
	if err != nil {
		return account, err
	}
	err = f.Run(ctx)
	return f.Status().Routes[0].Deliveries, err
}

// toCelsius is a plain Watermill HandlerFunc.
func toCelsius(m *message.Message) ([]*message.Message, error) {
	var reading map[string]any
	if err := json.Unmarshal(m.Payload, &reading); err != nil {
		return nil, feed.Permanent(fmt.Errorf("not a reading: %w", err)) // goes to the quarantine
	}
	value, ok := reading["value"].(float64)
	if !ok {
		return nil, feed.Filter("no value") // dropped, and counted under this reason
	}
	reading["value"] = (value - 32) / 1.8
	payload, err := json.Marshal(reading)
	if err != nil {
		return nil, feed.Permanent(err)
	}
	m.Payload = payload // replaced: the bytes of a payload are never written into
	return []*message.Message{m}, nil
}

// fileSink is a feed.BatchPublisher.
type fileSink struct{ file *os.File }

func newFileSink(path string) (*fileSink, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &fileSink{file}, nil
}

// PublishBatch returns nil when the whole batch is on disk. Any error leaves
// the outcome unknown, and the route sends the batch again.
func (s *fileSink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, m := range b.Messages {
		lines.Write(m.Payload)
		lines.WriteByte('\n')
	}
	if _, err := s.file.Write(lines.Bytes()); err != nil {
		return err
	}
	return s.file.Sync()
}

// Publish makes it a Watermill Publisher.
func (s *fileSink) Publish(topic string, msgs ...*message.Message) error {
	for _, m := range msgs {
		feed.SetTopic(m, topic)
	}
	return s.PublishBatch(context.Background(), feed.NewBatch(msgs...))
}

// Close may be called more than once.
func (s *fileSink) Close() error {
	if err := s.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
