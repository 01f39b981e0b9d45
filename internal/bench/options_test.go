package main

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	o, err := parse([]string{"-n", "1000", "-payload", "64000", "-devices", "7", "-paths", "blob, startup,mqtt", "-goals=false", "-docs", ""})
	if err != nil {
		t.Fatal(err)
	}
	if o.load != (load{messages: 1000, payloadBytes: 64000, devices: 7}) || !o.startup || !o.withoutGoals || o.docs != "" || o.profile {
		t.Errorf("got %+v", o)
	}
	if len(o.paths) != 2 || o.paths[0].name != "blob" || o.paths[1].name != "mqtt" {
		t.Errorf("paths: %v", o.paths)
	}
}

func TestParseDefaults(t *testing.T) {
	o, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if o.messages != 100_000 || o.pairs != 7 || len(o.paths) != 9 || !o.startup || o.withoutGoals || o.docs != "docs" {
		t.Errorf("got %+v", o)
	}
	l := o.steadyLoad()
	if l.messages != 24_000 || l.during(l.runIn) != 4000 || l.during(l.measured) != 20_000 || l.payloadBytes != 200 || l.devices != 200 {
		t.Errorf("steady: %+v", l)
	}
}

func TestParseRefuses(t *testing.T) {
	for args, problem := range map[string]string{
		"-n 0":            "positive",
		"-pairs 0":        "positive",
		"-rate 0":         "positive",
		"-starts 0":       "positive",
		"-payload -1":     "positive",
		"-devices 0":      "positive",
		"-for 0s":         "-for",
		"-run-in -1s":     "-run-in",
		"-paths mqtt,ftp": `no path "ftp": there are mqtt, mqtt-json, blob, both, unbatch, whole, mqtt-blob, plugin, steady, startup`,
		"mqtt":            "unexpected",
		"-flat -rounds 0": "-rounds",
		"-sweeps tides":   `no sweep "tides": there are devices, payload, routes, backlog`,
		"-flat -profile":  "choose one",

		"-flat -n 100 -backlog 599": "at least 600",
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", args, err, problem)
		}
	}
}
