package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
)

func (c *cli) pluginsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "Look at plugins: stages in processes of their own",
		RunE:  showHelp,
		Args:  knownCommand,
	}
	cmd.AddCommand(c.pluginsListCommand(), c.pluginsCheckCommand(), c.pluginsConformanceCommand())
	return cmd
}

func (c *cli) pluginsListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls FILE",
		Short: "List the plugins that a file names, and what they have",
		Long: `Starts the plugins that FILE names below plugins:, as run does, and lists them with
their stages. The exit code is 2 when one does not run.`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withPlugins(cmd.Context(), args[0], quiet(), func(c *cli) error {
				if c.plugins == nil {
					return fmt.Errorf("%s names no plugin: write plugins: {list: [{path: …, sha256: …}]}; feed plugins check PATH prints it", args[0])
				}
				write := func() error { return writeTable(c.stdout, pluginRows(c.plugins.Plugins())) }
				if asJSON {
					write = func() error { return writeJSON(c.stdout, c.plugins.Plugins()) }
				}
				if err := write(); err != nil {
					return failed(err)
				}
				return c.leftOut()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// quiet is the logger of a command that prints itself what is worth it.
func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func pluginRows(plugins []host.Plugin) [][]string {
	rows := [][]string{{"PLUGIN", "NAME", "VERSION", "STATE", "STAGES"}}
	for _, p := range plugins {
		state := "runs"
		if p.Error != "" || p.State != host.StateRunning {
			state = "left out"
		}
		rows = append(rows, []string{p.Name, p.Title, p.Version, state, stagesOf(p)})
	}
	return rows
}

// stagesOf lists the stages of a plugin with their kinds.
func stagesOf(p host.Plugin) string {
	var stages []string
	for _, s := range p.Stages {
		stages = append(stages, string(s.Kind)+" "+s.Name)
	}
	return strings.Join(stages, ", ")
}

// pluginFlags say how a plugin that no file names is started.
type pluginFlags struct {
	language string
	env      []string
}

func (f *pluginFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.language, "language", string(config.PluginGo), "go, or other for a plugin that is not made with Go's plugins.Serve")
	cmd.Flags().StringArrayVar(&f.env, "env", nil, "name of a variable of the environment that the plugin gets; may be repeated")
}

func (c *cli) pluginsCheckCommand() *cobra.Command {
	var f pluginFlags
	cmd := &cobra.Command{
		Use:   "check PATH",
		Short: "Start a plugin, and print what it has and how a file names it",
		Long: `Starts the plugin at PATH, whatever it is: only do so with a file that you trust.
Prints its stages, and the lines of feed.yaml that pin it.`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withPlugin(cmd.Context(), args[0], f, 0, func(c *cli, pin config.Plugin) error {
				return failed(c.describePlugin(c.plugins.Plugins()[0], pin))
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) pluginsConformanceCommand() *cobra.Command {
	var f pluginFlags
	cmd := &cobra.Command{
		Use:   "conformance PATH",
		Short: "Check that a plugin keeps to what every host expects",
		Long: `Starts the plugin at PATH, whatever it is: only do so with a file that you trust.
Checks what can be checked without knowing what its stages do: that it describes
and documents them, refuses settings that it does not know, is the same after it
was killed, and ends when it is asked to. The exit code is 1 when one check fails.
What stages do with messages is tested by their author, with package plugintest.`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withPlugin(cmd.Context(), args[0], f, 2, func(c *cli, _ config.Plugin) error {
				checks, err := c.plugins.Conform(cmd.Context())
				if err != nil {
					return failed(err)
				}
				return failed(c.reportChecks(checks))
			})
		},
	}
	f.add(cmd)
	return cmd
}

// reportChecks prints what was checked, and returns an error when something is wrong.
func (c *cli) reportChecks(checks []host.Check) error {
	wrong := 0
	for _, k := range checks {
		line := "ok    " + k.Name
		if k.Problem != "" {
			wrong++
			line = "FAIL  " + k.Name + ": " + oneLine(k.Problem, 300)
		}
		if _, err := fmt.Fprintln(c.stdout, line); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d of %d checks failed", wrong, len(checks))
	}
	return nil
}

// withPlugin does something with the plugin at a path, which runs meanwhile, and may
// be started again so often.
func (c *cli) withPlugin(ctx context.Context, path string, f pluginFlags, restarts int, do func(*cli, config.Plugin) error) error {
	language := config.PluginLanguage(f.language)
	if known := language.Values(); !strings.Contains(strings.Join(known, " "), f.language) || f.language == "" {
		return fmt.Errorf("--language %q is unknown: %s", oneLine(f.language, 60), config.DidYouMean(f.language, known))
	}
	sum, err := sumOf(path)
	if err != nil {
		return failed(err)
	}
	pin := config.Plugin{Path: path, SHA256: sum, Env: f.env, Language: language}
	settings := config.Plugins{List: []config.Plugin{pin}, Limits: config.DefaultPluginLimits}
	settings.Limits.Restarts = restarts
	var written wrote
	return c.withPluginsIn(ctx, ".", settings, host.Open, slog.New(&written), func(c *cli) error {
		if err := doesNotRun(c.plugins.Plugins()[0]); err != nil {
			if text := written.String(); text != "" {
				err = fmt.Errorf("%w\n%s", err, text)
			}
			return failed(err)
		}
		err := do(c, pin)
		if text := written.String(); text != "" {
			fmt.Fprintln(c.stderr, text)
		}
		return err
	})
}

// doesNotRun says why a plugin does not run, and what to do about it.
func doesNotRun(p host.Plugin) error {
	switch {
	case p.Error == "":
		return nil
	case p.State == host.StateLeftAlone:
		return fmt.Errorf("plugin %s does not run: %s: mend it, or name with --env what it needs of the environment", p.Name, p.LastEnd)
	}
	return fmt.Errorf("plugin %s does not run: %s", p.Name, p.Error)
}

// sumOf returns the SHA-256 of a file.
func sumOf(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// describePlugin prints what a plugin has.
func (c *cli) describePlugin(p host.Plugin, pin config.Plugin) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n\n", p.Title, p.Version)
	for _, s := range p.Stages {
		fmt.Fprintf(&b, "  %s %s: %s\n", s.Kind, s.Name, s.Summary)
	}
	fmt.Fprintf(&b, "\nIn feed.yaml:\n\nplugins:\n  list:\n    - path: %s\n      sha256: %s\n", pin.Path, pin.SHA256)
	if pin.Language == config.PluginOther {
		fmt.Fprintf(&b, "      language: %s\n", pin.Language)
	}
	if len(pin.Env) > 0 {
		fmt.Fprintf(&b, "      env: [%s]\n", strings.Join(pin.Env, ", "))
	}
	_, err := io.WriteString(c.stdout, b.String())
	return err
}
