package report

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestCopiedCells runs what the script makes of texts for a spreadsheet.
func TestCopiedCells(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Node.js, which a -short run does without")
	}
	texts := []string{
		"press7", "21.5", "-21.5", "-1e-9", "", "=1+1", "+1", "-1+1", "@SUM(A1)", "\t=1", "|x", "%0A", "＝1+1",
		`"=1+1"`, `say "no"`, "a\tb", `'=1`,
	}
	want := []string{
		"press7", "21.5", "-21.5", "-1e-9", "", "'=1+1", "'+1", "'-1+1", "'@SUM(A1)", "\"'\t=1\"", "'|x", "'%0A", "'＝1+1",
		`"""=1+1"""`, `"say ""no"""`, "\"a\tb\"", `'=1`,
	}
	in, err := json.Marshal(texts)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "node", "-")
	cmd.Stdin = strings.NewReader("const document = {querySelector: () => null};\n" + script + "\nconsole.log(JSON.stringify(" + string(in) + ".map(cell)));\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node, which make setup installs with npm: %v\n%s", err, out)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i := range texts {
		if got[i] != want[i] {
			t.Errorf("%q is copied as %q, want %q", texts[i], got[i], want[i])
		}
	}
}
