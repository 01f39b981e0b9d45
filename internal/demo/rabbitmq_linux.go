package demo

import (
	"context"
	"errors"
	"io"
	"net/url"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// startWithin bounds the start of a node.
const startWithin = 90 * time.Second

// startPrivateNode implements nodeStarter with the RabbitMQ of the machine. It
// tries again when another program takes one of the ports first.
func startPrivateNode(ctx context.Context, dir string) (string, io.Closer, error) {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for try := 1; ; try++ {
		node, err := server.NewRabbitMQ(dir, server.RabbitMQConfig{})
		if missing := (*server.MissingError)(nil); errors.As(err, &missing) {
			return "", nil, errNoRabbitMQ
		} else if err != nil {
			return "", nil, err
		}
		err = node.Start(ctx)
		if err == nil {
			u := url.URL{Scheme: "amqp", User: url.UserPassword(node.User, node.Password), Host: node.Addr(), Path: "/"}
			return u.String(), node, nil
		}
		err = errors.Join(err, node.Close())
		if try == 3 || !server.IsPortTaken(err) {
			return "", nil, err
		}
	}
}
