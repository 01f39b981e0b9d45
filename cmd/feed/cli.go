package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
)

// cli is what the commands share.
type cli struct {
	registry *feed.Registry
	plugins  *host.Host // nil: no file has named one
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
}

// streams are the standard streams of a process.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

func newCLI(r *feed.Registry, s streams) *cli {
	return &cli{registry: r, stdin: s.in, stdout: s.out, stderr: s.err}
}

// newRegistry adapts feed.NewRegistry to what Wire can call.
func newRegistry(factories []feed.Factory) (*feed.Registry, error) {
	return feed.NewRegistry(factories...)
}

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c, err := initializeCLI(streams{stdin, stdout, stderr})
	if err == nil {
		root := c.rootCommand()
		root.SetArgs(args)
		err = root.ExecuteContext(ctx)
	}
	if err != nil {
		fmt.Fprintln(stderr, message(err))
	}
	return exitCode(err)
}

// message is what the user reads of an error. The problems of a file stand
// each on a line that begins with file:line:column, so that editors find them.
func message(err error) string {
	if ce := (*config.Error)(nil); errors.As(err, &ce) {
		return err.Error()
	}
	return "feed: " + err.Error()
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "feed",
		Short:         "Moves telemetry from a source through transforms to a sink, and accounts for every message",
		Long:          rootHelp,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          c.showVersionOrHelp,
	}
	// Cobra's own flag would bring text/template, with which the linker keeps all
	// exported methods.
	root.Flags().Bool("version", false, "print version and build")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return unknownFlag(cmd, withUnit(err)) })
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetHelpCommandGroupID("about")
	root.SetCompletionCommandGroupID("about")
	root.AddGroup(&cobra.Group{ID: "run", Title: "Running:"}, &cobra.Group{ID: "look", Title: "Looking:"}, &cobra.Group{ID: "deploy", Title: "Deploying:"}, &cobra.Group{ID: "about", Title: "About:"})
	add := func(group string, commands ...*cobra.Command) {
		for _, cmd := range commands {
			cmd.GroupID = group
			root.AddCommand(cmd)
		}
	}
	add("run", c.runCommand(), c.demoCommand(), c.lintCommand(), c.testCommand(), c.validateCommand(), c.capacityCommand(), c.simulateCommand())
	add("look", c.statusCommand(), c.traceCommand(), c.quarantineCommand())
	add("deploy", c.deployCommand())
	add("about", c.stagesCommand(), c.pluginsCommand(), c.schemaCommand(), c.versionCommand())
	root.AddCommand(&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesHelp})
	return root
}

// withUnit says of a flag that is no duration what one looks like.
func withUnit(err error) error {
	var invalid interface {
		error
		GetValue() string
	}
	if !errors.As(err, &invalid) {
		return err
	}
	value := invalid.GetValue()
	_, wrong := time.ParseDuration(value)
	if cause := errors.Unwrap(invalid); wrong == nil || cause == nil || cause.Error() != wrong.Error() {
		return err // of another kind of flag
	}
	example := "8h"
	if _, number := strconv.ParseFloat(value, 64); number == nil {
		example = value + "h"
	}
	return fmt.Errorf("%w (write a number and a unit such as s, m or h: %s)", err, example)
}

// showHelp is what a command does that only holds others.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// knownCommand refuses the name of a command that does not exist.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("%s has no command %q: %s", cmd.CommandPath(), oneLine(args[0], 60), config.DidYouMean(args[0], names))
}

// unknownFlag says of a flag behind the name of a command that does not exist what is
// wrong with the name: cobra takes the flag to be of the command above it.
func unknownFlag(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() {
		if unknown := knownCommand(cmd, cmd.Flags().Args()); unknown != nil {
			return unknown
		}
	}
	return err
}

// arguments demands a number of arguments; a negative most sets no limit.
func arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		usage := func(wrong string) error { return fmt.Errorf("%s: usage: %s", wrong, cmd.UseLine()) }
		if len(args) > most && most >= 0 && cmd.Flags().Lookup("config") != nil {
			return fmt.Errorf("%s does not take the argument %q: a file is given with --config FILE", cmd.CommandPath(), oneLine(args[most], 60))
		}
		switch {
		case len(args) < least:
			_, what, _ := strings.Cut(cmd.Use, " ")
			return usage(cmd.CommandPath() + " needs " + what)
		case most == 0 && len(args) > 0:
			return usage(fmt.Sprintf("%s takes no argument, got %q", cmd.CommandPath(), oneLine(args[0], 60)))
		case most > 0 && len(args) > most:
			return usage(fmt.Sprintf("%s takes one argument, %q is too many", cmd.CommandPath(), oneLine(args[most], 60)))
		}
		return nil
	}
}

const rootHelp = `feed moves telemetry from a source through transforms to a sink, at least once,
and accounts for every message.

A feed is described by a YAML file:

  name: line-1
  quarantine: {path: /var/lib/feed/quarantine.db}
  routes:
    telemetry:
      source: {amqp: {url: "${AMQP_URL}", queue: telemetry}}
      transforms:
        - bridge: {rules: [{match: "telemetry.{device}.{tag}", topic: "kraft/{device}/{tag}"}]}
      sink: {mqtt: {url: "${MQTT_URL}"}}`
