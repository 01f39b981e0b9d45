package simulate

import (
	"fmt"
	"strconv"
	"strings"
)

// Share is a part of a whole, from 0 to 1. Its text form is 1% or 0.01.
type Share float64

// ParseShare reads a share.
func ParseShare(text string) (Share, error) {
	number, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	f, err := strconv.ParseFloat(number, 64)
	if percent {
		f /= 100
	}
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%.40q is no share: write 0%% to 100%%", text)
	}
	return Share(f), nil
}

// UnmarshalText reads a share with [ParseShare].
func (s *Share) UnmarshalText(text []byte) error {
	parsed, err := ParseShare(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

// String returns the share in percent.
func (s Share) String() string { return strconv.FormatFloat(float64(s)*100, 'g', 6, 64) + "%" }

// MarshalText returns String.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
