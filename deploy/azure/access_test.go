package azure_test

import (
	"slices"
	"strings"
	"testing"
)

// The least that the feed needs, and nothing else: who may do what, and where.

func TestTheRegistryTokenPullsTheseRepositoriesAlone(t *testing.T) {
	repositories := []any{"datafeed/feed", "datafeed/rabbitmq"}
	d, err := load(".", "registry", map[string]any{"repositories": repositories})
	if err != nil {
		t.Fatal(err)
	}
	want := []any{
		"repositories/datafeed/feed/content/read", "repositories/datafeed/feed/metadata/read",
		"repositories/datafeed/rabbitmq/content/read", "repositories/datafeed/rabbitmq/metadata/read",
	}
	scopeMap := d.resource("scopeMap")
	if got := scopeMap.body["properties"].(map[string]any)["actions"].([]any); !slices.Equal(got, want) {
		t.Errorf("the actions are %v", got)
	}
	token := d.resource("token").body["properties"].(map[string]any)
	if token["scopeMapId"] != "scopeMap.id" || token["status"] != "enabled" || len(token) != 2 {
		t.Errorf("the token is %v", token)
	}
	for _, r := range []resource{scopeMap, d.resource("token")} {
		if len(r.name) < 5 || len(r.name) > 50 || r.parent != "registry" {
			t.Errorf("%s is called %q, in %q; a name has 5 to 50 characters", r.symbol, r.name, r.parent)
		}
	}
}

// The namespace of Azure IoT Operations has no policy of ours: who may use our listeners, they say themselves.
func TestListenersKnowWhoComes(t *testing.T) {
	for _, file := range []string{"aio", "relay"} {
		d, err := load(".", file, nil)
		if err != nil {
			t.Fatal(err)
		}
		listener := d.resource("listener").body["properties"].(map[string]any)
		if listener["serviceType"] != "ClusterIp" {
			t.Errorf("%s.bicep: the listener is reached as a %v, from outside of the cluster", file, listener["serviceType"])
		}
		for _, port := range listener["ports"].([]any) {
			port := port.(map[string]any)
			tls, _ := port["tls"].(map[string]any)
			if tls["mode"] != "Automatic" || port["authenticationRef"] != d.resource("authentication").name || port["authorizationRef"] != d.resource("authorization").name {
				t.Errorf("%s.bicep: the port is open to strangers, or to their ears: %v", file, port)
			}
		}
	}
}

func TestRolesAreOfTheContainerAlone(t *testing.T) {
	const contributor, reader = "ba92f5b4-2d11-453d-a403-e96b0029c9fe", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
	for _, c := range []struct {
		file, symbol, principal, role string
	}{
		{"aio", "mayWrite", "00000000-0000-0000-0000-000000000000", contributor},
		{"identity", "archiveMayWrite", "archive.properties.principalId", contributor},
		{"identity", "validateMayRead", "validate.properties.principalId", reader},
	} {
		d, err := load(".", c.file, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := d.resource(c.symbol)
		properties, ok := r.body["properties"].(map[string]any)
		if !ok {
			t.Errorf("%s.bicep has no %s", c.file, c.symbol)
			continue
		}
		if r.body["scope"] != "container" || properties["principalId"] != c.principal || !strings.Contains(properties["roleDefinitionId"].(string), `"`+c.role+`"`) {
			t.Errorf("%s is %v", c.symbol, r.body)
		}
	}
	count := 0
	for _, name := range []string{"broker", "aio", "relay", "identity", "registry"} {
		d, err := load(".", name, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range d.resources {
			if r.kind == "Microsoft.Authorization/roleAssignments" {
				count++
			}
		}
	}
	if count != 3 {
		t.Errorf("there are %d role assignments, 3 of which are looked at here", count)
	}
}

func TestIdentitiesTrustOneServiceAccountEach(t *testing.T) {
	d, err := load(".", "identity", map[string]any{"namespaceName": "st-one", "siteName": "north"})
	if err != nil {
		t.Fatal(err)
	}
	for _, component := range []string{"archive", "validate"} {
		trust := d.resource(component + "Trusts")
		properties, ok := trust.body["properties"].(map[string]any)
		if !ok || trust.parent != component || properties["subject"] != "system:serviceaccount:st-one:"+component ||
			!slices.Equal(properties["audiences"].([]any), []any{"api://AzureADTokenExchange"}) {
			t.Errorf("%s trusts %v", component, trust.body)
		}
		if name := d.resource(component).name; name != "datafeed-north-"+component {
			t.Errorf("the identity of %s is called %s", component, name)
		}
		if d.outputs[component+"ClientId"] != component+".properties.clientId" {
			t.Errorf("the client id of %s is no output", component)
		}
	}
}
