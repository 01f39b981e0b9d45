package capacity

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages"
)

func registry(t *testing.T) *feed.Registry {
	t.Helper()
	r, err := feed.NewRegistry(stages.All()...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// planOf reads files by their names. The load is 1,000 readings of 150 bytes a
// second.
func planOf(t *testing.T, files map[string]string) *Plan {
	t.Helper()
	load := DefaultLoad()
	load.Rate = 1000
	p := NewPlan(load)
	for name, text := range files {
		if err := p.AddFile(registry(t), name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// named returns the store of a name.
func named(t *testing.T, p *Plan, name string) Store {
	t.Helper()
	var names []string
	for _, s := range p.all() {
		if s.Name == name {
			return s
		}
		names = append(names, s.Name)
	}
	t.Fatalf("no store %q in %q", name, names)
	return Store{}
}

// TestExampleFeeds reads all of them, on a machine without their addresses and
// secrets.
func TestExampleFeeds(t *testing.T) {
	files, err := filepath.Glob("../../examples/feeds/*.yaml")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		planOf(t, map[string]string{file: string(data)})
	}
}

// TestQueueOfAFeed: a queue that waits for unbatch gets batches, shards share the
// load, and what a feed declares bounds it.
func TestQueueOfAFeed(t *testing.T) {
	p := planOf(t, map[string]string{"feed.yaml": `
name: plant
quarantine: {path: /var/lib/feed/quarantine.db, maxBytes: 69MB, maxMessages: 1000000}
ledger: {path: /var/lib/feed/ledger, maxBytes: 60MB}
routes:
  ingest:
    source: {amqp: {url: "${AMQP}", queue: batches, declare: {type: quorum, maxLength: 7200, deadLetter: {exchange: dead, queue: dead-batches}}}}
    transforms: [{unbatch: {cache: {path: /var/lib/feed/cache.db, maxBytes: 15MB}}}]
    sink: {postgres: {url: "${DB}", password: "${file:/run/secrets/none}", retention: 24h, partition: 24h}}
  line1:
    source: {amqp: {url: "${AMQP}", queue: line1, declare: {singleActiveConsumer: true, shards: {exchange: lines, queues: [line1, line2]}, exchange: {name: telemetry}, routingKeys: ["#"], maxBytes: 150MB}}}
    sink: {mqtt: {url: "mqtt://${HOST}"}}
`})
	batches := named(t, p, "queue batches")
	if batches.Rate != 1 || batches.OnDisk != batchEnvelope+1000*batchedReading+quorumOverhead || batches.limit() != (Bound{"maxLength 7,200", 7200}) || batches.Full != Refuses {
		t.Errorf("%+v", batches)
	}
	if dead := named(t, p, "queue dead-batches"); dead.Role != Refused {
		t.Errorf("%+v", dead)
	}
	for _, name := range []string{"queue line1", "queue line2"} {
		if s := named(t, p, name); s.Rate != 500 || s.limit().Records != 1e6 || s.OnDisk != 150+quorumOverhead {
			t.Errorf("%+v", s)
		}
	}
	if s := named(t, p, "schema telemetry"); s.Volume != "postgres" || s.limit() != (Bound{"retention 24 h", 86_400_000}) || s.Fixed != 86_400_000*postgresRow {
		t.Errorf("%+v", s)
	}
	if s := named(t, p, "quarantine"); s.Volume != "plant" || s.limit() != (Bound{"maxBytes 69MB", 100_000}) || s.Role != Refused {
		t.Errorf("%+v", s)
	}
	if s := named(t, p, "ledger"); s.limit().Records != 2_000_000 || s.Rate != 2000 {
		t.Errorf("two routes: %+v", s)
	}
	if s := named(t, p, "cache /var/lib/feed/cache.db"); s.limit().Records != 100_000 || s.Rate != 1 {
		t.Errorf("%+v", s)
	}
}

// TestStream: of a stream that drops whole segments, one less than the bound is
// kept for sure.
func TestStream(t *testing.T) {
	p := planOf(t, map[string]string{"feed.yaml": `
routes:
  archive:
    source: {amqp: {url: amqp://x, queue: s, declare: {type: stream, maxBytes: 500MB, segmentBytes: 110MB, maxAge: 24h}}}
    sink: {blob: {url: "${BLOB_URL:-}", connectionString: "${AZURE:-}", container: telemetry, path: "{date}", exactlyOnce: true}}
`})
	s := named(t, p, "stream s")
	if s.Full != DropsOldest || s.Fixed != 220_000_000 || s.limit().Records != 390e6/s.OnDisk || s.Bounds[1].Records != 86_400_000 {
		t.Errorf("%+v", s)
	}
}

// TestPluginsOfAFeed: plugins need not be there. What is not known of their stages is said, and the
// rest is reckoned.
func TestPluginsOfAFeed(t *testing.T) {
	const routes = `
routes:
  a:
    source: {amqp: {url: "${AMQP_URL}", queue: readings, declare: {maxBytes: 500MiB}}}
    transforms: [acme: {any: [thing]}, unbatch: {codecs: [acme: {}]}]
    sink: {mqtt: {url: "${MQTT_URL}"}}
  b: {source: {acme: {}}, sink: {acme: {}}, allowLoss: true}
`
	p := planOf(t, map[string]string{"feed.yaml": "plugins: {list: [{path: acme, sha256: \"${file:acme.sha256}\"}]}\nquarantine: {path: q.db}" + routes})
	r, err := p.Reckon(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range r.Notes {
		stage, is, _ := strings.Cut(n, " is taken for ")
		if got = append(got, stage); !strings.HasPrefix(is, "one of a plugin, which is not asked") {
			t.Error(n)
		}
	}
	if want := []string{"route a: transform acme", "route b: source acme", "route b: sink acme"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if s := named(t, p, "queue readings"); len(s.Bounds) == 0 {
		t.Errorf("the queue is not reckoned: %+v", s)
	}
	err = NewPlan(DefaultLoad()).AddFile(registry(t), "feed.yaml", []byte("quarantine: {path: q.db}"+routes))
	if err == nil || !strings.Contains(err.Error(), "there is no transform of this name") {
		t.Errorf("without plugins: %v", err)
	}
}

// TestDefinitions: arguments and the policy of the highest priority bound a queue,
// the tighter one of both; what is told nothing drops the oldest.
func TestDefinitions(t *testing.T) {
	p := planOf(t, map[string]string{"definitions.json": `{
		"queues": [
			{"name": "batches", "arguments": {"x-queue-type": "quorum", "x-max-length-bytes": 1000, "x-overflow": "reject-publish", "x-dead-letter-exchange": "dlx"}},
			{"name": "readings", "type": "stream", "arguments": {"x-max-age": "7D"}},
			{"name": "old", "arguments": {}},
			{"name": "given-up", "arguments": {"x-queue-type": "quorum"}}
		],
		"bindings": [{"source": "dlx", "destination": "given-up", "destination_type": "queue"}, {"source": "devices", "destination": "batches", "destination_type": "queue"}],
		"policies": [
			{"name": "low", "pattern": ".*", "apply-to": "queues", "priority": 1, "definition": {"max-length": 1}},
			{"name": "high", "pattern": "^(batches|old)$", "apply-to": "queues", "priority": 9, "definition": {"max-length": 50, "max-length-bytes": 5000}},
			{"name": "other", "pattern": ".*", "apply-to": "exchanges", "priority": 99, "definition": {"alternate-exchange": "x"}}
		]}`,
		"feed.yaml": `
routes:
  a:
    source: {amqp: {url: "${A}", queue: batches}}
    transforms: [{unbatch: {}}]
    sink: {amqp: {url: "${A}", exchange: telemetry}}
`,
	})
	batches := named(t, p, "queue batches")
	if batches.Full != Refuses || len(batches.Bounds) != 2 || batches.Bounds[1].Records != 50 || batches.Bounds[0].Setting != "maxBytes 1kB" || batches.Rate != 1 {
		t.Errorf("%+v", batches)
	}
	if s := named(t, p, "stream readings"); s.Bounds[0].Records != 7*24*time.Hour.Seconds()*1000 {
		t.Errorf("%+v", s)
	}
	if s := named(t, p, "queue old"); s.Full != DropsOldest || s.OnDisk != 150+classicOverhead || s.limit().Records != 5000./150 {
		t.Errorf("%+v", s)
	}
	if s := named(t, p, "queue given-up"); s.Role != Refused {
		t.Errorf("%+v", s)
	}
	if p.broker.writesAhead() != walSize {
		t.Error("quorum queues, and no write-ahead log")
	}
}

// TestServers: the files of RabbitMQ and Mosquitto, with their comments and units.
func TestServers(t *testing.T) {
	p := planOf(t, map[string]string{
		"rabbitmq.conf":  "# comment\n\ndisk_free_limit.absolute = 1GB\nraft.wal_max_size_bytes = 64M\nlisteners.tcp.default = 5672\n",
		"mosquitto.conf": "persistence true\nmax_queued_messages 0\nmax_queued_bytes 150000000\n",
	})
	if v := p.volume("rabbitmq"); v.reserve != 1_000_000_000 || p.broker.wal != 64*feed.MiB {
		t.Errorf("%+v, %v", v, p.broker.wal)
	}
	s := named(t, p, "session of one subscriber")
	if s.limit().Records != 1e6 || s.Full != DropsNewest || !s.Full.Loses() || s.OnDisk != 2*(150+mosquittoOverhead) {
		t.Errorf("%+v", s)
	}
	if s := named(t, planOf(t, map[string]string{"mosquitto.conf": "persistence true\n"}), "session of one subscriber"); s.limit() != (Bound{"max_queued_messages 1000", 1000}) {
		t.Errorf("the default is 1,000 messages: %+v", s)
	}
	if s := named(t, planOf(t, map[string]string{"mosquitto.conf": "max_queued_messages 0\n"}), "session of one subscriber"); s.limit().Records != 0 || s.Full != Unsaved {
		t.Errorf("it keeps nothing by default: %+v", s)
	}
}

// TestPostgresConf: what is on the disk beside the tables is bounded by settings, in the
// units of PostgreSQL.
func TestPostgresConf(t *testing.T) {
	for text, want := range map[string]feed.Size{
		"":                            postgresWAL,
		"max_wal_size = 2GB # more\n": 2 * feed.GiB,
		"max_wal_size = '512'\nmax_slot_wal_keep_size = 1GB\ntemp_file_limit = 1024\n#max_wal_size = 9GB\n": 512*feed.MiB + feed.GiB + feed.MiB,
		"max_slot_wal_keep_size = -1\ntemp_file_limit = -1\n":                                               postgresWAL,
	} {
		if v := planOf(t, map[string]string{"postgresql.conf": text}).volume("postgres"); v.fixed != want {
			t.Errorf("%q: %v, want %v", text, v.fixed, want)
		}
	}
}

// TestWhatIsKeptMayBeLarge: a cache and a quarantine may take their maxBytes, though with readings of the mean length, at the
// rate that is told, another bound came first.
func TestWhatIsKeptMayBeLarge(t *testing.T) {
	p := planOf(t, map[string]string{"feed.yaml": `
name: plant
quarantine: {path: /var/lib/feed/quarantine.db, maxBytes: 69GB, maxMessages: 1000}
routes:
  ingest:
    source: {amqp: {url: "${AMQP}", queue: batches}}
    transforms: [{unbatch: {cache: {path: /var/lib/feed/cache.db, maxBytes: 15GB, maxAge: 1h}}}]
    sink: {mqtt: {url: "mqtt://${HOST}"}}
`})
	if s := named(t, p, "quarantine"); s.limit().Records != 1000 || s.at(0) != 100e6*s.OnDisk {
		t.Errorf("%+v", s)
	}
	if s := named(t, p, "cache /var/lib/feed/cache.db"); s.limit().Records != 3600 || s.at(0) != 15e9 {
		t.Errorf("%+v", s)
	}
}

// TestManifests: configuration and sizes come from the objects of Kubernetes, and a
// volume belongs to the component that mounts it.
func TestManifests(t *testing.T) {
	p := planOf(t, map[string]string{"site.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: rabbitmq-config-abc}
data:
  10-disk.conf: |
    disk_free_limit.absolute = 500MB
---
apiVersion: v1
kind: Secret
metadata: {name: rabbitmq-definitions}
stringData:
  definitions.json: '{"queues": [{"name": "q", "arguments": {"x-queue-type": "quorum", "x-max-length": 10}}]}'
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: rabbitmq, labels: {app.kubernetes.io/name: rabbitmq}}
spec:
  replicas: 1
  template:
    spec:
      volumes:
        - {name: config, configMap: {name: rabbitmq-config-abc}}
        - {name: definitions, projected: {sources: [{secret: {name: rabbitmq-definitions}}]}}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {resources: {requests: {storage: 5Gi}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: bridge-config}
data:
  feed.yaml: |
    name: telemetry
    quarantine: {path: /var/lib/feed/q.db}
    routes:
      a: {source: {amqp: {url: "${A}", queue: q}}, sink: {mqtt: {url: "${M}", username: feed, password: "${file:/run/secrets/token}"}}}
  table.yaml: "a: b"
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: bridge-data}
spec: {resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: bridge, labels: {app.kubernetes.io/name: bridge}}
spec:
  template:
    spec:
      volumes:
        - {name: config, configMap: {name: bridge-config}}
        - {name: data, persistentVolumeClaim: {claimName: bridge-data}}
`})
	if v := p.volume("rabbitmq"); v.size != 5*feed.GiB || v.reserve != 500_000_000 {
		t.Errorf("%+v", v)
	}
	if v := p.volume("bridge"); v.size != feed.GiB {
		t.Errorf("%+v", v)
	}
	if s := named(t, p, "quarantine"); s.Volume != "bridge" {
		t.Errorf("%+v", s)
	}
	if s := named(t, p, "queue q"); s.limit().Records != 10 {
		t.Errorf("%+v", s)
	}
}

// TestEnvironmentIsNotAsked: what is reckoned comes from files alone. The environment
// of whoever asks is not the one that the feed will have.
func TestEnvironmentIsNotAsked(t *testing.T) {
	const file = `
quarantine: {path: /var/lib/feed/q.db}
routes:
  a:
    source: {amqp: {url: "${AMQP_URL}", queue: q, declare: {maxBytes: "${QUEUE:-400MB}"}}}
    sink: {mqtt: {url: "${MQTT_URL}", username: feed, password: "${PASSWORD}", tls: {caFile: /run/tls/ca.crt}}}
`
	t.Setenv("AMQP_URL", "bogus")
	t.Setenv("MQTT_URL", "mqtt://127.0.0.1:1883") // without TLS, to which certificates are no use
	t.Setenv("PASSWORD", "")
	t.Setenv("QUEUE", "none")
	for name, text := range map[string]string{
		"feed.yaml": file,
		"site.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bridge-config}\ndata:\n  feed.yaml: |" + strings.ReplaceAll(file, "\n", "\n    "),
	} {
		if s := named(t, planOf(t, map[string]string{name: text}), "queue q"); s.limit().Setting != "maxBytes 400MB" {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestBadFiles: a mistake is told with the file, and what to write instead.
func TestBadFiles(t *testing.T) {
	for _, bad := range []struct{ name, text, want string }{
		{"definitions.json", `[]`, "definitions.json: these are no definitions of RabbitMQ"},
		{"definitions.json", `{"queues": [{"name": "q", "arguments": {"x-max-age": "7 days"}}]}`, `queue "q": max-age "7 days" is none (write a number and one of Y, M, D, h, m, s, such as 7D)`},
		{"definitions.json", `{"queues": [{"name": "q", "arguments": {"x-max-age": "999999999Y"}}]}`, "out of range"},
		{"definitions.json", `{"policies": [{"name": "p", "pattern": "("}]}`, `policy "p": error parsing regexp`},
		{"my.conf", ``, "call the file rabbitmq.conf, postgresql.conf or mosquitto.conf"},
		{"rabbitmq.conf", "\ndisk_free_limit.absolute = much", `rabbitmq.conf:2: disk_free_limit.absolute: "much" is no size`},
		{"rabbitmq.conf", "disk_free_limit.relative = 1.0", "write disk_free_limit.absolute"},
		{"postgresql.conf", "fsync = on\nmax_wal_size = 2 gigabytes", `postgresql.conf:2: max_wal_size: "2 gigabytes" is no size: write a whole number and one of the units kB, MB, GB, TB`},
		{"mosquitto.conf", "max_queued_messages all", `mosquitto.conf:1: max_queued_messages: "all" is no number`},
		{"feed.yaml", "routes: {a: {source: {amqp: {url: amqp://x, quueue: q}}}}", "feed.yaml:1:45: routes.a.source.amqp.quueue: "},
		{"site.yaml", "apiVersion: v1\nkind: [", "site.yaml: yaml: "},
		{"site.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {definitions.json: '%'}", "Secret s: definitions.json is not in base64"},
		{"site.yaml", "apiVersion: v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {volumeClaimTemplates: [{spec: {resources: {requests: {storage: big}}}}]}", `StatefulSet s: "big" is no size of a volume: write a whole number and a unit, such as 5Gi`},
		{"site.yaml", "apiVersion: v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {volumeClaimTemplates: [{spec: {resources: {requests: {storage: 1Gi}}}}, {spec: {resources: {requests: {storage: 1Gi}}}}]}", "mounts 2 claims"},
	} {
		err := NewPlan(DefaultLoad()).AddFile(registry(t), bad.name, []byte(bad.text))
		if err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s %q:\ngot  %v\nwant %s", bad.name, bad.text, err, bad.want)
		}
	}
}

func TestParseQuantity(t *testing.T) {
	for text, want := range map[string]feed.Size{"5Gi": 5 * feed.GiB, "5GiB": 5 * feed.GiB, "40G": 40e9, "512Mi": 512 * feed.MiB, "1000": 1000, "1k": 1000} {
		if got, err := ParseQuantity(text); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "Gi", "5.5Gi", "-1Gi", "5 disks"} {
		if got, err := ParseQuantity(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
}
