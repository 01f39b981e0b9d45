package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/otlp/otlptest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

const (
	edgeYAML = `
name: edge
admin: {address: ADMIN}
otlp: {endpoint: "${OTLP}", traces: {ratio: 0}, metrics: {interval: 1s}}
quarantine: {path: DIR/edge.db}
routes:
  telemetry:
    source: {amqp: {url: "${AMQP_URL}", queue: telemetry, declare: {exchange: {name: plant}, routingKeys: ["telemetry.#"]}}}
    transforms:
      - bridge: {rules: [{match: "telemetry.{device}.{tag}", topic: "kraft/{device}/{tag}"}]}
    sink: {mqtt: {url: "${MQTT_URL}"}}
`
	cloudYAML = `
name: cloud
admin: {address: ADMIN}
otlp: {endpoint: "${OTLP}", traces: {ratio: 0}}
quarantine: {path: DIR/cloud.db}
routes:
  archive:
    source: {mqtt: {url: "${MQTT_URL}", clientId: archive, topics: ["kraft/#"]}}
    sink: {blob: {connectionString: "${BLOB}", container: CONTAINER, envelope: full, compression: plain, path: "all-{hash}"}}
    batch: {maxMessages: 100, maxDelay: 1s}
`
	sentTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	sentParent = "00f067aa0ba902b7"
)

// TestOneTraceFromAMQPToBlob sends a reading with a traceparent among others without
// one through two feeds: every hop has a span of the same trace, each the child of the one before,
// the line in the blob carries it, and nothing is told of the others.
func TestOneTraceFromAMQPToBlob(t *testing.T) {
	t.Parallel() // while others wait
	const n = 201
	vhost, broker, container, receiver := testenv.RabbitMQ(t), testenv.Mosquitto(t), testenv.Azurite(t), otlptest.NewReceiver(t)
	env := []string{"AMQP_URL=" + vhost.URL(), "MQTT_URL=" + broker.URL(), "BLOB=" + container.ConnectionString(), "OTLP=" + receiver.URL}
	fill := strings.NewReplacer("DIR", t.TempDir(), "CONTAINER", container.ContainerName)
	edge, cloud := newFeed(t, fill.Replace(edgeYAML), env...), newFeed(t, fill.Replace(cloudYAML), env...)
	cloud.start()
	cloud.ready() // its session is there
	edge.start()
	edge.ready()

	connection, err := amqp.Dial(vhost.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close() //nolint:errcheck // all that was published is confirmed by what arrives
	channel, err := connection.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		message := amqp.Publishing{MessageId: fmt.Sprint("m", i), Body: fmt.Appendf(nil, `{"value":%d}`, i)}
		if i == n/2 {
			message.Headers = amqp.Table{"traceparent": "00-" + sentTrace + "-" + sentParent + "-01"}
		}
		if err := channel.PublishWithContext(t.Context(), "plant", "telemetry.press7.temperature", false, false, message); err != nil {
			t.Fatal(err)
		}
	}
	testenv.Eventually(t, time.Minute, "all to be archived", func() bool {
		s, err := cloud.status()
		return err == nil && s.Routes[0].Deliveries.Delivered == n
	})
	receiver.Await(t, time.Minute, "metrics of the delivered", func() bool {
		v, ok := receiver.Metric("datafeed_messages_delivered_total")
		return ok && v >= n
	})
	for _, p := range []*feedProcess{edge, cloud} {
		p.checkAccounts()
		if code, took := p.terminate(); code != 0 { // which sends what waits
			t.Errorf("exit code %d after %v", code, took)
		}
	}

	spans := map[string]otlptest.Span{}
	for _, s := range receiver.Spans() {
		if _, twice := spans[s.Service+": "+s.Name]; twice || s.Trace != sentTrace || s.Failed != "" {
			t.Errorf("unexpected: %+v", s)
		}
		spans[s.Service+": "+s.Name] = s
	}
	process, publish := spans["edge: process telemetry"], spans["edge: send mqtt"]
	second, store := spans["cloud: process archive"], spans["cloud: send blob"]
	if len(spans) != 4 || process.Parent != sentParent || publish.Parent != process.ID || second.Parent != process.ID || store.Parent != second.ID {
		t.Errorf("%d spans: %+v", len(spans), spans)
	}
	if process.Attributes["messaging.message.id"] != fmt.Sprint("m", n/2) || second.Attributes["messaging.destination.name"] != "kraft/press7/temperature" || second.Attributes["datafeed.outcome"] != "delivered" {
		t.Errorf("%+v", spans)
	}
	if publish.Begin.Before(process.Begin) || publish.End.After(process.End) || second.End.Before(store.End) {
		t.Errorf("they do not lie within each other: %+v", spans)
	}
	checkLines(t, container, n, second)
}

// checkLines looks for the trace in the object that the span names.
func checkLines(t *testing.T, container *testenv.Container, n int, of otlptest.Span) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client, err := azblob.NewClientFromConnectionString(container.ConnectionString(), &azblob.ClientOptions{
		ClientOptions: policy.ClientOptions{Transport: &http.Client{Transport: transport}},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines, led := 0, 0
	for pages := client.NewListBlobsFlatPager(container.ContainerName, nil); pages.More(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Segment.BlobItems {
			answer, err := client.DownloadStream(t.Context(), container.ContainerName, *item.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			for scanner := bufio.NewScanner(answer.Body); scanner.Scan(); lines++ {
				var line struct {
					ID       string
					Metadata map[string]string
				}
				if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
					t.Fatal(err)
				}
				if line.Metadata["traceparent"] == "" {
					continue
				}
				led++
				if line.Metadata["traceparent"] != "00-"+sentTrace+"-"+of.ID+"-01" || len(of.Places) != 1 || of.Places[0] != *item.Name || line.ID != of.Attributes["messaging.message.id"] {
					t.Errorf("%s has %+v, the span is %+v", *item.Name, line, of)
				}
			}
			answer.Body.Close()
		}
	}
	if lines != n || led != 1 {
		t.Errorf("%d lines, %d of them with a traceparent", lines, led)
	}
}
