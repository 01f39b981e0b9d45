package boottest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// takesNothingWithoutTLS sees that no server takes a client in clear text that has the right password.
func takesNothingWithoutTLS(t *testing.T, c *cluster) {
	t.Helper()
	if conn, err := amqp.Dial("amqp://ingest:example-ingest@" + c.node.Addr() + "/"); err == nil {
		t.Error("RabbitMQ takes clear text", conn.Close())
	}
	conn, err := pgx.Connect(t.Context(), "postgres://ingest:example-ingest@"+c.db.Addr+"/plant?sslmode=disable")
	if err == nil {
		t.Error("PostgreSQL takes clear text", conn.Close(t.Context()))
	} else if refused := (*pgconn.PgError)(nil); !errors.As(err, &refused) || refused.Code != "28000" || !strings.Contains(refused.Message, "no encryption") {
		t.Error(err)
	}
	if subscriber, err := c.subscribe(t, witness.NewContents(), false); err == nil {
		t.Error("Mosquitto takes clear text", subscriber.Close())
	}
}

// startAmongStrangers starts a bridge that trusts another authority than that of the brokers. It connects to neither, and to
// each as soon as the Secret has the right one.
func startAmongStrangers(t *testing.T, c *cluster, bridge *container) {
	t.Helper()
	stranger := testenv.CA(t).CAFile
	trusted := map[string]string{c.node.Addr(): "/run/tls/rabbitmq/ca.crt", c.mqtt: "/run/tls/mosquitto/ca.crt"}
	for _, path := range trusted {
		trust(t, bridge, path, stranger)
	}
	bridge.start()
	testenv.Eventually(t, time.Minute, "the bridge to refuse both brokers", func() bool {
		for server, path := range trusted {
			if refused(bridge, server) {
				trust(t, bridge, path, c.ca)
				delete(trusted, server)
			}
		}
		return len(trusted) == 0
	})
}

func trust(t *testing.T, bridge *container, path, authority string) {
	t.Helper()
	if err := bridge.box.Write(path, []byte(read(t, authority))); err != nil {
		t.Fatal(err)
	}
}

// refused reports whether a feed has logged that it does not believe a server.
func refused(feed *container, server string) bool {
	for line := range strings.Lines(feed.log.tail(1 << 20)) {
		if strings.Contains(line, server) && strings.Contains(line, "certificate signed by unknown authority") {
			return true
		}
	}
	return false
}
