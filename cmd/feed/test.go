package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/demo"
)

const testHelp = `Runs the tests that stand in files, beside the routes: the messages of each go
through the transforms of its route, as in a running feed, and what becomes of
them is compared with what the test expects. Nothing is connected to; of sources
and sinks nothing is read, so that no address and no secret need be there.

  tests:
    - name: readings get their topic
      route: telemetry
      given:
        - topic: telemetry.plant1.press7.temperature
          payload: {value: 21.5}
      expect:
        - topic: kraft/plant1/press7/temperature
          payload: {value: 21.5}
    - name: what is no telemetry is kept
      route: telemetry
      given: [{topic: alarm.fire}]
      expect: [{quarantined: no rule matches}]

What is expected stands in the order in which it happens. Of an expected message
only what is written is compared; payload: as JSON, text: and base64: byte for
byte. The reason of filtered: is compared as a whole, of quarantined: a part.

A transform that fails transiently makes a running feed hold the message, and all
behind it, and try again. A test does not wait for that to pass: what becomes of
the message is retried: with a part of the reason, and the next one comes.`

func (c *cli) testCommand() *cobra.Command {
	var (
		pattern string
		verbose bool
	)
	cmd := &cobra.Command{
		Use:   "test FILE...",
		Short: "Run the tests in files: messages through the transforms, without servers",
		Long:  testHelp,
		Args:  arguments(1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			only, err := regexp.Compile(pattern)
			if err != nil {
				return fmt.Errorf("--run: %w", err)
			}
			r := testReport{w: c.stdout, verbose: verbose, color: os.Getenv("NO_COLOR") == "" && demo.IsTerminal(c.stdout)}
			var errs []error
			for _, file := range files {
				errs = append(errs, c.withPlugins(cmd.Context(), file, quiet(), func(c *cli) error {
					cfg, err := config.LoadTests(file, c.registry)
					if err != nil {
						return err
					}
					return r.file(cmd.Context(), file, cfg, only, c.forgive)
				}))
			}
			if r.failed > 0 {
				errs = append(errs, failed(fmt.Errorf("%d of %d tests failed", r.failed, r.ran)))
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().StringVar(&pattern, "run", "", "only tests whose name matches this regular expression")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "name the tests that pass, too")
	return cmd
}
