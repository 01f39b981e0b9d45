package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// What things take on disk at most. Package boottest measures ReadingInQueue and ReadingInTable on the real servers, and fails
// when they take more; the others are margins.
const (
	// A file system keeps a part of a volume for itself.
	usable = 0.95
	// ReadingInQueue is for one reading that waits in a quorum queue, with its properties.
	ReadingInQueue = 700
	// ReadingInTable is for one reading in PostgreSQL with its index, uncompressed.
	ReadingInTable = 180
	// payloadInQueue is for each byte of batches in a quorum queue, which keeps a segment until all of it is done with.
	payloadInQueue = 1.3
	// nodeItself is what a node takes without a message.
	nodeItself = 20_000_000
	// readingsPerSecond is the rate that the volumes are made for.
	readingsPerSecond = 250
	// mosquittoPayload is what Mosquitto takes, in memory and in its file, for each byte of payload that it counts.
	mosquittoPayload = 4
)

// VolumeBudgets wants all bounds of what a process keeps, together, to be less than its volume.
func VolumeBudgets(s *site.Site) []string {
	var found breaches
	for name, keeps := range map[string]func(*site.Site, *site.Workload) (float64, error){
		"rabbitmq": rabbitMQKeeps, "postgres": postgresKeeps, "mosquitto": mosquittoKeeps,
		"ingest": feedKeeps, "bridge": feedKeeps, "archive": feedKeeps, "validator": feedKeeps,
	} {
		w, there := s.Workloads[name]
		if !there {
			continue
		}
		claim, _ := claimOf(s, w)
		if claim == nil {
			continue // Volumes says so
		}
		kept, err := keeps(s, w)
		size := claim.Resources.Requests[corev1.ResourceStorage]
		found.check(err == nil, "%s: %v", name, err)
		found.check(kept <= usable*size.AsApproximateFloat64(), "%s: it may keep %.2f GB, and its volume holds %.2f GB", name, kept/1e9, usable*size.AsApproximateFloat64()/1e9)
	}
	return found
}

// A Topology is the part of RabbitMQ's definitions that bounds what the node keeps.
type Topology struct {
	Queues []struct {
		Name      string
		Arguments struct {
			Type          string  `json:"x-queue-type"`
			MaxLength     float64 `json:"x-max-length"`
			MaxBytes      float64 `json:"x-max-length-bytes"`
			SegmentBytes  float64 `json:"x-stream-max-segment-size-bytes"`
			Overflow      string  `json:"x-overflow"`
			DeliveryLimit int     `json:"x-delivery-limit"`
		}
	}
}

func rabbitMQKeeps(s *site.Site, w *site.Workload) (float64, error) {
	conf, err := content(s, w, "/etc/rabbitmq/rabbitmq.conf")
	if err != nil {
		return 0, err
	}
	definitions, err := content(s, w, "/etc/rabbitmq/definitions.d/10-topology.json")
	if err != nil {
		return 0, err
	}
	free, err := quantity(conf, `(?m)^disk_free_limit\.absolute = (\S+)$`)
	if err != nil {
		return 0, err
	}
	log, err := quantity(conf, `(?m)^raft\.wal_max_size_bytes = (\S+)$`)
	if err != nil {
		return 0, err
	}
	var topology Topology
	if err := json.Unmarshal([]byte(definitions), &topology); err != nil {
		return 0, err
	}
	// One log is written, one is being taken apart, one may wait for that.
	sum := free + 3*log + nodeItself
	for _, q := range topology.Queues {
		a := q.Arguments
		switch {
		case a.MaxBytes == 0:
			return 0, fmt.Errorf("queue %s has no x-max-length-bytes", q.Name)
		case a.Type == "stream":
			if a.SegmentBytes == 0 {
				return 0, fmt.Errorf("stream %s has segments of any size", q.Name)
			}
			sum += a.MaxBytes + a.SegmentBytes
		case a.Type != "quorum":
			return 0, fmt.Errorf("queue %s is neither a quorum queue nor a stream", q.Name)
		case a.MaxLength > 0:
			sum += max(a.MaxBytes, a.MaxLength*ReadingInQueue)
		default:
			sum += a.MaxBytes * payloadInQueue
		}
		if a.Type == "quorum" && a.DeliveryLimit < 1<<30 {
			return 0, fmt.Errorf("queue %s gives up messages that were handed out %d times, as a sink that is away makes it", q.Name, a.DeliveryLimit)
		}
	}
	return sum, nil
}

