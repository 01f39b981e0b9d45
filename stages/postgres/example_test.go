package postgres_test

import (
	"context"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/postgres"
)

func ExampleConfig() {
	config := postgres.DefaultConfig()
	config.URL = feed.NewURL("postgres://feed@db.example:5432/plant")
	config.Partition, config.Retention = time.Hour, 30*time.Minute
	fmt.Println(config.Validate())
	// Output:
	// retention: 30m0s is shorter than a partition (1h0m0s), which is dropped as a whole (write more than that, or 0 to keep everything)
}

func ExampleReader() {
	print := func(ctx context.Context, config postgres.Config) error {
		reader, err := postgres.OpenReader(ctx, config)
		if err != nil {
			return err
		}
		defer reader.Close()
		lastHour := postgres.Query{Device: "press7", From: time.Now().Add(-time.Hour)}
		for r, err := range reader.Readings(ctx, lastHour) {
			if err != nil {
				return err
			}
			fmt.Println(r.At(), r.Tag, r.Value.Float())
		}
		return nil
	}
	config := postgres.DefaultConfig()
	config.URL = feed.NewURL("mysql://db.example/plant")
	fmt.Println(print(context.Background(), config))
	// Output:
	// url: is no address of a PostgreSQL database (write postgres://user@host:5432/database)
}
