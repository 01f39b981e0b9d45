package apitest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// namespace is where the feed is deployed.
const namespace = "st-one"

// A cluster is the API server, as far as these tests talk to it: by its plain HTTP interface.
type cluster struct {
	server *testenv.APIServer
	kinds  map[string]kind // by API version and kind
}

// A kind is what the API server says of a kind of objects.
type kind struct {
	Name       string // in the address: deployments
	Kind       string
	Namespaced bool
}

// An answer is what the API server says to a request.
type answer struct {
	status   int
	body     any
	warnings []string
}

// refusal is empty when the request was granted.
func (a answer) refusal() string {
	if a.status < http.StatusBadRequest {
		return ""
	}
	return fmt.Sprintf("%d: %v", a.status, at(a.body, "message"))
}

// send sends a body that is JSON or YAML.
func (c *cluster) send(t *testing.T, method, address string, body []byte, header http.Header) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, c.server.URL+address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}
	if request.Header.Get("Content-Type") == "" {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Authorization", "Bearer "+c.server.Token)
	response, err := c.server.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode, warnings: response.Header.Values("Warning")}
	if err := json.Unmarshal(content, &a.body); err != nil {
		t.Fatalf("%s %s: %s: %s", method, address, response.Status, content)
	}
	return a
}

// address is where the object is, or fails the test when the API server knows no such kind.
func (c *cluster) address(t *testing.T, o kube.Object) string {
	t.Helper()
	prefix := path.Join("/apis", o.APIVersion)
	if !strings.Contains(o.APIVersion, "/") {
		prefix = path.Join("/api", o.APIVersion)
	}
	id := o.APIVersion + " " + o.Kind
	if c.kinds[id] == (kind{}) {
		var served struct{ Resources []kind }
		decode(t, c.send(t, http.MethodGet, prefix, nil, nil).body, &served)
		for _, k := range served.Resources {
			if !strings.Contains(k.Name, "/") {
				c.kinds[o.APIVersion+" "+k.Kind] = k
			}
		}
	}
	k, known := c.kinds[id]
	switch {
	case !known:
		t.Fatalf("%s: the API server knows no such kind: definitions_test.go says which it is given", o.ID())
	case k.Namespaced != (o.Namespace != ""):
		t.Fatalf("%s: its namespace is %q, and its kind has one: %v", o.ID(), o.Namespace, k.Namespaced)
	case k.Namespaced:
		return path.Join(prefix, "namespaces", o.Namespace, k.Name, o.Name)
	}
	return path.Join(prefix, k.Name, o.Name)
}

// apply does what kubectl apply --server-side --validate=strict does. Further settings are those of the request.
func (c *cluster) apply(t *testing.T, o kube.Object, settings ...string) answer {
	t.Helper()
	query := url.Values{"fieldManager": {"datafeed"}, "fieldValidation": {"Strict"}}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, "=")
		query.Set(name, value)
	}
	return c.send(t, http.MethodPatch, c.address(t, o)+"?"+query.Encode(), o.YAML, http.Header{"Content-Type": {"application/apply-patch+yaml"}})
}

// accepts applies an object, and fails the test when the API server refuses it, warns of it, or takes less than it was
// given. It returns the object as the API server has it.
func (c *cluster) accepts(t *testing.T, o kube.Object) any {
	t.Helper()
	answer := c.apply(t, o)
	if refusal := answer.refusal(); refusal != "" {
		t.Fatalf("%s is refused: %s", o.ID(), refusal)
	}
	for _, warning := range answer.warnings {
		t.Errorf("%s: the API server warns: %s", o.ID(), warning)
	}
	got := c.get(t, o).body
	for _, difference := range missing(fields(t, o), got, "") {
		t.Errorf("%s: %s", o.ID(), difference)
	}
	return got
}

// acceptsAll applies the objects, and then again, which must change none of them. It returns them as the API server has
// them.
func (c *cluster) acceptsAll(t *testing.T, objects []kube.Object) []any {
	t.Helper()
	var first []any
	for _, o := range objects {
		first = append(first, c.accepts(t, o))
	}
	for i, o := range objects {
		second := c.accepts(t, o)
		// An object whose status the API server has filled in itself, such as a claim's, is stored anew the second time, and
		// says the same.
		if !reflect.DeepEqual(withoutVersion(first[i]), withoutVersion(second)) {
			t.Errorf("%s: applied again, it changes: %v", o.ID(), slices.Concat(missing(withoutVersion(first[i]), second, ""), missing(withoutVersion(second), first[i], "")))
		}
		if third := c.accepts(t, o); !reflect.DeepEqual(second, third) {
			t.Errorf("%s: applied a third time, it changes from version %v to %v", o.ID(), at(second, "metadata", "resourceVersion"), at(third, "metadata", "resourceVersion"))
		}
	}
	return first
}

func withoutVersion(object any) any {
	all := maps.Clone(object.(map[string]any))
	metadata := maps.Clone(all["metadata"].(map[string]any))
	delete(metadata, "resourceVersion")
	all["metadata"] = metadata
	return all
}

func (c *cluster) get(t *testing.T, o kube.Object) answer {
	t.Helper()
	return c.send(t, http.MethodGet, c.address(t, o), nil, nil)
}

// create makes an object that the API server names, or decides upon.
func (c *cluster) create(t *testing.T, address string, object any, header http.Header) answer {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return c.send(t, http.MethodPost, address, body, header)
}

// createNamespaces makes namespaces that somebody else has made where the feed is deployed.
func (c *cluster) createNamespaces(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		object := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}
		if refusal := c.create(t, "/api/v1/namespaces", object, nil).refusal(); refusal != "" {
			t.Fatal(refusal)
		}
	}
}

// remove deletes what is there of the objects: namespaces after what is in them.
func (c *cluster) remove(t *testing.T, renderings ...[]kube.Object) {
	t.Helper()
	for _, namespaces := range []bool{false, true} {
		for _, o := range slices.Concat(renderings...) {
			if (o.Kind == "Namespace") == namespaces {
				c.delete(t, o, "Background")
			}
		}
	}
}

// delete deletes an object if it is there, and does what controllers would have to: it ends what finalizers wait for.
func (c *cluster) delete(t *testing.T, o kube.Object, propagation string) {
	t.Helper()
	address := c.address(t, o)
	done := c.send(t, http.MethodDelete, address, []byte(`{"propagationPolicy": "`+propagation+`"}`), nil)
	if done.status == http.StatusNotFound {
		return
	}
	if done.refusal() == "" && c.get(t, o).status == http.StatusOK {
		if o.Kind == "Namespace" {
			done = c.send(t, http.MethodPut, address+"/finalize", []byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "`+o.Name+`"}, "spec": {}}`), nil)
		} else {
			done = c.merge(t, address, `{"metadata": {"finalizers": null}}`)
		}
	}
	if done.refusal() != "" {
		t.Errorf("%s cannot be deleted: %s", o.ID(), done.refusal())
	}
	if left := c.get(t, o); left.status != http.StatusNotFound {
		t.Errorf("%s is still there after it was deleted", o.ID())
	}
}

// merge changes fields of what is at an address.
func (c *cluster) merge(t *testing.T, address, patch string) answer {
	t.Helper()
	return c.send(t, http.MethodPatch, address, []byte(patch), http.Header{"Content-Type": {"application/merge-patch+json"}})
}
