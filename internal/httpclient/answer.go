package httpclient

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// shownAnswer is how much of an answer an error shows.
const shownAnswer = 200

// Shown makes a line for people of the beginning of what a server wrote.
func Shown(text []byte) string {
	if len(text) > shownAnswer {
		text = text[:shownAnswer]
	}
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(text), "�"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
}

// Redact removes the URL from an error: its query may be a credential.
func Redact(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return ue.Err
	}
	return err
}

// RetryAfter reads seconds or a date (RFC 9110, section 10.2.3). What is neither,
// or over, is 0.
func RetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
