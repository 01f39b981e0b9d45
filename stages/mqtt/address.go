package mqtt

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// address is a broker's URL taken apart.
type address struct {
	network  string // "tcp" or "unix"
	dial     string // host:port, or the path of a socket
	host     string // for the verification of the certificate
	tls      bool
	hasUser  bool
	username string
	password string
	hasPass  bool
}

// String returns the address without credentials, the same for all spellings.
func (a address) String() string {
	switch {
	case a.network == "unix":
		return "unix://" + a.dial
	case a.tls:
		return "mqtts://" + a.dial
	default:
		return "mqtt://" + a.dial
	}
}

// parseAddress takes u apart. Its errors never quote a password.
func parseAddress(u feed.URL) (address, error) {
	p, err := u.Parse()
	if err != nil {
		return address{}, err
	}
	a := address{network: "tcp", host: strings.ToLower(p.Hostname())}
	port := p.Port()
	switch p.Scheme {
	case "mqtt", "tcp":
		if port == "" {
			port = "1883"
		}
	case "mqtts", "ssl":
		a.tls = true
		if port == "" {
			port = "8883"
		}
	case "unix":
		if p.Host != "" || p.Path == "" {
			return address{}, errors.New("a unix URL names the path of a socket: unix:///path")
		}
		a.network, a.dial = "unix", p.Path
	case "ws", "wss":
		return address{}, errors.New("MQTT over WebSocket is not offered")
	default:
		return address{}, fmt.Errorf("scheme %q is not known", p.Scheme)
	}
	if a.network == "tcp" {
		switch {
		case a.host == "":
			return address{}, errors.New("the URL names no host")
		case p.Path != "" && p.Path != "/":
			return address{}, errors.New("the URL has a path: MQTT has none")
		}
		a.dial = net.JoinHostPort(a.host, port)
	}
	if p.RawQuery != "" || p.Fragment != "" {
		return address{}, errors.New("the URL has a query or a fragment: options are keys of their own")
	}
	if p.User != nil {
		a.hasUser = true
		a.username = p.User.Username()
		a.password, a.hasPass = p.User.Password()
	}
	return a, nil
}
