package main

import "github.com/spf13/cobra"

const simulateHelp = `What is around a feed, simulated, so that a feed can be tried and tested.

  feed simulate api     the cloud API of a vendor`

func (c *cli) simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Simulate what is around a feed",
		Long:  simulateHelp,
		Args:  knownCommand,
		RunE:  showHelp,
	}
	cmd.AddCommand(c.simulateAPI())
	return cmd
}
