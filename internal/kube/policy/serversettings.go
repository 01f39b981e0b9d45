package policy

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kraft-edge/datafeed/internal/kube/site"
)

// mosquittoPayload is what Mosquitto takes in memory for each byte of payload that it counts.
const mosquittoPayload = 4

// ServerSettings wants servers to keep what they have acknowledged, and to bound all that they keep.
func ServerSettings(s *site.Site) []string {
	var found breaches
	for name, keeps := range map[string]func(*site.Site, *site.Workload) error{
		"rabbitmq": rabbitMQKeeps, "postgres": postgresKeeps, "mosquitto": mosquittoKeeps,
	} {
		if w, there := s.Workloads[name]; there {
			err := keeps(s, w)
			found.check(err == nil, "%s: %v", name, err)
		}
	}
	return found
}

func rabbitMQKeeps(s *site.Site, w *site.Workload) error {
	definitions, err := content(s, w, "/etc/rabbitmq/definitions.d/10-topology.json")
	if err != nil {
		return err
	}
	var topology struct {
		Queues []struct {
			Name      string
			Arguments struct {
				Type          string `json:"x-queue-type"`
				MaxBytes      int64  `json:"x-max-length-bytes"`
				SegmentBytes  int64  `json:"x-stream-max-segment-size-bytes"`
				DeliveryLimit int    `json:"x-delivery-limit"`
			}
		}
	}
	if err := json.Unmarshal([]byte(definitions), &topology); err != nil {
		return err
	}
	for _, q := range topology.Queues {
		switch a := q.Arguments; {
		case a.MaxBytes == 0:
			return fmt.Errorf("queue %s has no x-max-length-bytes", q.Name)
		case a.Type == "stream" && a.SegmentBytes == 0:
			return fmt.Errorf("stream %s has segments of any size", q.Name)
		case a.Type == "stream":
		case a.Type != "quorum":
			return fmt.Errorf("queue %s is neither a quorum queue nor a stream", q.Name)
		case a.DeliveryLimit < 1<<30:
			return fmt.Errorf("queue %s gives up messages that were handed out %d times, as a sink that is away makes it", q.Name, a.DeliveryLimit)
		}
	}
	return nil
}

func postgresKeeps(s *site.Site, w *site.Workload) error {
	conf, err := content(s, w, "/etc/postgresql/postgresql.conf")
	if err != nil {
		return err
	}
	for _, setting := range []string{"max_wal_size", "max_slot_wal_keep_size", "temp_file_limit"} {
		if !regexp.MustCompile(`(?m)^` + setting + ` = [1-9]`).MatchString(conf) {
			return fmt.Errorf("postgresql.conf does not bound %s", setting)
		}
	}
	return nil
}

func mosquittoKeeps(s *site.Site, w *site.Workload) error {
	conf, err := content(s, w, "/mosquitto/config/mosquitto.conf")
	if err != nil {
		return err
	}
	for _, line := range []string{"persistence true", "autosave_on_changes true", "autosave_interval 1", "max_queued_messages 0"} {
		if !strings.Contains("\n"+conf, "\n"+line+"\n") {
			return fmt.Errorf("mosquitto.conf has no line %q: it would lose what it has acknowledged", line)
		}
	}
	match := regexp.MustCompile(`(?m)^max_queued_bytes (\d+)$`).FindStringSubmatch(conf)
	if match == nil {
		return fmt.Errorf("mosquitto.conf does not bound max_queued_bytes")
	}
	queued, err := strconv.ParseFloat(match[1], 64)
	if err != nil {
		return err
	}
	memory := w.Pod.Spec.Containers[0].Resources.Limits[corev1.ResourceMemory]
	if held := queued * mosquittoPayload; held > 0.9*memory.AsApproximateFloat64() {
		return fmt.Errorf("it may hold %.2f GB in memory, of which it has %.2f GB", held/1e9, memory.AsApproximateFloat64()/1e9)
	}
	return nil
}
