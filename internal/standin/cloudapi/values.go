package cloudapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// values are the parameters of a URL.
type values map[string]string

// parseValues refuses parameters that are unknown or there twice: a misspelt one
// would select what nobody asked for.
func parseValues(r *http.Request, known ...string) (values, error) {
	parsed, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "the parameters are malformed: %v", err)
	}
	v := values{}
	for name, all := range parsed {
		switch {
		case !slices.Contains(known, name):
			return nil, refuse(http.StatusBadRequest, "parameter %.40q is unknown: there are %s", name, strings.Join(known, ", "))
		case len(all) > 1:
			return nil, refuse(http.StatusBadRequest, "parameter %s is there twice", name)
		case all[0] != "":
			v[name] = all[0]
		}
	}
	return v, nil
}

// The sizes of a page.
const (
	defaultLimit = 1000
	maxLimit     = 10_000
)

// limit returns how much a page has at most.
func (v values) limit() (int, error) {
	text, ok := v["limit"]
	if !ok {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, refuse(http.StatusBadRequest, "limit: %.40q is not 1 to %d", text, maxLimit)
	}
	return n, nil
}

// time returns nanoseconds since 1970, or nil.
func (v values) time(name string) (*int64, error) {
	text, ok := v[name]
	if !ok {
		return nil, nil //nolint:nilnil // no limit is no error
	}
	at, ok := reading.ParseTime(text)
	if !ok {
		return nil, refuse(http.StatusBadRequest, "%s: %.40q is no time from 1678 to 2261 as in RFC 3339: write 2026-11-21T03:04:05.123Z", name, text)
	}
	return &at, nil
}

// stamp writes a time, or null.
func stamp(at *int64) *string {
	if at == nil {
		return nil
	}
	text := time.Unix(0, *at).UTC().Format(time.RFC3339Nano)
	return &text
}

// badCursor is the answer to a cursor that the server has not made for what is
// asked.
func badCursor() error {
	return refuse(http.StatusBadRequest, "cursor: it is none that was answered to these parameters: begin without it")
}
