package quarantine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

func Example() {
	dir, err := os.MkdirTemp("", "quarantine")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	config := quarantine.DefaultConfig()
	config.Feed = "line-1"
	config.Path = filepath.Join(dir, "quarantine.db")
	ctx := context.Background()
	store, err := quarantine.Open(ctx, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	err = store.Put(ctx, []feed.QuarantineItem{{
		Original: feed.Original{Payload: []byte(`{"value":`), Format: "amqp-0-9-1", Origin: "queue telemetry"},
		Route:    "to-mqtt",
		Stage:    "bridge",
		Reason:   "no rule matches",
	}})
	if err != nil {
		fmt.Println(err)
		return
	}

	items, err := store.List(ctx, quarantine.Query{Route: "to-mqtt"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, item := range items {
		fmt.Println(item.ID, item.Stage, item.Reason, item.PayloadBytes, "bytes from", item.Origin)
	}
	// Output:
	// 1 bridge no rule matches 9 bytes from queue telemetry
}
