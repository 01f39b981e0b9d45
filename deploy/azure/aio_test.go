package azure_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// kinds of custom resources, by the types of Azure that they are twins of.
var kinds = map[string]string{
	"Microsoft.IoTOperations/instances/brokers":                    "mqttbroker.iotoperations.azure.com/v1 Broker",
	"Microsoft.IoTOperations/instances/brokers/listeners":          "mqttbroker.iotoperations.azure.com/v1 BrokerListener",
	"Microsoft.IoTOperations/instances/brokers/authentications":    "mqttbroker.iotoperations.azure.com/v1 BrokerAuthentication",
	"Microsoft.IoTOperations/instances/brokers/authorizations":     "mqttbroker.iotoperations.azure.com/v1 BrokerAuthorization",
	"Microsoft.IoTOperations/instances/dataflowEndpoints":          "connectivity.iotoperations.azure.com/v1 DataflowEndpoint",
	"Microsoft.IoTOperations/instances/dataflowProfiles/dataflows": "connectivity.iotoperations.azure.com/v1 Dataflow",
}

// twinFiles are in aio/, and bicepFiles are those that deploy the same.
var (
	twinFiles  = []string{"broker.yaml", "listener.yaml", "dataflow.yaml", "relay.yaml"}
	bicepFiles = []string{"broker", "aio", "relay"}
)

// references are the fields with which a custom resource names what Bicep calls its parent.
var references = map[string]string{"BrokerListener": "brokerRef", "Dataflow": "profileRef"}

type customResource struct {
	APIVersion string         `yaml:"apiVersion"`
	Kind       string         `yaml:"kind"`
	Metadata   map[string]any `yaml:"metadata"`
	Spec       map[string]any `yaml:"spec"`
}

func (c customResource) key() string {
	return fmt.Sprintf("%s %s %v", c.APIVersion, c.Kind, c.Metadata["name"])
}

func TestBicepAndCustomResourcesSayTheSame(t *testing.T) {
	twins := map[string]customResource{}
	for _, c := range customResources(t, twinFiles...) {
		if c.Metadata["namespace"] != "azure-iot-operations" || len(c.Metadata) != 2 {
			t.Errorf("%s has the metadata %v, and needs a name and the namespace azure-iot-operations", c.key(), c.Metadata)
		}
		twins[c.key()] = c
	}
	for _, problem := range differences(t, twins) {
		t.Error(problem)
	}
}

func TestADifferenceOfTheTwinsIsSeen(t *testing.T) {
	for _, c := range []struct{ what, from, to string }{
		{"a value", "maxSize: 5Gi", "maxSize: 5G"},
		{"a topic", `topics: ["kraft/#"]`, `topics: ["#"]`},
		{"a name", "name: datafeed-storage", "name: storage"},
		{"a field too many", "mode: Enabled\n  request", "mode: Enabled\n  other: x\n  request"},
		{"a field too few", "      protocol: Mqtt\n", ""},
		{"the parent", "brokerRef: default", "brokerRef: broker"},
		{"a resource too few", "---\napiVersion: mqttbroker.iotoperations.azure.com/v1\nkind: BrokerAuthentication", "---\napiVersion: v1\nkind: Other"},
	} {
		t.Run(c.what, func(t *testing.T) {
			twins := map[string]customResource{}
			changed := false
			for _, name := range twinFiles {
				content := read(t, filepath.Join("aio", name))
				damaged := strings.Replace(content, c.from, c.to, 1)
				changed = changed || damaged != content
				for _, one := range decode(t, damaged) {
					twins[one.key()] = one
				}
			}
			if !changed {
				t.Fatalf("%q is in none of the files", c.from)
			}
			if len(differences(t, twins)) == 0 {
				t.Error("nothing notices it")
			}
		})
	}
}

// differences of what the Bicep files deploy and the custom resources.
func differences(t *testing.T, twins map[string]customResource) []string {
	t.Helper()
	var problems []string
	left := maps.Clone(twins)
	for _, name := range bicepFiles {
		changed := map[string]any{}
		if name == "aio" {
			changed["cloudLeg"] = "dataflow" // the way for which there is more to compare
		}
		d, err := load(".", name, changed)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range d.resources {
			kind := kinds[r.kind]
			if kind == "" || r.existing || r.left {
				continue
			}
			twin, ok := twins[kind+" "+r.name]
			if !ok {
				problems = append(problems, fmt.Sprintf("%s.bicep: %s has no twin %s %s", name, r.symbol, kind, r.name))
				continue
			}
			delete(left, twin.key())
			want := maps.Clone(r.body["properties"].(map[string]any))
			if field := references[twin.Kind]; field != "" {
				want[field] = d.resource(r.parent).name
			}
			if !reflect.DeepEqual(want, twin.Spec) {
				problems = append(problems, fmt.Sprintf("%s.bicep: %s is\n%v\nand its twin\n%v", name, r.symbol, want, twin.Spec))
			}
		}
	}
	for key := range left {
		problems = append(problems, fmt.Sprintf("%s is in no Bicep file", key))
	}
	return problems
}

func TestFieldsAreThosePublished(t *testing.T) {
	schemas := publishedFields(t)
	for _, c := range customResources(t, twinFiles...) {
		schema := schemas[c.APIVersion+" "+c.Kind]
		if schema == nil {
			t.Errorf("no definition of %s", c.key())
			continue
		}
		if err := schema.Validate(asJSON(t, map[string]any{"apiVersion": c.APIVersion, "kind": c.Kind, "metadata": c.Metadata, "spec": c.Spec})); err != nil {
			t.Errorf("%s: %v", c.key(), err)
		}
	}
	// A field that nobody has published is an error.
	misspelt := map[string]any{"spec": map[string]any{"authenticationMethods": []any{map[string]any{
		"method": "ServiceAccountToken", "serviceAccountTokenSetting": map[string]any{"audiences": []any{"aio-internal"}},
	}}}}
	if err := schemas["mqttbroker.iotoperations.azure.com/v1 BrokerAuthentication"].Validate(asJSON(t, misspelt)); err == nil {
		t.Error("serviceAccountTokenSetting, without its s, is taken for a field")
	}
}

