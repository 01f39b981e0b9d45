package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
)

func (c *cli) lintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE...",
		Short: "Check files without running them",
		Long: `Checks files as run does, without connecting to anything: keys, types, settings
of the stages, secrets that must be there, and whether the routes can work; what
validate compares, too.
It prints all problems at once; what only the making of a stage shows, such as a
certificate that cannot be read, comes when there is no other. FILE may be - for standard input.`,
		Args: arguments(1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			var errs []error
			for _, file := range files {
				errs = append(errs, c.lint(cmd.Context(), file))
			}
			return errors.Join(errs...)
		},
	}
}

func (c *cli) lint(ctx context.Context, file string) error {
	if file != "-" {
		return c.withPlugins(ctx, file, quiet(), func(c *cli) error {
			cfg, err := config.Load(file, c.registry)
			if err != nil {
				return err
			}
			data, err := os.ReadFile(file)
			if err != nil {
				return failed(err)
			}
			return c.lintLoaded(file, data, cfg)
		})
	}
	data, err := io.ReadAll(io.LimitReader(c.stdin, 2<<20))
	if err != nil {
		return failed(fmt.Errorf("read standard input: %w", err))
	}
	lint := func(c *cli) error {
		cfg, err := config.Parse(file, data, c.registry, os.LookupEnv)
		if err != nil {
			return err
		}
		return c.lintLoaded(file, data, cfg)
	}
	plugins, err := config.ParsePlugins(file, data, os.LookupEnv)
	if err != nil {
		return withoutPlugins(err, lint(c))
	}
	return c.withPluginsIn(ctx, ".", plugins, host.Open, quiet(), lint)
}

// lintLoaded goes on with a file that was loaded.
func (c *cli) lintLoaded(file string, data []byte, cfg *config.Config) error {
	if err := cmp.Or(errors.Join(checkOTLP(cfg, file, data), cfg.CheckStages()), c.leftOut()); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintln(c.stderr, "warning:", w)
	}
	fmt.Fprintf(c.stdout, "%s: ok, %s\n", file, strings.Join(contents(cfg), ", "))
	return nil
}

// contents says what is in a file.
func contents(cfg *config.Config) []string {
	var parts []string
	switch n := len(cfg.Routes); n {
	case 0:
	case 1:
		parts = append(parts, "1 route")
	default:
		parts = append(parts, fmt.Sprintf("%d routes", n))
	}
	if v := &cfg.Validate; !v.Off() {
		parts = append(parts, fmt.Sprintf("validation of %s against %s", v.Expect.Name, strings.Join(v.Observe.Names(), " and ")))
	}
	return parts
}
