package boottest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// overlay reads an overlay.
func overlay(t *testing.T, name string) *site.Site {
	t.Helper()
	objects, err := kube.Render(deploy.Tree(), "overlays/"+name)
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.New("st-one", objects)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sandbox returns what a workload's main container finds.
func sandbox(t *testing.T, s *site.Site, workload string) *site.Sandbox {
	t.Helper()
	w := s.Workloads[workload]
	box, err := s.NewSandbox(t.TempDir(), w, &w.Pod.Spec.Containers[0])
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// startRabbitMQ starts a node with the shipped rabbitmq.conf, enabled_plugins and definitions. It is asked with the
// shipped operator's name: the node has no other user that may. The channel tells when it runs, or why it does not.
func startRabbitMQ(t *testing.T, s *site.Site) (node *server.RabbitMQ, dir string, running <-chan error) {
	t.Helper()
	box := sandbox(t, s, "rabbitmq")
	plugins := strings.FieldsFunc(read(t, box.Path("/etc/rabbitmq/enabled_plugins")), func(r rune) bool { return strings.ContainsRune("[],.\n", r) })
	dir, err := os.MkdirTemp("", "datafeed-test-") //nolint:usetesting // a short path
	if err != nil {
		t.Fatal(err)
	}
	node, err = server.NewRabbitMQ(dir, server.RabbitMQConfig{
		Settings: append(strings.Split(read(t, box.Path("/etc/rabbitmq/rabbitmq.conf")), "\n"), "prometheus.tcp.ip = 127.0.0.1", "prometheus.tcp.port = 0"),
		Plugins:  plugins,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	node.API = server.NewRabbitMQAPI(node.API.Base(), "operator", "example-operator")
	started := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		started <- node.Start(ctx)
	}()
	return node, dir, started
}

// startPostgreSQL starts a server with the shipped postgresql.conf, and runs the shipped roles.sql in a new database.
// TimescaleDB is left out: it is preloaded by an argument of the container.
func startPostgreSQL(t *testing.T, s *site.Site) *testenv.DatabaseServer {
	t.Helper()
	box := sandbox(t, s, "postgres")
	// The server runs as another user than this test does.
	conf := filepath.Join(t.TempDir(), "postgresql.conf")
	if err := os.WriteFile(conf, []byte(read(t, box.Path("/etc/postgresql/postgresql.conf"))), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(conf)), 0o755); err != nil {
		t.Fatal(err)
	}
	db := testenv.PrivatePostgreSQL(t, "config_file="+conf)
	query(t, db.URL(), "CREATE DATABASE plant")
	db.Name = "plant"
	psql := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", db.URL(), "-f", box.Path("/docker-entrypoint-initdb.d/100-roles.sql"))
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return db
}

// query runs a statement, and returns the first column of its rows.
func query(t *testing.T, url, statement string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // everything has been read
	rows, err := conn.Query(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return all
}

var (
	listener    = regexp.MustCompile(`(?m)^listener 1883$`)
	persistence = regexp.MustCompile(`(?m)^persistence_location .*$`)
)

// startMosquitto starts a broker with the shipped files, but for its port and its directory, which the test gives.
func startMosquitto(t *testing.T, s *site.Site) *testenv.Broker {
	t.Helper()
	box := sandbox(t, s, "mosquitto")
	for path, line := range map[string]*regexp.Regexp{"/mosquitto/config/conf.d/listener.conf": listener, "/mosquitto/config/mosquitto.conf": persistence} {
		text := read(t, box.Path(path))
		if !line.MatchString(text) {
			t.Fatalf("%s has no line as %s", path, line)
		}
		if err := box.Write(path, []byte(line.ReplaceAllString(text, ""))); err != nil {
			t.Fatal(err)
		}
	}
	return testenv.Mosquitto(t, testenv.WithMosquittoSettings(append([]string{"allow_anonymous false"}, strings.Split(read(t, box.Path("/mosquitto/config/mosquitto.conf")), "\n")...)...))
}
