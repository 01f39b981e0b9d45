package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/config"
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
		RunE: func(_ *cobra.Command, files []string) error {
			var errs []error
			for _, file := range files {
				errs = append(errs, c.lint(file))
			}
			return errors.Join(errs...)
		},
	}
}

func (c *cli) lint(file string) error {
	cfg, err := c.load(file)
	if err == nil {
		err = cfg.CheckStages()
	}
	if err != nil {
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

// load reads a file, or standard input for "-".
func (c *cli) load(file string) (*config.Config, error) {
	if file != "-" {
		return config.Load(file, c.registry)
	}
	data, err := io.ReadAll(io.LimitReader(c.stdin, 2<<20))
	if err != nil {
		return nil, failed(fmt.Errorf("read standard input: %w", err))
	}
	return config.Parse("-", data, c.registry, os.LookupEnv)
}
