package main

import (
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/plugins/host"
)

// pluginStates are the rows of a status that tell of the plugins of a feed.
func pluginStates(plugins []host.Plugin, now time.Time) [][]string {
	rows := [][]string{{"PLUGIN", "STATE", "FOR", "RESTARTS", "PATH", "STAGES"}}
	for _, p := range plugins {
		restarts := "" // of a line that names no file
		if b := p.Budget; b.Restarts > 0 {
			restarts = fmt.Sprintf("%d of %d in %s", b.Used, b.Restarts, age(b.Within))
		}
		rows = append(rows, []string{p.Name, string(p.State), age(now.Sub(p.Since)), restarts, p.Path, stagesOf(p)})
	}
	return rows
}

// pluginReason says why a plugin does not run, or why its process has ended the last
// time; nothing when there was no end.
func pluginReason(p host.Plugin) string {
	switch {
	case p.Error != "":
		return fmt.Sprintf("plugin %s:\n%s\n", oneLine(p.Name, 100), wrapText(oneLine(p.Error, 10_000), "  ", 100))
	case p.LastEnd != "":
		return fmt.Sprintf("plugin %s: ended the last time because of: %s\n", oneLine(p.Name, 100), oneLine(p.LastEnd, 1000))
	}
	return ""
}
