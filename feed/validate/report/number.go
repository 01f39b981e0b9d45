package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/internal/digits"
)

// count writes a number with thousands separated.
func count(n int64) string { return digits.Grouped(n) }

// amount writes a number of things.
func amount(n int64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return count(n) + " " + thing
}

// percent writes n as a part of all. Only all of it is 100%, and only none 0%.
func percent(n, all int64) string {
	if all <= 0 {
		return ""
	}
	switch hundredths := float64(n) / float64(all) * 10_000; {
	case n == all:
		return "100%"
	case n == 0:
		return "0%"
	case hundredths < 1:
		return "< 0.01%"
	case hundredths >= 9999:
		return "> 99.99%"
	default:
		return decimal(float64(int64(hundredths))/100, 2) + "%"
	}
}

// decimal writes a number with at most so many digits behind the point.
func decimal(f float64, digits int) string {
	text := strconv.FormatFloat(f, 'f', digits, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// size writes a number of bytes.
func size(bytes int64) string {
	unit, f := 0, float64(bytes)
	for f >= 1023.95 && unit < 4 {
		unit, f = unit+1, f/1024
	}
	return strconv.FormatFloat(f, 'f', min(unit, 1), 64) + " " + [...]string{"B", "KiB", "MiB", "GiB", "TiB"}[unit]
}

// period writes how long something takes, in its two largest units.
func period(d time.Duration) string {
	switch {
	case d < 0:
		return "−" + period(-d)
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + " ns"
	case d < time.Millisecond:
		return significant(float64(d)/float64(time.Microsecond)) + " µs"
	case d < time.Second:
		return significant(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Minute:
		return significant(d.Seconds()) + " s"
	case d < time.Hour:
		return units(d, time.Minute, "min", time.Second, "s")
	case d < 48*time.Hour:
		return units(d, time.Hour, "h", time.Minute, "min")
	default:
		return units(d, 24*time.Hour, "d", time.Hour, "h")
	}
}

// significant writes a number below 1000 with three digits that count.
func significant(f float64) string {
	switch {
	case f < 10:
		return decimal(f, 2)
	case f < 100:
		return decimal(f, 1)
	default:
		return strconv.FormatInt(int64(f), 10)
	}
}

func units(d, large time.Duration, largeName string, small time.Duration, smallName string) string {
	text := fmt.Sprintf("%d %s", d/large, largeName)
	if rest := d % large / small; rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return text
}

// moment writes a time to the second, in UTC.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

// exact writes a time to the nanosecond, in UTC.
func exact(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.999999999Z") }

// span writes from when to when, in UTC, to the second if need be.
func span(from, to time.Time) string {
	from, to = from.UTC(), to.UTC()
	clock := "15:04"
	if from.Truncate(time.Minute) != from || to.Truncate(time.Minute) != to {
		clock = "15:04:05"
	}
	day := "2006-01-02 "
	if from.Truncate(24 * time.Hour).Equal(to.Truncate(24 * time.Hour)) {
		return from.Format(day+clock) + " – " + to.Format(clock) + " UTC"
	}
	return from.Format(day+clock) + " – " + to.Format(day+clock) + " UTC"
}

// number is a sequence number, which is not grouped: people search for it.
func number(n uint64) markup { return markup(strconv.FormatUint(n, 10)) }
