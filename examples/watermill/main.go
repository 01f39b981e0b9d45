// Command watermill shows that Watermill's own Pub/Subs, handlers and
// middleware serve as stages of a feed: a GoChannel is the source, a
// HandlerFunc with Watermill's Retry middleware the transform, and a SQL
// publisher, which returns when the database has committed, the sink.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/kraft-edge/datafeed/feed"
)

func main() {
	db, err := sql.Open("pgx", "postgres://localhost:5432/telemetry")
	if err != nil {
		log.Fatal(err)
	}
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	if err := channel.Publish("readings", message.NewMessage(watermill.NewUUID(), []byte(`{"celsius":21.5}`))); err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := run(ctx, channel, db); err != nil {
		log.Fatal(err)
	}
}

// run moves messages from the channel's topic "readings" into the database
// until ctx ends.
func run(ctx context.Context, source message.Subscriber, db *sql.DB) error {
	publisher, err := wsql.NewPublisher(db, wsql.PublisherConfig{
		SchemaAdapter:        wsql.DefaultPostgreSQLSchema{GeneratePayloadType: func(string) string { return "BYTEA" }},
		AutoInitializeSchema: true,
	}, watermill.NopLogger{})
	if err != nil {
		return fmt.Errorf("open publisher: %w", err)
	}
	retry := middleware.Retry{MaxRetries: 3, InitialInterval: 10 * time.Millisecond}
	f, err := feed.New(feed.Options{Name: "example"}, feed.Route{
		Name:       "readings",
		Source:     source,
		Topic:      "readings",
		Transforms: []feed.Transform{{Name: "file", Func: retry.Middleware(file)}},
		// A SQL publisher is durable: it returns after the commit.
		Sink: feed.DurablePublisher(publisher),
	})
	if err != nil {
		return err
	}
	return f.Run(ctx)
}

// file decides into which table a message goes.
func file(m *message.Message) ([]*message.Message, error) {
	feed.SetTopic(m, "archive")
	return []*message.Message{m}, nil
}
