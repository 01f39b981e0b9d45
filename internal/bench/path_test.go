package main

import (
	"slices"
	"strings"
	"testing"
)

// TestPathsMeetBothContenders looks at what the contenders are told: the same
// queues and windows.
func TestPathsMeetBothContenders(t *testing.T) {
	for _, p := range paths() {
		yaml, jobs := p.yaml("/dir", anyPort), p.jobs()
		if len(p.legs) == 0 || len(jobs) != len(p.legs) || len(p.goals) == 0 {
			t.Errorf("%s: %d legs, jobs %q, %d goals", p.name, len(p.legs), jobs, len(p.goals))
		}
		for i, l := range p.legs {
			job := strings.Split(jobs[i], ":")
			window := "queue: " + job[1] + ", prefetch: " + job[2] + "}"
			if p.fromMQTT {
				window = "receiveMaximum: " + job[2] + "}"
			}
			if job[0] != l.job || !p.fromMQTT && job[1] != p.bindings()[i].queue || !strings.Contains(yaml, window) {
				t.Errorf("%s: job %q for\n%s", p.name, jobs[i], yaml)
			}
			if l.batch > 0 && !strings.Contains(yaml, "maxMessages: "+job[3]) {
				t.Errorf("%s: job %q for\n%s", p.name, jobs[i], yaml)
			}
		}
		for _, g := range p.goals {
			if !slices.ContainsFunc(p.metrics(), func(m metric) bool { return m.name == g.metric.name }) {
				t.Errorf("%s: %s is not measured", p.name, g.metric.name)
			}
		}
	}
}

// TestPluginDiffersInNothingElse compares what both sides of the path plugin are
// told.
func TestPluginDiffersInNothingElse(t *testing.T) {
	p, _ := findPath("plugin")
	in, out := p.yaml("/dir", anyPort), p.inProcess().yaml("/dir", anyPort)
	if !strings.Contains(in, "plugins: {directory: \"/dir/plugins\"}\n") || !strings.Contains(in, "batch: {maxMessages: 500}") {
		t.Errorf("no plugin, or no batch, in\n%s", in)
	}
	same := strings.Replace(strings.Replace(in, "plugins: {directory: \"/dir/plugins\"}\n", "", 1), "- plugin-bridge:", "- bridge:", 1)
	if same != out || in == out {
		t.Errorf("in a plugin\n%s\nin process\n%s", in, out)
	}
}

func TestDestinationsAreNamedOnce(t *testing.T) {
	p := path{legs: []leg{mqttLeg, blobLeg, jsonLeg}}
	if got := p.destinations(); !slices.Equal(got, []string{"mqtt", "blob"}) {
		t.Errorf("got %q", got)
	}
}
