//go:build !linux

package demo

import (
	"context"
	"io"
)

// startPrivateNode finds no RabbitMQ: private servers need Linux.
func startPrivateNode(context.Context, string) (string, io.Closer, error) {
	return "", nil, errNoRabbitMQ
}
