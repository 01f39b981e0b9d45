package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestValidateExample sends batches, of which some are damaged, repeated or late,
// through the example feeds ingest.yaml and archive.yaml, and undisturbed to the
// cloud API. validate.yaml proves that Azure and PostgreSQL have what the API
// tells; when the API lies, it finds these lies and nothing else.
func TestValidateExample(t *testing.T) {
	t.Parallel() // it waits most of the time
	const n = 15_000
	vhost, container, db := testenv.RabbitMQ(t), testenv.Azurite(t), testenv.PostgreSQL(t)
	api, err := cloudapi.Start(cloudapi.Options{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	}()
	env := append(ingestEnv(vhost.URL(), db), "AZURE_STORAGE_CONNECTION_STRING="+container.ConnectionString())
	archive := newExample(t, "archive.yaml", env, "container: telemetry", "container: "+container.ContainerName, "maxDelay: 1m", "maxDelay: 200ms")
	archive.start()
	archive.ready()
	ingest := newExample(t, "ingest.yaml", env)
	ingest.start()
	ingest.ready()

	// Two hours of five devices, from the beginning of an hour on.
	start := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Hour)
	command(t, nil, 0, "simulate", "--url", vhost.URL(), "--api", api.URL(), "--client-id", "device", "--client-secret-file", cloudapi.SecretPath(api.Path(), "device"),
		"--devices", "5", "--rate", "0", "--period", "20s", "--batch-every", "1m", "--codec", "mixed", "--count", fmt.Sprint(n), "--start", start.Format(time.RFC3339),
		"--chaos", "within=3,corrupt=1%,duplicate=2%,reorder=2%")
	testenv.Eventually(t, time.Minute, "all readings to be handed on", func() bool {
		s, err := ingest.status()
		return err == nil && s.Routes[0].Produced.Delivered >= n && s.Routes[0].Deliveries.InFlight == 0
	})
	awaitCommitted(t, archive, 1, int64(account(t, ingest, "ingest").Produced.Delivered)-1)
	for _, p := range []*feedProcess{ingest, archive} {
		if code, took := p.terminate(); code != 0 {
			t.Errorf("exit code %d after %v", code, took)
		}
	}

	text, err := os.ReadFile("../../examples/feeds/validate.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "validate.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	secret, err := os.ReadFile(cloudapi.SecretPath(api.Path(), "validator"))
	if err != nil {
		t.Fatal(err)
	}
	env = append(env, "CLOUD_URL="+api.URL(), "CLOUD_SECRET="+strings.TrimSpace(string(secret)), "CONTAINER="+container.ContainerName)
	check := func(code int, flags ...string) validate.Result {
		t.Helper()
		var r validate.Result
		flags = append(flags, "--from", start.Format(time.RFC3339), "--to", start.Add(time.Hour).Format(time.RFC3339), "--json")
		out := command(t, env, code, append([]string{"validate", file}, flags...)...)
		if err := json.Unmarshal(out, &r); err != nil {
			t.Fatalf("%v:\n%s", err, out)
		}
		t.Logf("%s: %+v, %+v, %+v", r.Outcome, r.Counts, r.Expectation.Costs, r.Observation.Costs)
		return r
	}
	r := check(0)
	if c := r.Counts; r.Outcome != validate.Proven || c.Expected < n/3 || c.Matched != c.Expected || c.Observed != c.Matched+c.Duplicate || len(r.Discrepancies) > int(c.Duplicate+c.OutOfOrder+c.Late) {
		t.Errorf("%s: %+v, because %v", r.Outcome, c, r.Reasons)
	}

	// PostgreSQL has each reading once.
	r = check(0, "--against", "postgres")
	if c := r.Counts; r.Outcome != validate.Proven || c.Matched != c.Expected || c.Observed != c.Expected || r.Observation.Name != "postgres" {
		t.Errorf("%s: %+v, because %v", r.Outcome, c, r.Reasons)
	}

	told := lieAboutReadings(t, api, `{"seed": 7, "drop": 4, "alter": 3, "duplicate": 2, "late": 1, "lateFor": "1h"}`)
	r = check(1)
	want := map[string]validate.Verdict{}
	for _, l := range told {
		switch l.Kind {
		case "drop", "late": // the API does not tell what the feed has delivered
			want[l.Truth.key()] = validate.Extra
		case "alter":
			want[l.Truth.key()] = validate.Altered
		}
	}
	found := map[string]validate.Verdict{}
	for _, d := range r.Discrepancies {
		if d.Verdict == validate.Extra || d.Verdict == validate.Altered || d.Verdict == validate.Missing {
			found[identity{d.Device, d.Tag, d.Time.UTC().Format(time.RFC3339Nano), d.Seq}.key()] = d.Verdict
		}
	}
	if len(want) != 8 || !maps.Equal(found, want) {
		t.Errorf("found %v\nwant  %v", found, want)
	}
	if c := r.Counts; r.Outcome != validate.Discrepant || c.Extra != 5 || c.Altered != 3 || c.Missing != 0 || c.Repeated != 2 {
		t.Errorf("%s: %+v, because %v", r.Outcome, c, r.Reasons)
	}
}

// identity is what a reading is known by.
type identity struct {
	Device, Tag, TS string
	Seq             uint64
}

func (r identity) key() string { return fmt.Sprintf("%s/%s/%s/%d", r.Device, r.Tag, r.TS, r.Seq) }

// lie is what the stand-in for the cloud API says of one.
type lie struct {
	Kind  string
	Truth identity
}

// lieAboutReadings sets the faults of an API, and returns its lies.
func lieAboutReadings(t *testing.T, api *cloudapi.Server, faults string) []lie {
	t.Helper()
	i := slices.IndexFunc(api.Clients(), func(c cloudapi.Client) bool { return slices.Contains(c.Scopes, cloudapi.ScopeAdmin) })
	admin := api.Clients()[i]
	secret, err := admin.Secret.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(r *http.Request, err error, into any) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode/100 != 2 {
			t.Fatalf("%s: %s: %s, error %v", r.URL, resp.Status, body, err)
		}
		if into != nil {
			if err := json.Unmarshal(body, into); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
		}
	}
	var token struct {
		Access string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {admin.ID}, "client_secret": {secret}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api.URL()+"/oauth2/token", strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	ask(r, err, &token)
	var said struct{ Lies []lie }
	for _, method := range []string{http.MethodPut, http.MethodGet} {
		r, err := http.NewRequestWithContext(t.Context(), method, api.URL()+"/admin/faults", strings.NewReader(faults))
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+token.Access)
		}
		said.Lies = nil
		ask(r, err, &said)
	}
	return said.Lies
}

// command runs the feed's binary to its end, demands its exit code, and returns
// what it printed.
func command(t *testing.T, env []string, code int, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), feedBinary, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != code {
		t.Fatalf("feed %s: %v, want exit code %d:\n%s%s", args[0], err, code, out.Bytes(), errs.Bytes())
	}
	return out.Bytes()
}
