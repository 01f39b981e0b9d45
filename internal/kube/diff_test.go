package kube

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func objectsOf(t *testing.T, stream string) []Object {
	t.Helper()
	all, err := Parse([]byte(stream))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

const before = `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings-0123456789
data:
  a: "1"
  b: "2"
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: same
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: gone
`

const after = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: new
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: same
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings-abcdefghij
data:
  a: "1"
  b: "3"
`

func TestDiffIsObjectByObject(t *testing.T) {
	var text strings.Builder
	for _, d := range Diff(objectsOf(t, before), objectsOf(t, after)) {
		if err := d.Write(&text); err != nil {
			t.Fatal(err)
		}
	}
	const want = `--- v1 ConfigMap settings-0123456789
+++ v1 ConfigMap settings-abcdefghij
@@ -1,7 +1,7 @@
 apiVersion: v1
 data:
   a: "1"
-  b: "2"
+  b: "3"
 kind: ConfigMap
 metadata:
-  name: settings-0123456789
+  name: settings-abcdefghij
--- v1 ServiceAccount gone
+++ /dev/null
@@ -1,4 +0,0 @@
-apiVersion: v1
-kind: ServiceAccount
-metadata:
-  name: gone
--- /dev/null
+++ v1 ServiceAccount new
@@ -0,0 +1,4 @@
+apiVersion: v1
+kind: ServiceAccount
+metadata:
+  name: new
`
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}
	if d := Diff(objectsOf(t, before), objectsOf(t, before)); len(d) != 0 {
		t.Errorf("equal renderings differ: %v", d)
	}
}

func TestReadRendered(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.yaml": before, "a.yml": after, "notes.txt": "none"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := ReadRendered(dir)
	if err != nil || len(all) != 6 || all[0].Name != "new" {
		t.Errorf("%d objects, %v", len(all), err)
	}
	if all, err = ReadRendered(filepath.Join(dir, "b.yaml")); err != nil || len(all) != 3 {
		t.Errorf("%d objects, %v", len(all), err)
	}
	if _, err := ReadRendered(filepath.Join(dir, "notes.txt")); err == nil || !strings.Contains(err.Error(), "notes.txt: document 1") {
		t.Error(err)
	}
	if _, err := ReadRendered(t.TempDir()); err == nil || !strings.Contains(err.Error(), "there are no objects in it") {
		t.Error(err)
	}
}

func TestSites(t *testing.T) {
	names, err := Sites(tree("overlays/b/kustomization.yaml", "", "overlays/a/kustomization.yml", "", "overlays/c/other.yaml", ""))
	if err != nil || strings.Join(names, " ") != "a b" {
		t.Errorf("%q, %v", names, err)
	}
}
