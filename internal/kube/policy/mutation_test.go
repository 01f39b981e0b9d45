package policy

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/kube"
)

// TestRulesSeeMistakes plants mistakes into what is rendered, one at a time, and wants a rule to say what is wrong.
func TestRulesSeeMistakes(t *testing.T) {
	for _, test := range []struct {
		overlay string
		object  string // the first object whose ID has this end
		old     string // a regular expression; (?m) and (?s) are set
		new     string
		want    string
	}{
		{"prod", "Deployment st-one/ingest", `^  replicas: 1$`, "  replica: 1", "unknown field"},
		{"prod", "Deployment st-one/ingest", `namespace: st-one`, "namespace: default", "does not stand in the namespace"},
		// Images.
		{"prod", "Deployment st-one/ingest", `image: example\.azurecr\.io`, "image: docker.io", "images: ingest/feed: the image docker.io"},
		{"prod", "Deployment st-one/ingest", `@sha256:\w+`, ":1.0", "images: ingest/feed: the image"},
		{"prod", "Deployment st-one/ingest", `image: example\.`, "image: other.", "images come from 2 registries"},
		{"prod", "ServiceAccount st-one/rabbitmq", `^imagePullSecrets:\n- name: registry-credentials\n`, "", "rabbitmq: its account may not pull"},
		{"poc", "StatefulSet st-one/rabbitmq", `rabbitmq:4\.1-management`, "rabbitmq:latest", "images: rabbitmq/"},
		{"poc", "StatefulSet st-one/rabbitmq", `docker\.io/library/rabbitmq`, "quay.io/rabbitmq", "images: rabbitmq/"},
		// Pod security.
		{"prod", "Namespace st-one", `enforce: restricted`, "enforce: baseline", "pod security: namespace st-one"},
		{"prod", "Deployment st-one/bridge", `runAsNonRoot: true`, "runAsNonRoot: false", "bridge: runAsNonRoot"},
		{"prod", "Deployment st-one/bridge", `runAsUser: 65532`, "runAsUser: 0", "bridge: runAsUser is no user but root"},
		{"prod", "Deployment st-one/bridge", `runAsGroup: 65532`, "runAsGroup: 0", "bridge: runAsGroup is no group"},
		{"prod", "Deployment st-one/bridge", `^ +fsGroup: 65532\n`, "", "bridge: fsGroup is no group"},
		{"prod", "Deployment st-one/bridge", `type: RuntimeDefault`, "type: Unconfined", "bridge: the seccomp profile"},
		{"prod", "Deployment st-one/bridge", `allowPrivilegeEscalation: false`, "allowPrivilegeEscalation: true", "bridge/feed: allowPrivilegeEscalation"},
		{"prod", "Deployment st-one/bridge", `allowPrivilegeEscalation: false`, "allowPrivilegeEscalation: false\n          privileged: true", "bridge/feed: it is privileged"},
		{"prod", "Deployment st-one/bridge", `readOnlyRootFilesystem: true`, "readOnlyRootFilesystem: false", "bridge/feed: readOnlyRootFilesystem"},
		{"prod", "Deployment st-one/bridge", `drop:\n +- ALL`, "drop: [NET_RAW]", "bridge/feed: it does not drop all"},
		{"prod", "Deployment st-one/bridge", `capabilities:\n`, "capabilities:\n            add: [NET_ADMIN]\n", "bridge/feed: it does not drop all"},
		{"prod", "Deployment st-one/bridge", `enableServiceLinks: false`, "enableServiceLinks: false\n      hostNetwork: true", "bridge: it uses the host's"},
		{"prod", "Deployment st-one/bridge", `containerPort: 9090`, "containerPort: 9090\n          hostPort: 9090", "bridge/feed: port admin is open on the host"},
		{"prod", "Deployment st-one/bridge", `emptyDir:\n +sizeLimit: 64Mi`, "hostPath: {path: /tmp}", "volume tmp is of a type"},
		{"prod", "Deployment st-one/bridge", `defaultMode: 288\n +items:\n +- key: amqp-password\n`, "defaultMode: 292\n          items:\n          - {key: amqp-password, path: amqp-password}\n          - key: other\n", "bridge: volume credentials holds a secret that every user may read"},
		{"prod", "StatefulSet st-one/rabbitmq", `readOnlyRootFilesystem: true`, "readOnlyRootFilesystem: false", "rabbitmq/rabbitmq: readOnlyRootFilesystem"},
		// Probes and resources.
		{"prod", "Deployment st-one/bridge", `^ +readinessProbe:.*?timeoutSeconds: 5\n`, "", "probes: bridge/feed: it has no readiness probe"},
		{"prod", "Deployment st-one/bridge", `path: /readyz\n +port: admin`, "path: /readyz\n            port: http", "the readiness probe asks at the port http"},
		{"prod", "Deployment st-one/bridge", `path: /healthz`, "path: /readyz", "an outage of a server would restart the feed"},
		{"prod", "Deployment st-one/bridge", `terminationGracePeriodSeconds: 60`, "terminationGracePeriodSeconds: 10", "bridge: it is killed before"},
		{"prod", "StatefulSet st-one/rabbitmq", `timeoutSeconds: 30`, "timeoutSeconds: 1", "the liveness probe does nothing, or has less"},
		{"prod", "Deployment st-one/bridge", `memory: 256Mi`, "ephemeral-storage: 256Mi", "bridge/feed: it has no limit of memory"},
		{"prod", "Deployment st-one/bridge", `cpu: 100m`, `cpu: "4"`, "bridge/feed: it requests more cpu"},
		{"prod", "Deployment st-one/bridge", `sizeLimit: 64Mi`, "medium: Memory", "bridge: the emptyDir tmp has no sizeLimit"},
		// Volumes.
		{"prod", "StatefulSet st-one/rabbitmq", `storage: 5Gi`, "storage: 4Gi", "volumes: rabbitmq: its volume holds 4Gi"},
		{"prod", "StatefulSet st-one/rabbitmq", `mountPath: /var/lib/rabbitmq/mnesia`, "mountPath: /var/lib/rabbitmq/data", "rabbitmq: its volume is not mounted at"},
		{"prod", "StatefulSet st-one/rabbitmq", `fsGroup: 999`, "fsGroup: 1000", "rabbitmq: fsGroup is not 999"},
		{"prod", "StatefulSet st-one/postgres", `storage: 40Gi`, "storage: 20Gi", "budgets of volumes: schema telemetry: the volume postgres is full after"},
		{"mosquitto", "StatefulSet st-one/mosquitto", `ReadWriteOnce`, "ReadWriteMany", "mosquitto: its volume is not ReadWriteOnce"},
		{"prod", "Deployment st-one/archive", `claimName: archive-data`, "claimName: bridge-data", "archive has the volume bridge-data, too"},
		{"prod", "ConfigMap st-one/rabbitmq-config", `"x-max-length-bytes": 1000000000, "x-overflow"`, `"x-max-length-bytes": 2000000000, "x-overflow"`, "budgets of volumes: volume rabbitmq: what waits on it may take"},
		{"prod", "ConfigMap st-one/rabbitmq-config", `"x-max-length-bytes": 1000000000, "x-overflow"`, `"x-overflow"`, "queue batches has no x-max-length-bytes"},
		{"prod", "ConfigMap st-one/rabbitmq-config", `, "x-stream-max-segment-size-bytes": 50000000`, "", "stream batches-stream has segments of any size"},
		{"prod", "ConfigMap st-one/rabbitmq-config", `2147483647, "x-dead`, `20, "x-dead`, "queue batches gives up messages"},
		{"prod", "ConfigMap st-one/rabbitmq-config", `disk_free_limit\.absolute = 400MB`, "disk_free_limit.absolute = 3GB", "budgets of volumes: volume rabbitmq: what waits on it may take"},
		{"prod", "ConfigMap st-one/ingest-config", `retention: 168h`, "retention: 2160h", "budgets of volumes: schema telemetry: the volume postgres is full after"},
		{"prod", "ConfigMap st-one/ingest-config", `retention: 168h`, "partition: 24h", "before a retention, of which there is none"},
		{"prod", "ConfigMap st-one/ingest-config", `maxBytes: 3GiB`, "maxBytes: 5GiB", "budgets of volumes: volume ingest: of 5GiB nothing is left"},
		{"mosquitto", "ConfigMap st-one/mosquitto-config", `max_queued_bytes 400000000`, "max_queued_bytes 2000000000", "mosquitto: it may hold"},
		{"mosquitto", "ConfigMap st-one/mosquitto-config", `max_queued_bytes 400000000`, "max_queued_bytes 1500000000", "budgets of volumes: volume mosquitto: what waits on it may take"},
		{"prod", "ConfigMap st-one/postgres-config", `max_wal_size = 2GB`, "max_wal_size = 20GB", "budgets of volumes: schema telemetry: the volume postgres is full after"},
		{"prod", "ConfigMap st-one/postgres-config", `temp_file_limit = `, "#temp_file_limit = ", "server settings: postgres: postgresql.conf does not bound temp_file_limit"},
		{"prod", "ConfigMap st-one/validator-config", `maxBytes: 3GiB`, "maxBytes: 6GiB", "budgets of volumes: volume validator: what waits on it may take"},
		{"mosquitto", "ConfigMap st-one/mosquitto-config", `autosave_interval 1`, "autosave_interval 1800", "it would lose what it has acknowledged"},
		{"mosquitto", "ConfigMap st-one/mosquitto-config", `max_queued_messages 0`, "max_queued_messages 1000", "it would lose what it has acknowledged"},
		// Secrets.
		{"poc", "ConfigMap st-one/site", `^  mqtt-url: [^\n]*`, "  mqtt-url: mqtt://bridge:example-bridge@mosquitto:1883", "secrets: configmap site"},
		{"poc", "ConfigMap st-one/rabbitmq-config", `log\.file = false`, "default_pass = hidden", "rabbitmq.conf: this looks like a secret"},
		{"prod", "ConfigMap st-one/ingest-config", `password: \$\{file:[^}]+\}`, "password: hidden", "secrets: configmap ingest-config"},
		// Services.
		{"prod", "Service st-one/rabbitmq", `targetPort: amqp`, "targetPort: amqps", "services: service rabbitmq: port amqp leads to amqps"},
		{"prod", "Service st-one/rabbitmq", `app\.kubernetes\.io/name: rabbitmq`, "app.kubernetes.io/name: rabbit", "services: service rabbitmq: it selects the pods of 0"},
		{"prod", "Service st-one/rabbitmq", `clusterIP: None`, "type: ClusterIP", "statefulset rabbitmq: it has no headless service"},
		// Network.
		{"prod", "NetworkPolicy st-one/default-deny", `- Egress`, "- Ingress", "nothing denies what is not named"},
		{"prod", "NetworkPolicy st-one/rabbitmq", `app\.kubernetes\.io/name: ingest`, "app.kubernetes.io/name: other", "ingest → rabbitmq 5671: the receiver's policy"},
		{"prod", "NetworkPolicy st-one/ingest", `port: postgres`, "port: 5433", "ingest → postgres 5433: the receiver's policy"},
		{"prod", "NetworkPolicy st-one/ingest", `port: postgres`, "port: sql", "postgres has no port sql"},
		{"prod", "NetworkPolicy st-one/postgres", `from:\n +- podSelector:\n +matchLabels:\n +app\.kubernetes\.io/name: ingest\n +ports`, "ports", "it lets something come from anywhere"},
		// What is mounted.
		{"prod", "ConfigMap st-one/ingest-config", `^kind: ConfigMap`, "  other.yaml: a\nkind: ConfigMap", "other.yaml is mounted, and nothing reads it"},
		{"prod", "StatefulSet st-one/rabbitmq", `definitions\.d/10-topology\.json`, "other.d/10-topology.json", "topology.json is mounted, and nothing reads it"},
		{"prod", "Deployment st-one/bridge", `name: MQTT_URL`, "name: MQTT_ADDRESS", "nothing reads the variable MQTT_ADDRESS"},
		{"prod", "Deployment st-one/bridge", `key: mqtt-url`, "key: mqtt", "has no key mqtt"},
		{"poc", "Deployment st-one/ingest", `secretName: ingest-credentials`, "secretName: other", "secret ingest-credentials: nobody mounts it"},
		// Disruption and placement.
		{"prod", "PodDisruptionBudget st-one/bridge", `maxUnavailable: 1`, "minAvailable: 1", "bridge: its disruption budget keeps nodes"},
		{"prod", "PodDisruptionBudget st-one/bridge", `app\.kubernetes\.io/name: bridge`, "app.kubernetes.io/name: other", "bridge: it has 0 disruption budgets"},
		{"prod", "Deployment st-one/bridge", `^  replicas: 1$`, "  replicas: 2", "bridge: it has 2 replicas"},
		{"prod", "Deployment st-one/bridge", `type: Recreate`, "type: RollingUpdate", "bridge: its strategy is"},
		{"prod", "Deployment st-one/bridge", `ScheduleAnyway`, "DoNotSchedule", "bridge: it would not run on a cluster of one node"},
		{"prod", "Deployment st-one/bridge", `topologyKey: kubernetes\.io/hostname`, "topologyKey: zone", "bridge: it is not spread"},
		{"prod", "Deployment st-one/bridge", `key: factoryplus\.app\.amrc\.co\.uk/specialised\n +operator: Exists`, "key: factoryplus.app.amrc.co.uk/specialised\n        operator: Exists\n        effect: NoSchedule", "bridge: it does not tolerate"},
		// Accounts, tokens, identities.
		{"prod", "Deployment st-one/bridge", `serviceAccountName: bridge`, "serviceAccountName: archive", "accounts: bridge: its account is"},
		{"prod", "Deployment st-one/bridge", `automountServiceAccountToken: false`, "automountServiceAccountToken: true", "bridge: its pods get a token"},
		{"prod", "ServiceAccount st-one/bridge", `automountServiceAccountToken: false\n`, "", "bridge: its account is not there, or gets"},
		{"prod", "Deployment st-one/bridge", `audience: aio-internal`, "audience: api", `bridge: it gets a token for "api"`},
		{"prod", "Deployment st-one/bridge", `path: broker-sat`, "path: token", "token: bridge: the token stands in"},
		{"prod", "Deployment st-one/archive", `azure\.workload\.identity/use: "true"`, `azure.workload.identity/use: "false"`, "identity: archive: the label"},
		{"prod", "ServiceAccount st-one/archive", `azure\.workload\.identity/client-id: \S+`, `other: a`, "identity: archive: its account"},
		// What is scraped.
		{"prod", "PodMonitor st-one/datafeed", `port: admin`, "port: metrics", "monitored: monitor datafeed: archive has no port metrics"},
		{"prod", "PodMonitor st-one/datafeed-rabbitmq", `app\.kubernetes\.io/name: rabbitmq`, "app.kubernetes.io/name: rabbit", "monitor datafeed-rabbitmq: it meets no pod"},
		{"prod", "PodMonitor st-one/datafeed-rabbitmq", `port: metrics`, "port: management", "monitoring/* → rabbitmq 15672: it is scraped, and no policy lets it pass"},
		{"prod", "PodMonitor st-one/datafeed", `app\.kubernetes\.io/component: feed`, "app.kubernetes.io/name: ingest", "monitored: bridge: nobody scrapes it"},
		{"prod", "NetworkPolicy st-one/feed-metrics", `kubernetes\.io/metadata\.name: monitoring`, "kubernetes.io/metadata.name: default", "monitoring/* → bridge 9090: it is scraped, and no policy lets it pass"},
		{"prod", "NetworkPolicy st-one/rabbitmq", `port: metrics`, "port: management", "monitoring/* → rabbitmq 15672: it may pass, and nothing is scraped there"},
		{"prod", "PodMonitor st-one/datafeed", `interval: 30s`, "intervall: 30s", "unknown field"},
		// What is encrypted.
		{"prod", "ConfigMap st-one/rabbitmq-config", `listeners\.tcp = none`, "listeners.tcp.default = 5672", "encrypted: rabbitmq: it listens without TLS"},
		{"prod", "StatefulSet st-one/rabbitmq", `conf\.d/10-tls\.conf`, "other.d/10-tls.conf", "encrypted: rabbitmq: rabbitmq has no file"},
		{"prod", "ConfigMap st-one/postgres-config", `hostssl all`, "host    all", "postgres: it takes connections without TLS"},
		{"prod", "ConfigMap st-one/postgres-config", `all  scram-sha-256`, "all  trust", "postgres: it takes connections without a password"},
		{"prod", "ConfigMap st-one/postgres-config", `ssl = on`, "ssl = off", "postgres: it has no TLS"},
		{"mosquitto", "ConfigMap st-one/mosquitto-config", `    keyfile \S+\n`, "", "encrypted: mosquitto: it listens without TLS"},
		{"prod", "Deployment st-one/archive", `amqps://archive@rabbitmq:5671`, "amqp://archive@rabbitmq:5672", "archive: it connects to rabbitmq:5672 without TLS"},
		{"prod", "Deployment st-one/ingest", `sslmode=verify-full`, "sslmode=require", "ingest: it connects to PostgreSQL with sslmode=require"},
		{"mosquitto", "ConfigMap st-one/site", `mqtts://`, "mqtt://", "bridge: it connects to mosquitto:8883 without TLS"},
		{"site-example-b", "CronJob st-one/validate-postgres", `sslmode=verify-full`, "sslmode=disable", "validate-postgres: it connects to PostgreSQL with sslmode=disable"},
		{"prod", "Deployment st-one/validator", `secretName: rabbitmq-tls`, "secretName: postgres-tls", "validator: it does not know who signs for rabbitmq"},
		{"prod", "Certificate st-one/rabbitmq", `  - rabbitmq\n`, "", "rabbitmq: its certificate is not for rabbitmq"},
		{"prod", "Certificate st-one/postgres", `secretName: postgres-tls`, "secretName: other", "postgres: nobody makes the secret postgres-tls"},
		{"prod", "Certificate st-one/postgres", `name: datafeed$`, "name: other", "certificate postgres: there is no issuer other"},
		{"prod", "Certificate st-one/postgres", `renewBefore: 2880h`, "renewBefore: 28800h", "certificate postgres: it is renewed all the time"},
		// One way to the cloud.
		{"prod", "ConfigMap st-one/bridge-config", `sink:\n +mqtt:`, "sink:\n         all:\n         - blob: {url: \"file:///tmp\", path: \"{date}\"}\n         - mqtt:", "one cloud leg: a reading comes to Blob Storage on 2 ways: archive by its route archive, bridge by its route mqtt"},
		{"mosquitto", "ConfigMap st-one/site", `mqtts://mosquitto:8883`, "mqtts://aio-broker.azure-iot-operations:18883", "one cloud leg: a reading comes to azure-iot-operations on 2 ways: bridge by its route mqtt, mosquitto by /mosquitto/config/conf.d/relay.conf"},
		{"mosquitto", "ConfigMap st-one/mosquitto-relay-config", `topic kraft`, "topic kraft/line1/# out 1\n    connection more\n    address aio-broker.azure-iot-operations.svc:8883\n    topic kraft", "one cloud leg: a reading comes to azure-iot-operations on 2 ways"},
		// What feed lint says.
		{"prod", "ConfigMap st-one/bridge-config", `queue: telemetry-mqtt`, "que: telemetry-mqtt", "feed files: bridge:"},
		{"prod", "ConfigMap st-one/bridge-config", `/run/secrets/feed/amqp-password`, "/run/secrets/feed/password", "feed files: bridge:"},
		{"prod", "ConfigMap st-one/bridge-config", `quarantine:\n.*?\n +admin:`, "admin:", "feed files: bridge:"},
	} {
		t.Run(test.want, func(t *testing.T) {
			objects := plant(t, rendered(t, test.overlay), test.object, test.old, test.new)
			if said := broken(test.overlay, objects); !strings.Contains(said, test.want) {
				t.Errorf("%s in %s → %s: the rules say\n%s\nand should say %q", test.old, test.object, test.new, said, test.want)
			}
		})
	}
}

// hash is what kustomize adds to the name of a ConfigMap.
var hash = regexp.MustCompile(`-[0-9a-z]{10}$`)

// plant replaces the first match in an object, and fails the test when there is none.
func plant(t *testing.T, objects []kube.Object, name, old, replacement string) []kube.Object {
	t.Helper()
	expression := regexp.MustCompile("(?ms)" + old)
	for i, object := range objects {
		id := object.ID()
		if object.Kind == "ConfigMap" {
			id = hash.ReplaceAllString(id, "")
		}
		if !strings.HasSuffix(id, " "+name) {
			continue
		}
		at := expression.FindIndex(object.YAML)
		if at == nil {
			t.Fatalf("%s does not match in\n%s", old, object.YAML)
		}
		planted, err := kube.Parse(slices.Concat(object.YAML[:at[0]], []byte(replacement), object.YAML[at[1]:]))
		if err != nil {
			t.Fatal(err)
		}
		return slices.Concat(objects[:i], planted, objects[i+1:])
	}
	t.Fatalf("there is no %s", name)
	return nil
}
