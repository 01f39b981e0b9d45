package boottest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// settingsHold sees that both servers have taken the shipped files for what they are.
func settingsHold(t *testing.T, c *cluster) {
	t.Helper()
	var nodes []struct {
		Free    int64    `json:"disk_free_limit"`
		Memory  int64    `json:"mem_limit"`
		Plugins []string `json:"enabled_plugins"`
	}
	// The node counts what it has now and then.
	testenv.Eventually(t, time.Minute, "the node to tell its limits", func() bool {
		if err := c.node.API.Do(t.Context(), "GET", "/nodes", nil, &nodes); err != nil {
			t.Fatal(err)
		}
		return len(nodes) == 1 && nodes[0].Memory > 0
	})
	if nodes[0].Free != 400_000_000 || nodes[0].Memory != 640<<20 || !slices.Contains(nodes[0].Plugins, "rabbitmq_prometheus") {
		t.Errorf("the node has %+v", nodes)
	}
	// The test's own arguments win over some settings, which then cannot be applied.
	if wrong := query(t, c.admin(), "SELECT name || ': ' || error FROM pg_file_settings WHERE error <> 'setting could not be applied'"); len(wrong) > 0 {
		t.Errorf("PostgreSQL refuses %q", wrong)
	}
	if size := query(t, c.admin(), "SHOW max_wal_size"); size[0] != "2GB" {
		t.Errorf("max_wal_size is %s", size[0])
	}
}

// queue returns how many messages a queue has, and how many of them are with a consumer.
func queue(t *testing.T, node *server.RabbitMQ, name string) (messages, unacked int, err error) {
	info, err := node.API.Queue(t.Context(), "/", name)
	return info.Messages, info.Unacked, err
}

// keepsStrays sees that what a device publishes with a wrong routing key waits for somebody to look at it: RabbitMQ would
// confirm it, and drop it.
func keepsStrays(t *testing.T, c *cluster) {
	t.Helper()
	conn, err := c.dialRabbitMQ(t, "devices")
	if err != nil {
		t.Fatal(err)
	}
	channel, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := channel.Confirm(false); err != nil {
		t.Fatal(err)
	}
	confirmed, err := channel.PublishWithDeferredConfirmWithContext(t.Context(), "devices", "batch.of.nobody", false, false, amqp.Publishing{Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := confirmed.WaitContext(t.Context()); err != nil || !ok {
		t.Errorf("it is not confirmed: %v", err)
	}
	testenv.Eventually(t, time.Minute, "the stray batch to be a dead letter", func() bool {
		n, _, err := queue(t, c.node, "dead-letters")
		return err == nil && n == 1
	})
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// mayNot sees that users have no more rights than they need.
func mayNot(t *testing.T, c *cluster) {
	t.Helper()
	for user, exchange := range map[string]string{"devices": "telemetry", "bridge": "telemetry", "archive": "devices", "validator": "devices", "ingest": "devices"} {
		conn, err := c.dialRabbitMQ(t, user)
		if err != nil {
			t.Fatal(err)
		}
		channel, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		closed := channel.NotifyClose(make(chan *amqp.Error, 1))
		if err := channel.PublishWithContext(t.Context(), exchange, "batches.a", false, false, amqp.Publishing{}); err != nil {
			t.Fatal(err)
		}
		// An answer to this means that what came before was taken.
		if err := channel.Confirm(false); err == nil {
			t.Errorf("%s may publish to the exchange %s", user, exchange)
		} else if reason := <-closed; reason == nil || reason.Code != amqp.AccessRefused {
			t.Errorf("%s: %v", user, reason)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
	conn, err := pgx.Connect(t.Context(), c.database("validate", "example-validate"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // everything has been answered
	for _, statement := range []string{"DELETE FROM telemetry.points", "CREATE TABLE telemetry.a (b int)", "CREATE SCHEMA c", "CREATE TEMP TABLE d (e int)"} {
		_, err := conn.Exec(t.Context(), statement)
		if refused := (*pgconn.PgError)(nil); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("validate may %s: %v", strings.ToLower(statement), err)
		}
	}
}
