package boottest

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/kube/site"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

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

// encrypted reads the overlay poc with TLS, and with a second validation, as a site may have them. The Secrets that
// cert-manager would make hold a certificate by an authority of the test's.
func encrypted(t *testing.T, authority *testenv.Certificates) *site.Site {
	t.Helper()
	const dir = "overlays/encrypted/"
	tree := fstest.MapFS{
		dir + "ca.crt":  {Data: []byte(read(t, authority.CAFile))},
		dir + "tls.crt": {Data: []byte(read(t, authority.ServerCertFile))},
		dir + "tls.key": {Data: []byte(read(t, authority.ServerKeyFile))},
		dir + "kustomization.yaml": {Data: []byte(`
resources: [../poc]
components:
  - ../../components/tls
  - ../../components/mosquitto-tls
  - ../../components/without-cert-manager
  - ../../components/postgres-validation
secretGenerator:
  - {name: rabbitmq-tls, namespace: st-one, files: &certificate [ca.crt, tls.crt, tls.key]}
  - {name: postgres-tls, namespace: st-one, files: *certificate}
  - {name: mosquitto-tls, namespace: st-one, files: *certificate}
  - {name: validate-postgres-credentials, namespace: st-one, literals: [cloud-secret=example-cloud-validator, postgres-password=example-validate]}
`)},
	}
	shipped := deploy.Tree()
	if err := fs.WalkDir(shipped, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(shipped, name)
		tree[name] = &fstest.MapFile{Data: content}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return rendered(t, tree, "encrypted")
}

func rendered(t *testing.T, tree fs.FS, overlay string) *site.Site {
	t.Helper()
	objects, err := kube.Render(tree, "overlays/"+overlay)
	if err != nil {
		t.Fatal(err)
	}
	s, err := site.New("st-one", objects)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// startRabbitMQ starts a node with the shipped rabbitmq.conf, enabled_plugins and definitions. It is asked with the
// shipped operator's name: the node has no other user that may. The channel tells when it runs, or why it does not.
func startRabbitMQ(t *testing.T, s *site.Site) (node *server.RabbitMQ, running <-chan error) {
	t.Helper()
	box := sandbox(t, s, "rabbitmq")
	plugins := strings.FieldsFunc(read(t, box.Path("/etc/rabbitmq/enabled_plugins")), func(r rune) bool { return strings.ContainsRune("[],.\n", r) })
	settings := strings.Split(read(t, box.Path("/etc/rabbitmq/rabbitmq.conf")), "\n")
	withTLS := box.Path("/etc/rabbitmq/conf.d/10-tls.conf")
	if _, err := os.Stat(withTLS); err == nil {
		settings = append(settings, strings.Split(without(t, read(t, withTLS), rabbitMQPort), "\n")...)
	} else {
		withTLS = ""
	}
	dir, err := os.MkdirTemp("", "datafeed-test-") //nolint:usetesting // a short path
	if err != nil {
		t.Fatal(err)
	}
	node, err = server.NewRabbitMQ(dir, server.RabbitMQConfig{
		Settings: append(settings, "prometheus.tcp.ip = 127.0.0.1", "prometheus.tcp.port = 0"),
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
	if withTLS != "" {
		if err := appendTo(filepath.Join(dir, "rabbitmq.conf"), "listeners.ssl.local = "+node.Addr()+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	node.API = server.NewRabbitMQAPI(node.API.Base(), "operator", "example-operator")
	started := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		started <- node.Start(ctx)
	}()
	return node, started
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// startPostgreSQL starts a server with the shipped postgresql.conf, and runs the shipped roles.sql in a new database.
// TimescaleDB is left out: it is preloaded by an argument of the container.
func startPostgreSQL(t *testing.T, c *cluster) {
	t.Helper()
	box := sandbox(t, c.site, "postgres")
	readableByPostgreSQL(t, box)
	c.db = testenv.PrivatePostgreSQL(t, "config_file="+box.Path("/etc/postgresql/postgresql.conf"))
	query(t, c.admin(), "CREATE DATABASE plant")
	c.db.Name = "plant"
	psql := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", c.admin(), "-f", box.Path("/docker-entrypoint-initdb.d/100-roles.sql"))
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// readableByPostgreSQL gives the server, which runs as another user than a test of root's, the rights that it has in a
// pod: a key belongs to root, and the server's group may read it.
func readableByPostgreSQL(t *testing.T, box *site.Sandbox) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	group, err := strconv.Atoi(account.Gid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(box.Dir), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/etc/postgresql", "/run/tls/server"} {
		files, err := filepath.Glob(box.Path(dir + "/*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if err := errors.Join(os.Chown(file, 0, group), os.Chmod(file, 0o440)); err != nil {
				t.Fatal(err)
			}
		}
	}
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
	rabbitMQPort = regexp.MustCompile(`(?m)^listeners\.ssl\.default = 5671$`)
	listener     = regexp.MustCompile(`(?m)^listener (1883|8883)\n`)
	persistence  = regexp.MustCompile(`(?m)^persistence_location .*$`)
)

// without takes away a line that must be there.
func without(t *testing.T, text string, line *regexp.Regexp) string {
	t.Helper()
	if !line.MatchString(text) {
		t.Fatalf("no line is as %s in\n%s", line, text)
	}
	return line.ReplaceAllString(text, "")
}

// startMosquitto starts a broker with the shipped files, but for its directory, which the test gives, and its port. It
// returns the shipped listener's address; the broker has another one, of the test's.
func startMosquitto(t *testing.T, s *site.Site) (addr string) {
	t.Helper()
	box := sandbox(t, s, "mosquitto")
	addr = testenv.Address(t)
	host, port, _ := net.SplitHostPort(addr)
	const listeners, settings = "/mosquitto/config/conf.d/listener.conf", "/mosquitto/config/mosquitto.conf"
	for path, text := range map[string]string{
		listeners: "listener " + port + " " + host + "\n" + without(t, read(t, box.Path(listeners)), listener),
		settings:  without(t, read(t, box.Path(settings)), persistence),
	} {
		if err := box.Write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Mosquitto(t, testenv.WithMosquittoSettings(append([]string{"allow_anonymous false"}, strings.Split(read(t, box.Path(settings)), "\n")...)...))
	testenv.Eventually(t, time.Minute, "the shipped listener to take connections", func() bool {
		conn, err := net.Dial("tcp", addr)
		return err == nil && conn.Close() == nil
	})
	return addr
}
