package azure_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
)

// What Azure has, and what the overlays of Kubernetes expect there, are the same names.

func TestTheRegistryTokenPullsWhatTheOverlaysDo(t *testing.T) {
	want := map[string]bool{}
	for _, overlay := range []string{"prod", "mosquitto"} {
		for _, object := range overlayObjects(t, overlay) {
			for _, m := range regexp.MustCompile(`image: example\.azurecr\.io/([^@\s]+)@`).FindAllStringSubmatch(string(object.YAML), -1) {
				want[m[1]] = true
			}
		}
	}
	d, err := load(".", "registry", nil)
	if err != nil {
		t.Fatal(err)
	}
	document := read(t, "../../docs/azure.md")
	var documented []string
	for _, m := range regexp.MustCompile(`(?m)^  --repository (\S+) +content/read metadata/read`).FindAllStringSubmatch(document, -1) {
		documented = append(documented, m[1])
	}
	for _, action := range d.resource("scopeMap").body["properties"].(map[string]any)["actions"].([]any) {
		repository := strings.TrimSuffix(strings.TrimPrefix(action.(string), "repositories/"), "/content/read")
		if strings.HasSuffix(repository, "/metadata/read") {
			continue
		}
		if !want[repository] {
			t.Errorf("the token pulls %s, which no overlay does", repository)
		}
		if !slices.Contains(documented, repository) {
			t.Errorf("the commands of docs/azure.md leave out %s", repository)
		}
		delete(want, repository)
	}
	for repository := range want {
		t.Errorf("the token does not pull %s", repository)
	}
}

func TestTheIdentitiesAreOfTheServiceAccountsThatShowThem(t *testing.T) {
	d, err := load(".", "identity", nil)
	if err != nil {
		t.Fatal(err)
	}
	trusted := map[string]bool{}
	for _, r := range d.resources {
		if strings.HasSuffix(r.kind, "/federatedIdentityCredentials") {
			trusted[r.body["properties"].(map[string]any)["subject"].(string)] = true
		}
	}
	shown := 0
	for _, object := range overlayObjects(t, "prod") {
		if object.Kind != "ServiceAccount" || !strings.Contains(string(object.YAML), "azure.workload.identity/client-id") {
			continue
		}
		shown++
		if subject := fmt.Sprintf("system:serviceaccount:%s:%s", object.Namespace, object.Name); !trusted[subject] {
			t.Errorf("Azure trusts no %s", subject)
		}
	}
	if shown != len(trusted) {
		t.Errorf("%d ServiceAccounts show an identity, and %d are trusted", shown, len(trusted))
	}
}

// Mosquitto connects to the listener that relay.bicep makes, with the name that may connect, and publishes what it may.
func TestMosquittoMayHandOn(t *testing.T) {
	var conf string
	for _, object := range overlayObjects(t, "mosquitto") {
		var configMap struct{ Data map[string]string }
		if object.Kind != "ConfigMap" || !strings.HasPrefix(object.Name, "mosquitto-relay-config") {
			continue
		}
		if err := yaml.Unmarshal(object.YAML, &configMap); err != nil {
			t.Fatal(err)
		}
		conf = configMap.Data["relay.conf"]
	}
	d, err := load(".", "relay", nil)
	if err != nil {
		t.Fatal(err)
	}
	listener := d.resource("listener").body["properties"].(map[string]any)
	port := listener["ports"].([]any)[0].(map[string]any)
	names := port["tls"].(map[string]any)["certManagerCertificateSpec"].(map[string]any)["san"].(map[string]any)["dns"].([]any)
	host, number, _ := strings.Cut(setting(t, conf, "address"), ":")
	if !slices.Contains(names, any(host)) || number != fmt.Sprint(port["port"]) || !strings.HasPrefix(host, fmt.Sprint(listener["serviceName"], ".")) {
		t.Errorf("Mosquitto connects to %s:%s, and the listener is %v", host, number, listener)
	}
	rules := d.resource("authorization").body["properties"].(map[string]any)["authorizationPolicies"].(map[string]any)["rules"].([]any)
	resources := rules[0].(map[string]any)["brokerResources"].([]any)
	if ids := resources[0].(map[string]any)["clientIds"].([]any); !slices.Equal(ids, []any{setting(t, conf, "remote_clientid")}) {
		t.Errorf("%v may connect, and Mosquitto does as %s", ids, setting(t, conf, "remote_clientid"))
	}
	topic, _, _ := strings.Cut(setting(t, conf, "topic"), " ")
	if topics := resources[1].(map[string]any)["topics"].([]any); !slices.Equal(topics, []any{topic}) {
		t.Errorf("%v may be published, and Mosquitto hands on %s", topics, topic)
	}
}

