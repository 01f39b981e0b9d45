package bridge

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// looksUp is a rule that takes the site of a device from a table.
var looksUp = Rule{Match: "t.{device}", Where: `device in tables.devices`, Let: map[string]string{"site": `tables.devices[device].site`}, Topic: "{site}/{device}"}

func TestTables(t *testing.T) {
	for name, file := range map[string]string{
		"inline":           "",
		"devices.csv":      "device,site,line\npress7,aachen,1\n\"a,\"\"b\"\"\",\"köln\n\",\n",
		"with-bom.CSV":     "\xef\xbb\xbfdevice,site\r\npress7,aachen\r\n\"a,\"\"b\"\"\",\"köln\n\"\r\n",
		"devices.yaml":     "- {device: press7, site: aachen, line: 1}\n- device: 'a,\"b\"'\n  site: \"köln\\n\"\n",
		"devices.yml":      `[{"device": "press7", "site": "aachen"}, {"device": "a,\"b\"", "site": "köln\n"}]`,
		"plain-texts.yaml": "- {device: press7, site: aachen}\n- {device: 'a,\"b\"', site: \"köln\\n\"}\n- {device: 0x10, site: 1.50}\n- {device: true, site: 2026-11-21}\n",
	} {
		t.Run(name, func(t *testing.T) {
			from := Table{Key: "device", Rows: []map[string]string{{"device": "press7", "site": "aachen"}, {"device": `a,"b"`, "site": "köln\n"}}}
			if file != "" {
				from = Table{Key: "device", File: filepath.Join(t.TempDir(), name)}
				write(t, from.File, file)
			}
			b := newBridge(t, func(c *Config) { c.Tables = map[string]Table{"devices": from} },
				looksUp, Rule{Match: "u.{d}", Where: `tables.devices[d].site != ""`, Topic: "x"}, Rule{Match: "t.{d}", Topic: "unknown/{d}"})
			for key, want := range map[string]string{"t.press7": "aachen/press7", `t.a,"b"`: `köln%0A/a,"b"`, "t.other": "unknown/other"} {
				m := keyed(key)
				if _, err := b.Handle(m); err != nil || feed.Topic(m) != want {
					t.Errorf("topic %q, error %v, want %q", feed.Topic(m), err, want)
				}
			}
			if _, err := b.Handle(keyed("u.other")); !feed.IsPermanent(err) || !strings.Contains(err.Error(), "no such key: other") {
				t.Errorf("error %v", err)
			}
			if strings.HasPrefix(name, "plain") {
				for key, want := range map[string]string{"t.0x10": "1.50/0x10", "t.true": "2026-11-21/true"} {
					m := keyed(key)
					if _, err := b.Handle(m); err != nil || feed.Topic(m) != want {
						t.Errorf("topic %q, error %v, want %q", feed.Topic(m), err, want)
					}
				}
			}
		})
	}
}

func TestTableProblems(t *testing.T) {
	rows := func(rows ...map[string]string) Table { return Table{Key: "device", Rows: rows} }
	a := map[string]string{"device": "a", "site": "x"}
	for _, tt := range []struct {
		name, table  string
		from         Table
		key, problem string
	}{
		{name: "no key", from: Table{Rows: []map[string]string{a}}, key: "tables.devices.key", problem: "is missing"},
		{name: "no rows", from: Table{Key: "device"}, key: "tables.devices", problem: "has no rows"},
		{name: "file and rows", from: Table{Key: "device", File: "x.csv", Rows: []map[string]string{a}}, key: "tables.devices.rows", problem: "beside file"},
		{name: "other file", from: Table{Key: "device", File: "x.xlsx"}, key: "tables.devices.file", problem: `".xlsx" is neither CSV nor YAML`},
		{name: "bad name", table: "a.b", from: rows(a), key: `tables["a.b"]`, problem: "is no name"},
		{name: "key twice", from: rows(a, a), key: "tables.devices.rows", problem: `row 2 has "a" in the column "device", as an earlier row`},
		{name: "row without key", from: rows(a, map[string]string{"site": "x"}), key: "tables.devices.rows", problem: `row 2 has no text in the column "device"`},
		{name: "no UTF-8", from: rows(map[string]string{"device": "\xff", "site": "x"}), key: "tables.devices.rows", problem: "row 1 is no UTF-8"},
		{name: "no such column", from: rows(map[string]string{"device": "a", "place": "x"}), key: "rules[0].let.site", problem: "tables.devices has no column site, at `.site`"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := DefaultConfig()
			c.Rules = []Rule{looksUp}
			c.Tables = map[string]Table{"devices": tt.from}
			if tt.table != "" {
				c.Tables[tt.table] = tt.from
				c.Tables["devices"] = rows(a)
			}
			var wrong *feed.ConfigError
			if err := c.Validate(); !errors.As(err, &wrong) || wrong.Key != tt.key || !strings.Contains(wrong.Problem, tt.problem) {
				t.Errorf("error %v, want %s: %s", err, tt.key, tt.problem)
			}
		})
	}
}