func postgresKeeps(s *site.Site, w *site.Workload) (float64, error) {
	conf, err := content(s, w, "/etc/postgresql/postgresql.conf")
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, setting := range []string{"max_wal_size", "max_slot_wal_keep_size", "temp_file_limit"} {
		bytes, err := quantity(conf, `(?m)^`+setting+` = (\S+)$`)
		if err != nil {
			return 0, err
		}
		sum += bytes
	}
	retention, err := retention(s)
	// A partition of a day goes when its last reading is old enough.
	return sum + (retention+24*time.Hour).Seconds()*readingsPerSecond*ReadingInTable, err
}

// retention is what ingest asks PostgreSQL to keep.
func retention(s *site.Site) (time.Duration, error) {
	w, there := s.Workloads["ingest"]
	if !there {
		return 0, fmt.Errorf("there is no ingest")
	}
	text, err := content(s, w, "/etc/feed/feed.yaml")
	if err != nil {
		return 0, err
	}
	var file any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return 0, err
	}
	found := time.Duration(0)
	walk(file, "", func(key string, value any) {
		if strings.HasSuffix(key, ".postgres.retention") {
			found, err = time.ParseDuration(fmt.Sprint(value))
		}
	})
	if found == 0 {
		return 0, fmt.Errorf("ingest keeps readings for ever: %w", cmp.Or(err, fmt.Errorf("there is no retention")))
	}
	return found, err
}

func mosquittoKeeps(s *site.Site, w *site.Workload) (float64, error) {
	conf, err := content(s, w, "/mosquitto/config/mosquitto.conf")
	if err != nil {
		return 0, err
	}
	for _, line := range []string{"persistence true", "autosave_on_changes true", "autosave_interval 1", "max_queued_messages 0"} {
		if !strings.Contains("\n"+conf, "\n"+line+"\n") {
			return 0, fmt.Errorf("mosquitto.conf has no line %q: it would lose what it has acknowledged", line)
		}
	}
	queued, err := quantity(conf, `(?m)^max_queued_bytes (\S+)$`)
	if err != nil {
		return 0, err
	}
	memory := w.Pod.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory]
	if held := queued * mosquittoPayload; held > 0.9*memory.AsApproximateFloat64() {
		return 0, fmt.Errorf("it may hold %.2f GB in memory, of which it has %.2f GB", held/1e9, memory.AsApproximateFloat64()/1e9)
	}
	// The file, and the one that is being written beside it.
	return 2 * queued * mosquittoPayload, nil
}

// feedKeeps is the sum of all that a feed bounds by maxBytes on its volume: quarantine, cache, store.
func feedKeeps(s *site.Site, w *site.Workload) (float64, error) {
	text, err := content(s, w, "/etc/feed/feed.yaml")
	if err != nil {
		return 0, err
	}
	var file any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		return 0, err
	}
	// Logs that stand beside SQLite's files, and the validator's reports.
	sum := 128e6
	walk(file, "", func(key string, value any) {
		parent := strings.TrimSuffix(key, ".maxBytes")
		for _, keeps := range []string{"quarantine", "cache", "validator"} {
			if parent == key || !strings.HasSuffix("."+parent, "."+keeps) {
				continue
			}
			size, parseErr := feed.ParseSize(fmt.Sprint(value))
			sum, err = sum+float64(size), cmp.Or(err, parseErr)
		}
	})
	if sum == 128e6 {
		return 0, fmt.Errorf("feed.yaml bounds nothing that it keeps")
	}
	return sum, err
}

// walk calls f for each value of a document that is none of others, with its keys joined by dots.
func walk(value any, key string, f func(key string, value any)) {
	switch v := value.(type) {
	case map[string]any:
		for name, below := range v {
			walk(below, strings.TrimPrefix(key+"."+name, "."), f)
		}
	case []any:
		for _, below := range v {
			walk(below, key, f)
		}
	default:
		f(key, value)
	}
}

// content returns a file of a workload's main container.
func content(s *site.Site, w *site.Workload, path string) (string, error) {
	for _, file := range s.Files(w, &w.Pod.Spec.Containers[0]) {
		if file.Path == path {
			return string(file.Content), nil
		}
	}
	return "", fmt.Errorf("%s has no file %s", w.Name, path)
}

// quantity returns a number of bytes of a configuration file, in the units of RabbitMQ and PostgreSQL.
func quantity(conf, pattern string) (float64, error) {
	match := regexp.MustCompile(pattern).FindStringSubmatch(conf)
	if match == nil {
		return 0, fmt.Errorf("no line is as %s", pattern)
	}
	digits := strings.TrimRight(match[1], "MGiB")
	n, err := strconv.ParseFloat(digits, 64)
	switch {
	case strings.HasPrefix(match[1][len(digits):], "M"):
		n *= 1 << 20 // PostgreSQL's; RabbitMQ's is a little less
	case strings.HasPrefix(match[1][len(digits):], "G"):
		n *= 1 << 30
	}
	return n, err
}
