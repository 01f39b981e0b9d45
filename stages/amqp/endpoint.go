package amqp

import (
	"errors"
	"io/fs"
	"net/url"

	"github.com/kraft-edge/datafeed/feed"
)

// endpoint returns the normal form of a place on a broker, or "" when the URL
// cannot be read now: amqp://host:port/vhost followed by pairs such as
// /queue/NAME, each part escaped.
func endpoint(u feed.URL, parts ...string) string {
	p, err := u.Parse()
	if err != nil || p.Hostname() == "" {
		return ""
	}
	s := "amqp://" + hostPort(p) + "/" + url.PathEscape(vhostOf(p))
	for _, part := range parts {
		s += "/" + url.PathEscape(part)
	}
	return s
}

// endpoints drops empty ones.
func endpoints(all ...string) []string {
	var known []string
	for _, e := range all {
		if e != "" {
			known = append(known, e)
		}
	}
	return known
}

func isFileError(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p)
}
