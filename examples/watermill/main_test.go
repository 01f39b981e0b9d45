package main

import (
	"context"
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v2/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestMessagesReachTheDatabase(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) (message.Publisher, message.Subscriber){
		"from RabbitMQ": func(t *testing.T) (message.Publisher, message.Subscriber) {
			config := amqp.NewDurableQueueConfig(testenv.RabbitMQ(t).URL())
			config.Publish.ConfirmDelivery = true
			publisher, err := amqp.NewPublisher(config, watermill.NopLogger{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = publisher.Close() })
			subscriber, err := amqp.NewSubscriber(config, watermill.NopLogger{})
			if err != nil {
				t.Fatal(err)
			}
			// Until its queue exists, messages would go nowhere.
			if err := subscriber.SubscribeInitialize("readings"); err != nil {
				t.Fatal(err)
			}
			return publisher, subscriber
		},
		"from a Go channel": func(*testing.T) (message.Publisher, message.Subscriber) {
			channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
			return channel, channel
		},
	} {
		t.Run(name, func(t *testing.T) { testReachesTheDatabase(t, open) })
	}
}

func testReachesTheDatabase(t *testing.T, open func(*testing.T) (message.Publisher, message.Subscriber)) {
	db, err := sql.Open("pgx", testenv.PostgreSQL(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	publisher, subscriber := open(t)
	const n = 25
	for i := range n {
		if err := publisher.Publish("readings", message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, `{"n":%d}`, i))); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, subscriber, db) }()
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
