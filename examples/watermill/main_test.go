package main

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestMessagesReachTheDatabase(t *testing.T) {
	db, err := sql.Open("pgx", testenv.PostgreSQL(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the database goes with the test
	const n = 25
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	for i := range n {
		if err := channel.Publish("readings", message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, `{"n":%d}`, i))); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, channel, db) }()
	testenv.Eventually(t, 30*time.Second, "all messages to stand in the table", func() bool {
		var count int
		err := db.QueryRow(`SELECT count(DISTINCT payload) FROM watermill_archive`).Scan(&count)
		return err == nil && count == n
	})
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
