package main

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-n", "1000", "-paths", "blob, mqtt", "-docs", ""})
	if err != nil {
		t.Fatal(err)
	}
	if o.messages != 1000 || o.pairs != 5 || o.limit != 1.05 || o.docs != "" || o.profile {
		t.Errorf("got %+v", o)
	}
	if len(o.paths) != 2 || o.paths[0].name != "blob" || o.paths[1].name != "mqtt" {
		t.Errorf("paths: %v", o.paths)
	}
}

func TestParseRefuses(t *testing.T) {
	for args, problem := range map[string]string{
		"-n 0":            "positive",
		"-pairs 0":        "positive",
		"-limit -1":       "positive",
		"-paths mqtt,ftp": `no path "ftp"`,
		"mqtt":            "unexpected",
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", args, err, problem)
		}
	}
}
