package amqp

import "github.com/kraft-edge/datafeed/feed"

// delivery is a delivery as it came. It is small, because thousands wait:
// its properties stay as they were on the wire until somebody asks for them.
// What is wrong inside of its headers concerns neither the connection nor the
// other deliveries: a connection that failed over them would fail again when
// the same message comes again, for ever.
type delivery struct {
	tag         uint64
	redelivered bool
	exchange    string
	routingKey  string
	properties  []byte // of class basic: the flags, and the values they announce
	body        []byte
}

// size is what of the memory of a delivery its sender decides.
func (d *delivery) size() feed.Size { return feed.Size(len(d.properties) + len(d.body)) }
