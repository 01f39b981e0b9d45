package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/capacity"
	"github.com/kraft-edge/datafeed/internal/kube"
)

const deployDocument = "../../docs/deploy.md"

// shellBlock is a block of commands and the mark before it.
var shellBlock = regexp.MustCompile("(?ms)^<!-- (cluster|cluster: secrets|azure|run: [a-z-]+) -->\n```sh\n(.*?)^```$")

// TestDeployDocumentsAreMarked: each block of commands says whether it is run, or what it
// needs for that, and shellcheck finds nothing in any.
func TestDeployDocumentsAreMarked(t *testing.T) {
	if testing.Short() {
		t.Skip("needs shellcheck, which tools/setup.sh installs, and a -short run does not")
	}
	for _, name := range []string{deployDocument, "../../docs/fleet.md", "../../docs/azure.md"} {
		doc, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		blocks := shellBlock.FindAllStringSubmatch(string(doc), -1)
		if n := strings.Count(string(doc), "```sh") + strings.Count(string(doc), "```bash"); n != len(blocks) || n == 0 {
			t.Errorf("%s: %d blocks of commands, %d of them marked", name, n, len(blocks))
		}
		for _, b := range blocks {
			file := filepath.Join(t.TempDir(), "block.sh")
			if err := os.WriteFile(file, []byte("#!/bin/sh\n"+b[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.CommandContext(t.Context(), "shellcheck", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			uses := regexp.MustCompile(`(?m)(^|[|&;] *|\()(kubectl|az|skopeo) `).MatchString(b[2])
			if runs := strings.HasPrefix(b[1], "run"); runs == uses {
				t.Errorf("%s: a block is marked %s, and needs a cluster or Azure: %v\n%s", name, b[1], uses, b[2])
			}
		}
	}
}

// shells are those that people have as sh. What is marked as such runs in each, to its first mistake.
var shells = map[string][]string{"bash": {"-euo", "pipefail", "-c"}, "dash": {"-eu", "-c"}}

// TestDeployDocumentCommands runs the commands of docs/deploy.md that need no cluster, one
// block after the other.
func TestDeployDocumentCommands(t *testing.T) {
	for shell := range shells {
		t.Run(shell, func(t *testing.T) { runDeployDocument(t, shell) })
	}
}

func runDeployDocument(t *testing.T, shell string) {
	t.Helper()
	dir := t.TempDir()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(root, filepath.Join(dir, "datafeed")); err != nil {
		t.Fatal(err)
	}
	after := map[string]func(t *testing.T, dir, out string){
		"run: prepare": prepared,
		"run: render":  renderedPlant,
		"run: upgrade": upgraded,
	}
	for _, b := range shellBlock.FindAllStringSubmatch(readDocument(t), -1) {
		if !strings.HasPrefix(b[1], "run") {
			continue
		}
		look, known := after[b[1]]
		if !known {
			t.Fatalf("nobody looks at what %s does", b[1])
		}
		delete(after, b[1])
		cmd := exec.CommandContext(t.Context(), shell, append(slices.Clone(shells[shell]), b[2])...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AMQP_URL=bogus", "MQTT_URL=mqtt://127.0.0.1:1883") // left from another work
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", b[1], err, out)
		}
		look(t, dir, string(out))
	}
	if len(after) > 0 {
		t.Errorf("the document lacks %d blocks", len(after))
	}
}

// digestsOfExamples matches what is warned of the digests that a plant has yet to write.
var digestsOfExamples = regexp.MustCompile(`(?m)^warning: the image planta\.azurecr\.io/datafeed/[a-z]+@sha256:0+\d has the digest of an example.*\n`)

// renderedPlant sees that what is to be applied is the site, and changes the tree.
func renderedPlant(t *testing.T, dir, out string) {
	t.Helper()
	if !strings.Contains(out, "8.0 h are to be bridged") || regexp.MustCompile("(?m)^warning").MatchString(digestsOfExamples.ReplaceAllString(out, "")) {
		t.Errorf("feed capacity says\n%s", out)
	}
	plant := filepath.Join(dir, "plant")
	sameSite(t, dir)
	const limit, more = "limits: {cpu: \"1\", memory: 256Mi}", "limits: {cpu: \"1\", memory: 300Mi}"
	file := filepath.Join(plant, "base/bridge/bridge.yaml")
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), limit) {
		t.Fatalf("%v in\n%s", err, text)
	}
	if err := os.WriteFile(file, bytes.Replace(text, []byte(limit), []byte(more), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

// upgraded sees that the change was shown, and is in what is to be applied.
func upgraded(t *testing.T, dir, out string) {
	t.Helper()
	if !strings.Contains(out, "+            memory: 300Mi") || !strings.Contains(out, "1 object differs") {
		t.Errorf("feed deploy diff says\n%s", out)
	}
	sameSite(t, dir)
}

// TestDeployDiffDeletes: what the site has no more stays in the cluster until somebody deletes it, and the command for that is
// told; what holds data is nobody's to delete in passing.
func TestDeployDiffDeletes(t *testing.T) {
	before := filepath.Join(t.TempDir(), "before.yaml")
	writeSite(t, "prod", before)
	f, err := os.OpenFile(before, os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(`---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: old-way-out, namespace: st-one}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: old-data, namespace: st-one}}
`)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	var out, messages bytes.Buffer
	if code := run(context.WithoutCancel(t.Context()), []string{"deploy", "diff", "--site", "prod", before}, strings.NewReader(""), &out, &messages); code != exitFailure {
		t.Fatal(code, messages.String())
	}
	const want = `
kubectl -n st-one delete networkpolicy.v1.networking.k8s.io old-way-out
# with all that is kept there: kubectl -n st-one delete persistentvolumeclaim old-data
`
	if !strings.HasSuffix(out.String(), want) {
		t.Errorf("it ends without the commands:\n%s", out.String())
	}
}

// sameSite wants site.yaml to be what the tree renders to.
func sameSite(t *testing.T, dir string) {
	t.Helper()
	want, err := kube.Render(os.DirFS(filepath.Join(dir, "plant")), "overlays/my-site")
	if err != nil {
		t.Fatal(err)
	}
	got, err := kube.ReadRendered(filepath.Join(dir, "site.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if differences := kube.Diff(want, got); len(differences) > 0 || len(got) < 20 {
		t.Errorf("site.yaml has %d objects, of which %d are not those of the tree", len(got), len(differences))
	}
}

// prepared sees that RabbitMQ takes the users: those that its definitions give rights to, whose
// hashes are of the passwords.
func prepared(t *testing.T, dir, _ string) {
	t.Helper()
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

// TestDeployCapacityOfEachSite: each site that is shipped can be reckoned with, whatever else it
// has volumes for.
func TestDeployCapacityOfEachSite(t *testing.T) {
	sites, err := kube.Sites(deploy.Tree())
	if err != nil || len(sites) < 6 {
		t.Fatal(sites, err)
	}
	for _, name := range sites {
		site := filepath.Join(t.TempDir(), "site.yaml")
		writeSite(t, name, site)
		if r := reportOf(t, site, "250"); r.Stores["queue batches"] == nil || r.Volumes["postgres"] == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestJobsLookBackOverOutages: what an outage has held up is compared when it has come. A run looks back for as long as
// anything waits at 250 readings/s, and for the twelve hours until the next one.
func TestJobsLookBackOverOutages(t *testing.T) {
	file := filepath.Join(t.TempDir(), "site.yaml")
	writeSite(t, "site-example-b", file)
	r := reportOf(t, file, "250")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	jobs := regexp.MustCompile(`(?m)^ +- --last\n +- (\w+)$`).FindAllSubmatch(text, -1)
	twiceADay := regexp.MustCompile(`(?m)^  schedule: \d+ \d+,\d+ \* \* \*$`).FindAll(text, -1)
	if len(jobs) != 2 || len(twiceADay) != len(jobs) {
		t.Fatalf("%d jobs, %d of them twice a day", len(jobs), len(twiceADay))
	}
	for _, job := range jobs {
		last, err := time.ParseDuration(string(job[1]))
		if err != nil {
			t.Fatal(err)
		}
		for _, waiting := range []string{"stream batches-stream", "queue batches"} {
			if bridged := r.Stores[waiting]; bridged == nil || last.Hours() < *bridged+12 {
				t.Errorf("a job looks back for %v, and something may come that has waited in the %s for %.0f h", last, waiting, *bridged)
			}
		}
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
