package main

import (
	"bytes"
	"crypto/x509"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/deploy"
	"github.com/kraft-edge/datafeed/internal/kube"
	"github.com/kraft-edge/datafeed/internal/ociimage"
)

// elsewhere copies the program of the tests into a directory of its own, and goes
// there.
func elsewhere(t *testing.T) {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("testdata", "hello", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"main.go": source, "go.mod": []byte("module example.org/hello\n\ngo 1.26.0\n")} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func built(t *testing.T, architectures ...string) []byte {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	defer t.Chdir(here)
	elsewhere(t)
	if err := build(t.Context(), "image.tar", "registry.example:5000/hello:1", ".", architectures); err != nil {
		t.Fatal(err)
	}
	archive, err := os.ReadFile("image.tar")
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// The image is the same wherever it is built, and skopeo, which checks each
// digest and size, unpacks it.
func TestImage(t *testing.T) {
	if testing.Short() {
		t.Skip("needs skopeo, which a -short run does not expect")
	}
	first := built(t, "amd64")
	if !bytes.Equal(first, built(t, "amd64")) {
		t.Error("two builds in two directories differ")
	}
	dir := t.TempDir()
	archive := filepath.Join(dir, "image.tar")
	if err := os.WriteFile(archive, first, 0o600); err != nil {
		t.Fatal(err)
	}
	skopeo := func(args ...string) []byte {
		out, err := exec.CommandContext(t.Context(), "skopeo", args...).CombinedOutput()
		if err != nil {
			t.Fatalf("skopeo %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	skopeo("--insecure-policy", "copy", "--all", "oci-archive:"+archive+":1", "dir:"+filepath.Join(dir, "copied"))
	var config struct {
		Architecture string
		Config       struct {
			User       string
			Entrypoint []string
			Cmd        []string
			WorkingDir string
		}
	}
	if err := json.Unmarshal(skopeo("--override-arch", "amd64", "inspect", "--config", "oci-archive:"+archive+":1"), &config); err != nil {
		t.Fatal(err)
	}
	dockerfile, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	said := func(instruction string) string {
		m := regexp.MustCompile(`(?m)^`+instruction+` (.*)$`).FindAllStringSubmatch(string(dockerfile), -1)
		if len(m) == 0 {
			t.Fatalf("the Dockerfile has no %s", instruction)
		}
		return m[len(m)-1][1]
	}
	list := func(of []string) string {
		text, err := json.Marshal(of)
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(text), ",", ", ")
	}
	c := config.Config
	if said("ENTRYPOINT") != list(c.Entrypoint) || said("CMD") != list(c.Cmd) || said("WORKDIR") != c.WorkingDir || said("USER") != "nonroot:nonroot" || c.User != "65532:65532" || config.Architecture != "amd64" {
		t.Errorf("the image has %+v, the Dockerfile says otherwise", config)
	}
}

// What is imported into a node under the name that the archive has is what the
// overlays for trying things ask for.
func TestNameIsTheOneOfThePOC(t *testing.T) {
	for _, site := range []string{"poc", "aio"} {
		all, err := kube.Render(deploy.Tree(), "overlays/"+site)
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := kube.Write(&text, all); err != nil {
			t.Fatal(err)
		}
		asked := regexp.MustCompile(`(?m)^ +image: (\S*/datafeed\S*)$`).FindAllStringSubmatch(text.String(), -1)
		if len(asked) < 6 {
			t.Errorf("%s asks for %v", site, asked)
		}
		for _, a := range asked {
			if a[1] != defaultName {
				t.Errorf("%s asks for %s, and make image names it %s", site, a[1], defaultName)
			}
		}
	}
}

// The bill of materials has all that "go version -m" says.
func TestBillOfMaterials(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "go", "version", "-m", binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) >= 4 && f[0] == "dep" {
			want = append(want, "pkg:golang/"+f[1]+"@"+f[2]+" "+f[3])
		}
	}
	raw, err := ociimage.SBOM(info, time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		Components []struct {
			PURL       string
			Properties []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal(raw, &bom); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range bom.Components {
		for _, p := range c.Properties {
			got = append(got, c.PURL+" "+p.Value)
		}
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("it has %d modules with sums, the binary %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}

// The certificates are such, and those of many authorities.
func TestCertificates(t *testing.T) {
	pem, err := certificates()
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(pem, []byte("BEGIN CERTIFICATE")); n < 100 || !x509.NewCertPool().AppendCertsFromPEM(pem) {
		t.Errorf("%d certificates", n)
	}
}
