package blob_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/blob"
)

// A batch becomes one object for each path, and a batch that is sent again
// changes nothing.
func Example() {
	dir, err := os.MkdirTemp("", "blob-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	cfg := blob.DefaultConfig()
	cfg.URL = feed.NewURL("file://" + dir)
	cfg.Path = "{date}/{hour}/{meta.site}/{route}-{hash}"
	cfg.Compression = blob.Zstd
	sink, err := blob.NewSink(cfg, feed.StageEnv{Feed: "plant", Route: "archive"})
	if err != nil {
		log.Fatal(err)
	}
	defer sink.Close()

	reading := func(site, payload string) *message.Message {
		m := message.NewMessage("", []byte(payload))
		m.Metadata.Set(feed.MetaTime, "2026-11-21T03:40:39Z")
		m.Metadata.Set("site", site)
		return m
	}
	batch := feed.NewBatch(
		reading("north", `{"device":"press-1","seq":1}`),
		reading("south/2", `{"device":"press-9","seq":1}`),
		reading("north", `{"device":"press-1","seq":2}`),
	)
	batch.Received = time.Date(2026, 11, 21, 3, 41, 0, 0, time.UTC) // a part of the names
	ctx := context.Background()
	for range 2 { // the second time because the answer was lost, say
		if err := sink.PublishBatch(ctx, batch); err != nil {
			log.Fatal(err)
		}
	}

	reader, err := blob.NewReader(cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer reader.Close()
	for object, err := range reader.Objects(ctx, "2026-11-21/") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(object.Name)
		lines, err := reader.Read(ctx, object.Name)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := io.Copy(os.Stdout, lines); err != nil {
			log.Fatal(err)
		}
		if err := lines.Close(); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 2026-11-21/03/north/archive-95d274e8246b5df87b7e2fbbce602b5f.ndjson.zst
	// {"device":"press-1","seq":1}
	// {"device":"press-1","seq":2}
	// 2026-11-21/03/south%2F2/archive-536efb4ce41b2c047b5b27677a298a13.ndjson.zst
	// {"device":"press-9","seq":1}
}
