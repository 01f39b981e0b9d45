package boottest

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/eclipse/paho.golang/paho"

	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// A cluster has the servers of a site, and what its processes need to reach them.
type cluster struct {
	site    *site.Site
	ca      string // the authority's file; empty without TLS
	node    *server.RabbitMQ
	db      *testenv.DatabaseServer
	mqtt    string // Mosquitto's address
	azurite *testenv.BlobServer
}

// startCluster starts the servers with what the site ships.
func startCluster(t *testing.T, s *site.Site, ca string) *cluster {
	t.Helper()
	c := &cluster{site: s, ca: ca}
	c.mqtt = startMosquitto(t, s) // first, as it knows -short
	node, running := startRabbitMQ(t, s)
	c.node = node
	c.azurite = testenv.PrivateAzurite(t)
	startPostgreSQL(t, c)
	if err := <-running; err != nil {
		t.Fatal(err)
	}
	return c
}

// addresses are pairs of what stands in the site's files and what there is instead.
func (c *cluster) addresses() []string {
	return []string{
		"rabbitmq:5671", c.node.Addr(), "rabbitmq:5672", c.node.Addr(),
		"mosquitto:8883", c.mqtt, "mosquitto:1883", c.mqtt,
		"postgres:5432", c.db.Addr,
	}
}

// scheme is that of RabbitMQ's address, for devices.
func (c *cluster) scheme() string {
	if c.ca == "" {
		return "amqp"
	}
	return "amqps"
}

// trust is the configuration of a client beside the feeds.
func (c *cluster) trust(t *testing.T) *tls.Config {
	t.Helper()
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool(), ServerName: "127.0.0.1"}
	if !config.RootCAs.AppendCertsFromPEM([]byte(read(t, c.ca))) {
		t.Fatal("the authority has no certificate")
	}
	return config
}

func (c *cluster) dialRabbitMQ(t *testing.T, user string) (*amqp.Connection, error) {
	t.Helper()
	address := user + ":example-" + user + "@" + c.node.Addr() + "/"
	if c.ca == "" {
		return amqp.Dial("amqp://" + address)
	}
	return amqp.DialTLS("amqps://"+address, c.trust(t))
}

// admin is the address of the database for its owner.
func (c *cluster) admin() string { return c.database(c.db.User, c.db.Password) }

func (c *cluster) database(user, password string) string {
	query := "?sslmode=disable"
	if c.ca != "" {
		query = "?sslmode=verify-full&sslrootcert=" + c.ca
	}
	return "postgres://" + user + ":" + password + "@" + c.db.Addr + "/" + c.db.Name + query
}

// subscribe reads what arrives at Mosquitto.
func (c *cluster) subscribe(t *testing.T, into witness.Recorder, withTLS bool) (*witness.Subscriber, error) {
	t.Helper()
	return witness.Subscribe(t.Context(), "mqtt://"+c.mqtt, "kraft/#", into, func(config *paho.ClientConfig, connect *paho.Connect) {
		if withTLS {
			config.Conn = tls.Client(config.Conn, c.trust(t))
		}
		connect.Username, connect.UsernameFlag, connect.Password, connect.PasswordFlag = "observer", true, []byte("example-observer"), true
	})
}
