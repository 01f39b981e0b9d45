package cloudapi

import (
	"bytes"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// described is the description, with its schemas.
type described struct {
	Paths map[string]map[string]struct {
		Security  []map[string][]Scope
		Responses map[string]describedAnswer
	}
	Components struct {
		Responses map[string]describedAnswer
	}
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

type describedAnswer struct {
	Ref     string `json:"$ref"`
	Headers map[string]json.RawMessage
	Content map[string]json.RawMessage
}

var theDescription = sync.OnceValues(func() (*described, error) {
	var d described
	if err := json.Unmarshal(description, &d); err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(description))
	if err != nil {
		return nil, err
	}
	d.compiler = jsonschema.NewCompiler()
	d.compiler.AssertFormat()
	return &d, d.compiler.AddResource("openapi.json", doc)
})

// checkAnswer holds an answer against the description: its status, its headers,
// its content type and each member of its body.
func checkAnswer(t tb, r *http.Request, got answered) {
	t.Helper()
	d, err := theDescription()
	if err != nil {
		t.Fatal(err)
	}
	method, status := strings.ToLower(r.Method), strconv.Itoa(got.status)
	operation, ok := d.Paths[r.URL.Path][method]
	if !ok {
		t.Fatalf("%s %s is not described", r.Method, r.URL.Path)
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	pointer := "/paths/" + escape.Replace(r.URL.Path) + "/" + method + "/responses/" + status
	a, ok := operation.Responses[status]
	if !ok {
		t.Fatalf("%s %s: answer %s is not described: %s", r.Method, r.URL.Path, status, got.body)
	}
	if name, isRef := strings.CutPrefix(a.Ref, "#/components/responses/"); isRef {
		a, pointer = d.Components.Responses[name], a.Ref[1:]
	}
	for name := range a.Headers {
		if got.header.Get(name) == "" {
			t.Fatalf("%s %s: answer %s has no header %s", r.Method, r.URL.Path, status, name)
		}
	}
	contentType, _, err := mime.ParseMediaType(got.header.Get("Content-Type"))
	if _, ok := a.Content[contentType]; !ok {
		t.Fatalf("%s %s: answer %s has content type %q, error %v", r.Method, r.URL.Path, status, contentType, err)
	}
	d.mu.Lock()
	schema, err := d.compiler.Compile("openapi.json#" + pointer + "/content/" + escape.Replace(contentType) + "/schema")
	d.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	body, err := jsonschema.UnmarshalJSON(bytes.NewReader(got.body))
	if err == nil {
		err = schema.Validate(body)
	}
	if err != nil {
		t.Fatalf("%s %s: answer %s %s is not as described: %v", r.Method, r.URL.Path, status, got.body, err)
	}
}

// TestDescription: what is served is described, with its scope, and nothing else
// is. That answers are as described is checked wherever a test asks.
func TestDescription(t *testing.T) {
	d, err := theDescription()
	if err != nil {
		t.Fatal(err)
	}
	operations := 0
	for _, path := range d.Paths {
		operations += len(path)
	}
	routes := (&Server{}).routes()
	if operations != len(routes) {
		t.Errorf("%d operations are described, there are %d routes", operations, len(routes))
	}
	for _, r := range routes {
		o, ok := d.Paths[r.path][strings.ToLower(r.method)]
		if !ok {
			t.Errorf("%s %s is not described", r.method, r.path)
			continue
		}
		var scope Scope
		for _, s := range o.Security {
			for _, of := range s["oauth2"] {
				scope += of
			}
		}
		if scope != r.scope {
			t.Errorf("%s %s needs scope %q, described is %q", r.method, r.path, r.scope, scope)
		}
	}
	a := start(t, Options{})
	got := a.send(t, a.request(t, "GET", "/openapi.json", "", nil))
	if !bytes.Equal(got.body, description) {
		t.Error("another document is served")
	}
}
