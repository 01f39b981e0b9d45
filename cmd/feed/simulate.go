package main

import "github.com/spf13/cobra"

const simulateHelp = `Simulates the devices of a factory. Their batches of readings go to RabbitMQ
(--url), to the cloud API of a vendor (--api), or to both: then the API has what a
validator compares with.

  feed simulate --url "$AMQP_URL" --rate 5000
  feed simulate --url "$AMQP_URL" --api http://127.0.0.1:8080 --count 1000000 --rate 0 --chaos corrupt=1%,duplicate=2%
  feed simulate api          stands in for that API

What a device sends follows from the flags, --seed and --start alone: the same ones
make the same batches, byte for byte. docs/simulate.md says what they look like.

RabbitMQ gets them on a topic exchange, devices, which is declared, with the routing
key batches.<site>.<line>.<device>: bind a queue to it first. What no queue takes is
tried again until one does. Each message is confirmed.

--chaos lets things go wrong on the way to RabbitMQ: a list of
corrupt, duplicate, reorder, garbage, conflict (shares of all batches, as 1%),
within (how many batches later what is late comes), and skew (as 30s) and drift
(as 0.01%) for clocks that are wrong, towards the API as well. In the end nothing
is missing.

The API takes POST /v1/batches with a bearer token, which comes from
/oauth2/token for --client-id and its secret: in the file --client-secret-file, or
in the environment, FEED_API_CLIENT_ID and FEED_API_CLIENT_SECRET. A URL may also
be ${NAME} or ${file:/path}, in single quotes.

It ends after --count readings, after --for, or with Ctrl-C: what was begun for
one of both is then sent to the other, too. A second Ctrl-C ends it at once. It
exits with 0 when all that was made has been taken, and with 1 otherwise.`

func (c *cli) simulateCommand() *cobra.Command {
	o := newSimulation()
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Simulate the devices of a factory, which send batches of readings",
		Long:  simulateHelp,
		Args:  knownCommand,
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().NFlag() == 0 {
				return showHelp(cmd, args)
			}
			return c.simulate(cmd.Context(), o)
		},
	}
	o.addFlags(cmd)
	cmd.AddCommand(c.simulateAPI())
	return cmd
}
