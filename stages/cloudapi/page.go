package cloudapi

import (
	"errors"
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/httpclient"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// decodePage hands out the elements of a page, as they are written, and returns
// the cursor of what follows, "" at the end. It calls take only for a page that is
// one. An error of take ends it.
func decodePage(body []byte, take func(raw []byte) error) (next string, err error) {
	var readings, cursor []byte
	twice := false
	if !jsonscan.Members(body, func(name, value []byte) {
		var into *[]byte
		switch string(name) {
		case `"readings"`:
			into = &readings
		case `"next"`:
			into = &cursor
		default:
			return // an API may come to tell more
		}
		twice = twice || *into != nil
		*into = value
	}) || twice {
		return "", garbage("a page of readings", body)
	}
	switch {
	case len(cursor) > len(`""`) && cursor[0] == '"':
		next = string(jsonscan.AppendString(nil, cursor))
	case string(cursor) == "null":
	default: // a page that does not say whether there is more would look like the last one
		return "", garbage("a page of readings", body)
	}
	if len(readings) == 0 || readings[0] != '[' {
		return "", garbage("a page of readings", body)
	}
	jsonscan.Elements(readings, func(raw []byte) bool {
		err = take(raw)
		return err == nil
	})
	return next, err
}

// errGarbage is an answer that says that it succeeded, and is not what was asked
// for.
var errGarbage = errors.New("it is not the API that was expected, or a proxy answers for it: check url")

// garbage makes an error of a body.
func garbage(wanted string, body []byte) error {
	return feed.Permanent(fmt.Errorf("the answer of %d bytes is not %s: %q: %w", len(body), wanted, httpclient.Shown(body), errGarbage))
}
