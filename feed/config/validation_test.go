package config_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/validate"
)

const goodValidation = `
validate:
  expect: {cloud: {url: "${AMQP_URL}", token: "${TOKEN}"}}
  observe: {tank: {name: left}, store: {}}
  window: 15m
  rules: {tolerance: {relative: 1e-9}, ignore: [seq], tolerate: []}
  state: found.db
`

// TestValidationWithoutRoutes: the section stands alone, and what it does not
// say has its defaults.
func TestValidationWithoutRoutes(t *testing.T) {
	c := parse(t, goodValidation)
	v := c.Validate
	if v.Off() || len(c.Routes) != 0 || len(c.Warnings) != 0 {
		t.Fatalf("%+v, %d routes, warnings %v", v, len(c.Routes), c.Warnings)
	}
	want := validate.DefaultOptions()
	want.Window, want.Rules.Tolerance.Relative = 15*time.Minute, 1e-9
	if v.Window != want.Window || v.Lateness != want.Lateness || v.Rules.Tolerance != want.Rules.Tolerance || !slices.Equal(v.Rules.Ignore, []validate.Field{validate.FieldSeq}) || len(v.Rules.Tolerate) != 0 {
		t.Errorf("options %+v", v.Options)
	}
	if err := compileSchema(t).Validate(asJSON(t, goodValidation)); err != nil {
		t.Error(err)
	}
	if none := parse(t, "routes: {a: {source: {queue: {queue: q}}, sink: {place: {}}}}"); !none.Validate.Off() {
		t.Error("there is a validation that nobody wrote")
	}
}

// TestValidationMakesTheNamedSides: the first observation is the default; what
// cannot be made closes what was made.
func TestValidationMakesTheNamedSides(t *testing.T) {
	var made []*place
	logger := slog.New(slog.DiscardHandler)
	load := func(text string) *config.Config {
		made = nil
		c, err := config.Parse("feed.yaml", []byte(text), registry(t, &made), environment)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for against, want := range map[string]string{"": "tank", "store": "store"} {
		job, err := load(goodValidation).Validation(against, logger)
		if err != nil || job.ExpectName != "cloud" || job.ObserveName != want || job.State != "found.db" || job.Window != 15*time.Minute || len(made) != 2 {
			t.Errorf("against %q: %+v, %d sides, error %v", against, job, len(made), err)
		}
	}
	_, err := load(goodValidation).Validation("stoer", logger)
	if want := `feed.yaml observes no "stoer": did you mean store? valid: tank, store`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	_, err = load(strings.Replace(goodValidation, "name: left", "fail: true", 1)).Validation("", logger)
	if all := (*config.Error)(nil); !errors.As(err, &all) || err.Error() != "feed.yaml:4:13: validate.observe.tank.name: is no tank" {
		t.Errorf("error %v", err)
	}
	if len(made) != 1 || made[0].closed != 1 {
		t.Errorf("%d sides were made, the expectation was closed %d times", len(made), made[0].closed)
	}
}

// TestLoadValidation needs no secret of a route, and says when there is nothing.
func TestLoadValidation(t *testing.T) {
	t.Setenv("CLOUD", "https://cloud")
	file := filepath.Join(t.TempDir(), "feed.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const route = `routes: {a: {source: {queue: {queue: q, password: "${NOBODY_KNOWS}"}}, sink: {place: {}}}}`
	write(route + `
name: line-1
validate: {observe: {store: {}}, expect: {cloud: {url: "${CLOUD}"}}}`)
	c, err := config.LoadValidation(file, registry(t, nil))
	if err != nil || c.Validate.Off() || c.Name != "line-1" || len(c.Routes) != 0 {
		t.Errorf("%+v, error %v", c, err)
	}
	write(route)
	if _, err := config.LoadValidation(file, registry(t, nil)); err == nil || !strings.HasSuffix(err.Error(), "validate: missing (write validate: {expect: {…}, observe: {…}})") {
		t.Errorf("error %v", err)
	}
	if _, err := config.LoadValidation(file+"x", registry(t, nil)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// TestCheckStagesMakesBothSides finds what only the constructors see, in a
// nested stage, too.
func TestCheckStagesMakesBothSides(t *testing.T) {
	var made []*place
	c, err := config.Parse("feed.yaml", []byte(`
routes:
  a:
    source: {queue: {queue: q}}
    sink: {verifier: {every: 1s, expect: {cloud: {url: "x://x", fail: true}}}}
validate:
  expect: {cloud: {url: "x://x"}}
  observe: {store: {}, tank: {fail: true, name: left}}
`), registry(t, &made), environment)
	if err != nil {
		t.Fatal(err)
	}
	want := `feed.yaml:5:43: routes.a.sink.verifier.expect.cloud.token: has expired
feed.yaml:8:43: validate.observe.tank.name: is no tank`
	if err := c.CheckStages(); err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	for i, p := range made {
		if p.closed != 1 {
			t.Errorf("stage %d was closed %d times", i, p.closed)
		}
	}
	if len(made) != 4 { // the source, the expectation twice and the store
		t.Errorf("%d stages were made", len(made))
	}
}

// TestNestedStagesAreDocumented in the keys of the stage around them, and in the
// schema.
func TestNestedStagesAreDocumented(t *testing.T) {
	f, ok := registry(t, nil).Lookup("sink", "verifier")
	if !ok {
		t.Fatal("no verifier")
	}
	keys := config.Keys(f)
	want := []config.Key{
		{Name: "expect", Type: "expectation", Required: true, Doc: "What there should be."},
		{Name: "every", Type: "duration", Default: "0s", Required: true, Doc: "Time between two checks."},
	}
	if len(keys) != 2 || keys[0].Name != want[0].Name || keys[0].Type != want[0].Type || !keys[0].Required || keys[0].Default != "" || keys[1].Name != want[1].Name {
		t.Errorf("keys %+v", keys)
	}
	s := compileSchema(t)
	for text, takes := range map[string]bool{
		`{cloud: {url: "${AMQP_URL}"}}`: true,
		`{cloud: {}}`:                   false,
		`{store: {}}`:                   false,
		`{}`:                            false,
	} {
		file := "routes: {a: {source: {queue: {queue: q}}, sink: {verifier: {every: 1s, expect: " + text + "}}}}"
		if got := s.Validate(asJSON(t, file)) == nil; got != takes {
			t.Errorf("the schema takes %s: %v", text, got)
		}
		if _, err := config.Parse("feed.yaml", []byte(file), registry(t, nil), environment); (err == nil) != takes {
			t.Errorf("Parse of %s: %v", text, err)
		}
	}
}