// publishedFields are the schemas of the definitions, closed: what they do not name is an error.
func publishedFields(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	schemas := map[string]*jsonschema.Schema{}
	for _, c := range customResources(t, "crds.yaml") {
		var definition struct {
			Group    string
			Names    struct{ Kind string }
			Versions []struct {
				Name   string
				Schema struct {
					OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
				}
			}
		}
		if err := json.Unmarshal(asBytes(t, c.Spec), &definition); err != nil {
			t.Fatal(err)
		}
		schema := definition.Versions[0].Schema.OpenAPIV3Schema
		properties := schema["properties"].(map[string]any)
		for _, name := range []string{"apiVersion", "kind"} {
			properties[name] = map[string]any{"type": "string"}
		}
		properties["metadata"] = map[string]any{"type": "object", "additionalProperties": true}
		closeObjects(schema)
		name := definition.Group + "/" + definition.Versions[0].Name + " " + definition.Names.Kind
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("definition.json", asJSON(t, schema)); err != nil {
			t.Fatal(err)
		}
		compiled, err := compiler.Compile("definition.json")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		schemas[name] = compiled
	}
	return schemas
}

func closeObjects(schema map[string]any) {
	if _, open := schema["additionalProperties"]; schema["type"] == "object" && !open {
		schema["additionalProperties"] = false
	}
	if values, ok := schema["additionalProperties"].(map[string]any); ok {
		closeObjects(values)
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		for _, property := range properties {
			closeObjects(property.(map[string]any))
		}
	}
	if items, ok := schema["items"].(map[string]any); ok {
		closeObjects(items)
	}
}

// Readings of one topic go one way to the cloud: by the data flow of Azure IoT Operations or by the feed's archive.
func TestThereIsOneWayToTheCloud(t *testing.T) {
	for leg, want := range map[string]int{"dataflow": 1, "archive": 0} {
		d, err := load(".", "aio", map[string]any{"cloudLeg": leg})
		if err != nil {
			t.Fatal(err)
		}
		dataflows, destinations, topics := 0, 0, map[any]bool{}
		for _, r := range d.resources {
			if r.left || r.existing || r.kind != "Microsoft.IoTOperations/instances/dataflowProfiles/dataflows" {
				continue
			}
			dataflows++
			for _, operation := range r.body["properties"].(map[string]any)["operations"].([]any) {
				operation := operation.(map[string]any)
				if operation["operationType"] == "Destination" {
					destinations++
				}
				if source, ok := operation["sourceSettings"].(map[string]any); ok {
					for _, topic := range source["dataSources"].([]any) {
						if topics[topic] {
							t.Errorf("two ways take %v", topic)
						}
						topics[topic] = true
					}
				}
			}
		}
		if dataflows != want || destinations != want {
			t.Errorf("cloudLeg %s: %d data flows with %d destinations, want %d", leg, dataflows, destinations, want)
		}
		for _, symbol := range []string{"storageEndpoint", "schema", "schemaVersion", "mayWrite"} {
			if r := d.resource(symbol); r.symbol == "" || r.left != (want == 0) {
				t.Errorf("cloudLeg %s: %s is deployed: %v", leg, symbol, !r.left)
			}
		}
	}
	if _, err := load(".", "aio", map[string]any{"cloudLeg": "both"}); err == nil {
		t.Error("cloudLeg both is taken")
	}
}

func TestTheColumnsAreThoseOfAReading(t *testing.T) {
	d, err := load(".", "aio", nil)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Schema     string `json:"$schema"`
		Type       string
		Properties struct {
			Type   string
			Fields []struct {
				Name     string
				Type     string
				Nullable *bool
				Metadata map[string]any
			}
		}
	}
	decoder := json.NewDecoder(strings.NewReader(d.resource("schemaVersion").body["properties"].(map[string]any)["schemaContent"].(string)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&schema); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"site": "string", "line": "string", "device": "string", "tag": "string", "ts": "string", "seq": "long", "value": "double", "quality": "string"}
	got := map[string]string{}
	for _, field := range schema.Properties.Fields {
		if field.Nullable == nil || field.Metadata == nil {
			t.Errorf("%s lacks nullable or metadata", field.Name)
		}
		got[field.Name] = field.Type
	}
	if schema.Schema != "Delta/1.0" || schema.Type != "object" || schema.Properties.Type != "struct" || !maps.Equal(got, want) {
		t.Errorf("the schema is %+v", schema)
	}
}

func customResources(t *testing.T, names ...string) []customResource {
	t.Helper()
	var all []customResource
	for _, name := range names {
		all = append(all, decode(t, read(t, filepath.Join("aio", name)))...)
	}
	return all
}

func decode(t *testing.T, content string) []customResource {
	t.Helper()
	var all []customResource
	decoder := yaml.NewDecoder(strings.NewReader(content))
	decoder.KnownFields(true)
	for {
		var c customResource
		err := decoder.Decode(&c)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func asBytes(t *testing.T, value any) []byte {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func asJSON(t *testing.T, value any) any {
	t.Helper()
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(asBytes(t, value)))
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}
