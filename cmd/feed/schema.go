package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed/config"
)

func (c *cli) schemaCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print a JSON Schema of the file, for editors",
		Long: `Prints a JSON Schema of the file, so that an editor completes keys and shows
mistakes. With the YAML language server, save it and write in the first line:

  # yaml-language-server: $schema=feed.schema.json`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return c.printSchema()
			}
			return c.withPlugins(cmd.Context(), file, quiet(), func(c *cli) error { return errors.Join(c.printSchema(), c.leftOut()) })
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "describe the stages of the plugins that this file names, too")
	return cmd
}

func (c *cli) printSchema() error {
	text, err := config.Schema(c.registry)
	if err == nil {
		_, err = c.stdout.Write(text)
	}
	return failed(err)
}
