// Command watermill shows that Watermill's own Pub/Subs, handlers and
// middleware serve as stages of a feed: watermill-amqp's Subscriber is the
// source, a HandlerFunc with Watermill's Retry middleware the transform, and
// watermill-sql's Publisher, which returns when the database has committed,
// the sink.
//
// AMQP_URL and DATABASE_URL name the RabbitMQ and the PostgreSQL to use:
//
//	AMQP_URL=amqp://guest:guest@localhost/ DATABASE_URL=postgres://localhost/ go run ./examples/watermill
//
// For much traffic take the project's own amqp source instead: Watermill's
// hands out one message at a time.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v2/pkg/amqp"
	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/kraft-edge/datafeed/feed"
)

func main() {
	amqpURL, databaseURL := os.Getenv("AMQP_URL"), os.Getenv("DATABASE_URL")
	if amqpURL == "" || databaseURL == "" {
		log.Fatal("set AMQP_URL, such as amqp://guest:guest@localhost/, and DATABASE_URL, such as postgres://localhost/")
	}
	db, err := sql.Open("pgx", databaseURL)
	if err != nil {
		log.Fatal(err)
	}
	source, err := amqp.NewSubscriber(amqp.NewDurableQueueConfig(amqpURL), watermill.NopLogger{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, source, db); err != nil {
		log.Fatal(err)
	}
}

// run moves messages from the source's topic "readings" into the database
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