// bridge connects to the listener that aio.bicep makes, shows a token of its audience and the attribute of its rule, and
// may leave by its port.
func TestBridgeMayPublish(t *testing.T) {
	d, err := load(".", "aio", nil)
	if err != nil {
		t.Fatal(err)
	}
	listener := d.resource("listener").body["properties"].(map[string]any)
	port := listener["ports"].([]any)[0].(map[string]any)
	names := port["tls"].(map[string]any)["certManagerCertificateSpec"].(map[string]any)["san"].(map[string]any)["dns"].([]any)
	methods := d.resource("authentication").body["properties"].(map[string]any)["authenticationMethods"].([]any)
	audiences := methods[0].(map[string]any)["serviceAccountTokenSettings"].(map[string]any)["audiences"].([]any)
	rules := d.resource("authorization").body["properties"].(map[string]any)["authorizationPolicies"].(map[string]any)["rules"].([]any)
	attributes := rules[0].(map[string]any)["principals"].(map[string]any)["attributes"].([]any)[0].(map[string]any)
	topics := rules[0].(map[string]any)["brokerResources"].([]any)[1].(map[string]any)["topics"].([]any)

	root := strings.TrimSuffix(topics[0].(string), "/#")
	want := map[string]string{
		"ConfigMap site":                               fmt.Sprintf("mqtt-url: mqtts://%s:%d\n", names[0], port["port"]),
		"ConfigMap bridge-config":                      "topic: " + root + "/",
		"Deployment bridge":                            fmt.Sprintf("audience: %s\n", audiences[0]),
		"ServiceAccount bridge":                        fmt.Sprintf("aio-broker-auth/datafeed: %s\n", attributes["datafeed"]),
		"NetworkPolicy bridge-to-azure-iot-operations": fmt.Sprintf("port: %d\n", port["port"]),
	}
	for _, object := range overlayObjects(t, "prod") {
		for id, part := range want {
			if kind, name, _ := strings.Cut(id, " "); object.Kind != kind || object.Name != name && !regexp.MustCompile(`^`+name+`-[a-z0-9]{10}$`).MatchString(object.Name) {
				continue
			}
			if !strings.Contains(string(object.YAML), part) {
				t.Errorf("%s has no %q, which Azure expects:\n%s", id, part, object.YAML)
			}
			delete(want, id)
		}
	}
	for id := range want {
		t.Errorf("prod has no %s", id)
	}
}

func setting(t *testing.T, conf, key string) string {
	t.Helper()
	for line := range strings.Lines(conf) {
		if value, ok := strings.CutPrefix(line, key+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	t.Fatalf("Mosquitto's file says nothing of %s:\n%s", key, conf)
	return ""
}

// The example parameters leave the data flow out as long as the overlays have archive.
func TestTheOverlaysAndTheParametersAgreeOnTheWayToTheCloud(t *testing.T) {
	d, err := load(".", "aio", nil)
	if err != nil {
		t.Fatal(err)
	}
	archive := slices.ContainsFunc(overlayObjects(t, "prod"), func(o kube.Object) bool { return o.Kind == "Deployment" && o.Name == "archive" })
	if dataflow := !d.resource("dataflow").left; archive == dataflow {
		t.Errorf("archive is deployed: %v, a data flow: %v; one of both should be", archive, dataflow)
	}
}

func overlayObjects(t *testing.T, overlay string) []kube.Object {
	t.Helper()
	objects, err := kube.Render(deploy.Tree(), "overlays/"+overlay)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