// What is wrong with a file shows when the bridge is made.
func TestTableFileProblems(t *testing.T) {
	for _, tt := range []struct{ file, text, key, problem string }{
		{file: "missing.csv", key: "tables.devices.file", problem: "missing.csv: cannot be opened: no such file"},
		{file: "dir.csv/x", key: "tables.devices.file", problem: "is not a regular file"},
		{file: "empty.csv", text: "\xef\xbb\xbf", key: "tables.devices.file", problem: "names the columns is missing"},
		{file: "ragged.csv", text: "device,site\na,b\nc\n", key: "tables.devices.file", problem: "record on line 3: wrong number of fields"},
		{file: "column.csv", text: "device,site,site\na,b,c\n", key: "tables.devices.file", problem: `column 3 has no name of its own: "site"`},
		{file: "nameless.csv", text: "device,\na,b\n", key: "tables.devices.file", problem: `column 2 has no name of its own: ""`},
		{file: "key.csv", text: "place,site\na,b\n", key: "tables.devices.file", problem: `row 1 has no text in the column "device"`},
		{file: "twice.csv", text: "device,site\na,b\na,c\n", key: "tables.devices.file", problem: `row 2 has "a" in the column "device", as an earlier row`},
		{file: "other.csv", text: "device,place\na,b\n", key: "rules[0].let.site", problem: "tables.devices has no column site, at `.site`"},
		{file: "large.csv", text: "device,site\n" + strings.Repeat("x", maxTableBytes), key: "tables.devices.file", problem: "has more than 8388608 bytes"},
		{file: "long.csv", text: "device,site\n" + numbered(maxTableRows+1), key: "tables.devices.file", problem: "there are 100001 rows, more than 100000"},
		{file: "mapping.yaml", text: "a: b\n", key: "tables.devices.file", problem: "cannot unmarshal"},
		{file: "nested.yaml", text: "- {device: a, site: x}\n- {device: b, site: [x]}\n", key: "tables.devices.file", problem: "line 2: site is no text"},
		{file: "null.yaml", text: "- {device: a, site: }\n", key: "tables.devices.file", problem: "line 1: site is no text"},
		{file: "two.yaml", text: "- {device: a, site: b}\n---\n- {}\n", key: "tables.devices.file", problem: "something follows"},
	} {
		t.Run(tt.file, func(t *testing.T) {
			path, directory := strings.CutSuffix(filepath.Join(t.TempDir(), tt.file), "/x")
			if directory {
				if err := os.Mkdir(path, 0o700); err != nil {
					t.Fatal(err)
				}
			} else if tt.text != "" {
				write(t, path, tt.text)
			}
			c := DefaultConfig()
			c.Rules = []Rule{looksUp}
			c.Tables = map[string]Table{"devices": {File: path, Key: "device"}}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			var wrong *feed.ConfigError
			if _, err := NewBridge(c, feed.StageEnv{}); !errors.As(err, &wrong) || wrong.Key != tt.key || !strings.Contains(wrong.Problem, tt.problem) {
				t.Errorf("error %v, want %s: %s", err, tt.key, tt.problem)
			}
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// numbered returns n rows of two columns.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,x\n", i)
	}
	return b.String()
}
