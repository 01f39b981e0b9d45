package host

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	longestLine    = 8 << 10
	linesPerSecond = 200
	mostAttributes = 32
	longestWords   = 300
)

// lines makes records of what a plugin writes: JSON of log/slog and of hclog as it
// is meant, anything else as text. A plugin that writes without end does not fill
// the log: of each second so many lines are kept, as many warnings and errors beside
// them, and of each line so many bytes.
type lines struct {
	log  *slog.Logger
	tell bool // last words are kept

	mu       sync.Mutex
	line     []byte
	cut      bool // the line is longer than what is kept of it
	second   time.Time
	kept     int // of lines in that second below level WARN
	warned   int // of the others
	left     int // lines that were left out since one was logged
	crashing bool
	words    string
}

// Write implements io.Writer. It returns no error: a plugin must not fail because
// its log does.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := p; len(rest) > 0; {
		text, after, ended := bytes.Cut(rest, []byte{'\n'})
		rest = after
		room := longestLine - len(l.line)
		if len(text) > room {
			text, l.cut = text[:room], true
		}
		l.line = append(l.line, text...)
		if ended {
			l.end()
		}
	}
	return len(p), nil
}

// Close logs what has no end of line.
func (l *lines) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) > 0 {
		l.end()
	}
	l.tellLeft()
	return nil
}

// lastWords is what a process that crashed has said about it: its first line of
// panic, or else the last line that is no record below WARN.
func (l *lines) lastWords() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.words
}

// end logs the line that is complete.
func (l *lines) end() {
	cut := l.cut
	if cut {
		l.line = wholeRunes(l.line)
	}
	line := strings.ToValidUTF8(strings.TrimRight(string(l.line), "\r "), "\uFFFD")
	l.line, l.cut = l.line[:0], false
	if line == "" {
		return
	}
	r := recordOf(line)
	crash := strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
	if l.tell && (crash || !l.crashing) {
		l.words = cmp.Or(r.words(), l.words)
	}
	l.crashing = l.crashing || crash
	if now := time.Now(); now.Sub(l.second) >= time.Second {
		l.tellLeft()
		l.second, l.kept, l.warned = now, 0, 0
	}
	if l.crashing {
		r.level = slog.LevelError
	}
	if !l.log.Enabled(context.Background(), r.level) {
		return
	}
	count := &l.kept
	if r.level >= slog.LevelWarn {
		count = &l.warned
	}
	if *count++; *count > linesPerSecond {
		l.left++
		return
	}
	if cut {
		r.attrs = append(r.attrs, slog.Bool("cut", true))
	}
	l.log.LogAttrs(context.Background(), r.level, r.message, r.attrs...)
}

// wholeRunes drops the beginning of a character at the end of a text that was cut.
func wholeRunes(text []byte) []byte {
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				return text[:i]
			}
			break
		}
	}
	return text
}

func (l *lines) tellLeft() {
	if l.left > 0 {
		l.log.Warn("the plugin writes more than is logged", "linesLeftOut", l.left, "linesPerSecond", linesPerSecond)
		l.left = 0
	}
}

// lineRecord is what a line says.
type lineRecord struct {
	level   slog.Level // of text INFO
	message string
	attrs   []slog.Attr
	isText  bool
}

// words returns the record as the cause of an end; nothing of one that is none.
func (r lineRecord) words() string {
	if !r.isText && r.level < slog.LevelWarn {
		return ""
	}
	text := r.message
	for i, a := range r.attrs {
		before := ", "
		if i == 0 {
			before = " ("
		}
		text += before + a.String()
	}
	if len(r.attrs) > 0 {
		text += ")"
	}
	return strings.ToValidUTF8(text[:min(len(text), longestWords)], "")
}

// recordOf reads a line: JSON as log/slog or hclog write it, or text.
func recordOf(line string) lineRecord {
	text := lineRecord{level: slog.LevelInfo, message: line, isText: true}
	if line[0] != '{' {
		return text
	}
	var fields map[string]any
	if json.Unmarshal([]byte(line), &fields) != nil {
		return text
	}
	take := func(keys ...string) string {
		for _, k := range keys {
			if s, ok := fields[k].(string); ok {
				delete(fields, k)
				return s
			}
		}
		return ""
	}
	level, ok := levelOf(take("level", "@level"))
	r := lineRecord{level: level, message: take("msg", "@message")}
	if !ok || r.message == "" {
		return text
	}
	take("time", "@timestamp") // the record has its own
	take("@module")
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		if len(r.attrs) < mostAttributes {
			r.attrs = append(r.attrs, slog.Any(k, fields[k]))
		}
	}
	return r
}

func levelOf(s string) (slog.Level, bool) {
	if strings.EqualFold(s, "trace") { // of hclog
		return slog.LevelDebug, true
	}
	var l slog.Level
	err := l.UnmarshalText([]byte(s))
	return l, err == nil
}
