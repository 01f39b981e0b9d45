package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/capacity"
	"github.com/kraft-edge/datafeed/internal/kube"
)

const deployDocument = "../../docs/deploy.md"

// shellBlock is a block of commands and the mark before it.
var shellBlock = regexp.MustCompile("(?ms)^<!-- (cluster|run: [a-z]+) -->\n```sh\n(.*?)^```$")

// TestDeployDocumentCommands: the commands of docs/deploy.md that need no cluster are
// run; the others are well-formed, and shellcheck finds nothing. No block is without
// a mark.
func TestDeployDocumentCommands(t *testing.T) {
	if testing.Short() {
		t.Skip("needs shellcheck, which tools/setup.sh installs, and a -short run does not")
	}
	doc := readDocument(t)
	blocks := shellBlock.FindAllStringSubmatch(doc, -1)
	if n := strings.Count(doc, "```sh"); n != len(blocks) || n < 5 {
		t.Fatalf("%d blocks of commands, %d of them marked", n, len(blocks))
	}
	for _, b := range blocks {
		file := filepath.Join(t.TempDir(), "block.sh")
		if err := os.WriteFile(file, []byte("#!/usr/bin/env bash\n"+b[2]), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "shellcheck", file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if out, err := exec.CommandContext(t.Context(), "bash", "-n", file).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		if strings.HasPrefix(b[1], "run") {
			runPrepare(t, file)
		}
	}
}

// runPrepare runs the block that makes a tree and secrets. The tree then renders, and
// RabbitMQ takes the users: those that its definitions give rights to, whose hashes
// are of the passwords.
func runPrepare(t *testing.T, file string) {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(dir, "datafeed")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", file)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if all, err := kube.Render(os.DirFS(filepath.Join(dir, "plant")), "overlays/my-site"); err != nil || len(all) < 20 {
		t.Errorf("%d objects, %v", len(all), err)
	}
	var topology struct{ Permissions []struct{ User string } }
	var users struct {
		Users []struct {
			Name string
			Hash []byte `json:"password_hash"`
			Tags []string
		}
	}
	for name, out := range map[string]any{"plant/base/rabbitmq/topology.json": &topology, "secrets/users.json": &users} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, out); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, data)
		}
	}
	known := make(map[string]bool)
	for _, u := range users.Users {
		known[u.Name] = true
		password, err := os.ReadFile(filepath.Join(dir, "secrets", u.Name))
		if err != nil || len(password) != 48 || len(u.Hash) != 36 {
			t.Fatalf("%s: a password of %d bytes, a hash of %d: %v", u.Name, len(password), len(u.Hash), err)
		}
		sum := sha256.Sum256(append(bytes.Clone(u.Hash[:4]), password...))
		if !bytes.Equal(sum[:], u.Hash[4:]) || (len(u.Tags) == 1) != (u.Name == "operator") {
			t.Errorf("%s: hash %s is of another password; tags %v", u.Name, base64.StdEncoding.EncodeToString(u.Hash), u.Tags)
		}
	}
	for _, p := range topology.Permissions {
		if !known[p.User] {
			t.Errorf("no password is made for the user %s", p.User)
		}
	}
}

// TestDeployDocumentSizing makes the table of docs/deploy.md anew from the shipped
// sites, and compares; with -update it writes it.
func TestDeployDocumentSizing(t *testing.T) {
	const begin, end = "<!-- sizing -->\n", "<!-- end of sizing -->\n"
	site := filepath.Join(t.TempDir(), "site.yaml")
	writeSite(t, "mosquitto", site) // it has all volumes
	var table strings.Builder
	table.WriteString("| Readings/s | MQTT broker, with ingest held | PostgreSQL | Blob Storage | live validation | Mosquitto's subscriber | PostgreSQL's retention needs |\n|---|---|---|---|---|---|---|\n")
	for _, rate := range []string{"50", "100", "250", "500", "1000"} {
		r := reportOf(t, site, rate)
		cells := []string{rate}
		for _, name := range []string{"queue telemetry-mqtt", "queue batches", "stream batches-stream", "queue batches-live", "session of one subscriber"} {
			cells = append(cells, hours(t, r.Stores[name]))
		}
		table.WriteString("| " + strings.Join(append(cells, r.Volumes["postgres"]), " | ") + " |\n")
	}
	doc := readDocument(t)
	before, rest, ok := strings.Cut(doc, begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("the table has no place")
	}
	now := before + begin + table.String() + end + after
	if now == doc {
		return
	}
	if !*update {
		t.Fatalf("the table is another one now (go test ./cmd/feed -run Sizing -update writes it):\n%s", table.String())
	}
	if err := os.WriteFile(deployDocument, []byte(now), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sized is what is read of a report: hours by store, and the wanted sizes of volumes.
type sized struct {
	Stores  map[string]*float64
	Volumes map[string]string
}

// reportOf runs feed capacity.
func reportOf(t *testing.T, site, rate string) sized {
	t.Helper()
	var out, messages bytes.Buffer
	if code := run(context.WithoutCancel(t.Context()), []string{"capacity", site, "--rate", rate, "--target", "1h", "--json"}, strings.NewReader(""), &out, &messages); code > exitFailure {
		t.Fatal(messages.String())
	}
	var r struct {
		Volumes []struct{ Volume, Size, WantedSize string }
		Stores  []struct {
			Store, Volume string
			BridgesHours  *float64
		}
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	s := sized{make(map[string]*float64), make(map[string]string)}
	for _, store := range r.Stores {
		s.Stores[store.Store] = store.BridgesHours
	}
	for _, v := range r.Volumes {
		if v.Size == "" {
			t.Errorf("nobody says how large the volume %s is", v.Volume)
		}
		size, err := capacity.ParseQuantity(v.WantedSize)
		if err != nil {
			t.Fatal(err)
		}
		s.Volumes[v.Volume] = capacity.Readable(size)
	}
	return s
}

func hours(t *testing.T, h *float64) string {
	t.Helper()
	if h == nil {
		t.Fatal("the sites lack a store of the table")
	}
	return capacity.Span(*h * 3600).String()
}

// writeSite renders an overlay of the shipped tree.
func writeSite(t *testing.T, name, file string) {
	t.Helper()
	all, err := kube.Render(deploy.Tree(), "overlays/"+name)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := kube.Write(&out, all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDeployDocumentIsComplete: docs/deploy.md tells of each alert and each overlay,
// and of each Secret that a site in production expects.
func TestDeployDocumentIsComplete(t *testing.T) {
	doc := readDocument(t)
	rules, err := os.ReadFile("../../deploy/k8s/components/observability/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wanted := regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(string(rules), -1)
	for _, site := range []string{"prod", "mosquitto"} {
		file := filepath.Join(t.TempDir(), "site.yaml")
		writeSite(t, site, file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		wanted = append(wanted, regexp.MustCompile(`(?m)^ +secretName: (\S+)$`).FindAllStringSubmatch(string(data), -1)...)
		wanted = append(wanted, []string{"", site})
	}
	if len(wanted) < 30 {
		t.Fatal(wanted)
	}
	for _, w := range wanted {
		if !strings.Contains(doc, "`"+w[1]+"`") {
			t.Errorf("nothing is said of %s", w[1])
		}
	}
}

func readDocument(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile(deployDocument)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}
