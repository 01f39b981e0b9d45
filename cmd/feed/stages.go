package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
)

// kinds are the kinds of stages: those of a route in its order, and the sides of
// a validation.
var kinds = []feed.Kind{feed.KindSource, feed.KindTransform, feed.KindSink, feed.KindExpectation, feed.KindObservation, feed.KindCodec}

// stageInfo is what --json prints of a stage.
type stageInfo struct {
	Kind    feed.Kind    `json:"kind"`
	Name    string       `json:"name"`
	Plugin  string       `json:"plugin,omitempty"` // path of the plugin that has it
	Summary string       `json:"summary"`
	Keys    []config.Key `json:"keys"`
}

func (c *cli) stagesCommand() *cobra.Command {
	var (
		asJSON bool
		file   string
	)
	cmd := &cobra.Command{
		Use:   "stages [NAME]",
		Short: "List the stages, or the settings of one",
		Args:  arguments(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			show := func(c *cli) error { return c.showStages(args, asJSON) }
			if file == "" {
				return show(c)
			}
			return c.withPlugins(cmd.Context(), file, quiet(), func(c *cli) error { return errors.Join(show(c), c.leftOut()) })
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "list the stages of the plugins that this file names, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// showStages prints all stages, or those of one name.
func (c *cli) showStages(args []string, asJSON bool) error {
	all := c.stageInfos()
	if len(args) == 1 {
		var err error
		if all, err = only(all, args[0]); err != nil {
			return err
		}
	}
	switch {
	case asJSON:
		return failed(writeJSON(c.stdout, all))
	case len(args) == 0:
		rows := [][]string{{"KIND", "NAME", "PLUGIN", "WHAT IT DOES"}}
		for _, s := range all {
			rows = append(rows, []string{string(s.Kind), s.Name, s.Plugin, s.Summary})
		}
		if c.plugins == nil {
			for i, row := range rows {
				rows[i] = slices.Delete(row, 2, 3)
			}
		}
		return failed(writeTable(c.stdout, rows))
	}
	for i, s := range all {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		fmt.Fprint(c.stdout, s)
	}
	return nil
}

func (c *cli) stageInfos() []stageInfo {
	of := map[host.Stage]string{}
	if c.plugins != nil {
		for _, p := range c.plugins.Plugins() {
			for _, s := range p.Stages {
				of[host.Stage{Kind: s.Kind, Name: s.Name}] = p.Path
			}
		}
	}
	var all []stageInfo
	for _, k := range kinds {
		for _, f := range c.registry.Factories(k) {
			all = append(all, stageInfo{k, f.Name, of[host.Stage{Kind: k, Name: f.Name}], f.Summary, config.Keys(f)})
		}
	}
	return all
}

// only returns the stages of one name; those of different kinds may share it.
func only(all []stageInfo, name string) ([]stageInfo, error) {
	var some []stageInfo
	var names []string
	for _, s := range all {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
		if s.Name == name {
			some = append(some, s)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("there is no stage named %q: %s", oneLine(name, 60), config.DidYouMean(name, names))
	}
	return some, nil
}

// String prints a stage and its settings for people.
func (s stageInfo) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", s.Kind, s.Name)
	if s.Plugin != "" {
		fmt.Fprintf(&b, ", of plugin %s", s.Plugin)
	}
	fmt.Fprintf(&b, ": %s\n", s.Summary)
	for _, k := range s.Keys {
		fmt.Fprintf(&b, "\n  %s  (%s", k.Name, k.Type)
		switch {
		case k.Required:
			b.WriteString(", required")
		case k.Default != "":
			b.WriteString(", default " + k.Default)
		}
		b.WriteString(")\n")
		if k.Doc != "" {
			b.WriteString(wrapText(k.Doc, "      ", 92) + "\n")
		}
	}
	return b.String()
}
