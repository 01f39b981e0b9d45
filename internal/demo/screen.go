package demo

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// screen shows progress.
type screen interface {
	// show shows p. It may be called as often as every asks for.
	show(p progress)
	// say writes a text that stays.
	say(text string)
	// close leaves the last picture and puts the terminal in order.
	close()
	// every is how often to show.
	every() time.Duration
}

// IsTerminal reports whether w is a terminal that can show a live picture.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
}

// newScreen returns a live picture on a terminal, and lines elsewhere.
func newScreen(w io.Writer, color bool) screen {
	if f, ok := w.(*os.File); ok && IsTerminal(w) {
		return &terminal{w: w, style: style{color}, size: func() (int, int) {
			width, height, err := term.GetSize(int(f.Fd()))
			if err != nil || width < 1 || height < 1 {
				return 80, 24
			}
			return width, height
		}}
	}
	return &lineLog{w: w}
}

// lineLog writes a line when another phase begins, and now and then while
// readings move.
type lineLog struct {
	w     io.Writer
	phase string
	at    time.Duration // of the last line
	last  string
}

// lineEvery is how often a log gets a line.
const lineEvery = 10 * time.Second

func (l *lineLog) show(p progress) {
	entered := p.Phase != l.phase
	if !entered && !p.Final && (len(p.Hops) == 0 || p.Elapsed-l.at < lineEvery) {
		return
	}
	text := line(p)
	if !entered && text == l.last {
		return
	}
	l.phase, l.at, l.last = p.Phase, p.Elapsed, text
	fmt.Fprintln(l.w, text)
}

func (l *lineLog) say(text string)      { fmt.Fprintln(l.w, text) }
func (l *lineLog) close()               {}
func (l *lineLog) every() time.Duration { return 100 * time.Millisecond }

// terminal redraws a picture in place. Each picture is one write that
// overwrites the lines of the last one, so that nothing flickers.
type terminal struct {
	w     io.Writer
	style style
	size  func() (width, height int)
	drawn int // lines of the last picture
	said  []string
	// The size when something was last written; 0 before.
	width, height int
}

func (t *terminal) every() time.Duration { return 100 * time.Millisecond }

// The escape sequences of a picture. The terminal shows it at once when it
// knows synchronized updates, and ignores those two when it does not.
const (
	beginUpdate = "\x1b[?2026h"
	endUpdate   = "\x1b[?2026l"
	hideCursor  = "\x1b[?25l"
	showCursor  = "\x1b[?25h"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
	clearAll    = "\x1b[H\x1b[2J"
)

func (t *terminal) show(p progress) {
	begin := t.begin()
	lines := t.style.picture(p, max(1, t.width-1))
	lines = lines[:min(len(lines), max(1, t.height-1))]
	var b strings.Builder
	b.WriteString(beginUpdate + hideCursor + begin)
	for _, l := range lines {
		b.WriteString(l + clearLine + "\r\n")
	}
	b.WriteString(clearBelow + endUpdate)
	t.drawn = len(lines)
	_, _ = io.WriteString(t.w, b.String()) // a terminal that is gone shows nothing
}

// begin goes to where the next picture or text belongs. A terminal whose size
// has changed may have broken the lines of the last picture anywhere: only a
// cleared screen is sure to hold no pieces of it.
func (t *terminal) begin() string {
	width, height := t.size()
	resized := t.width != 0 && (width != t.width || height != t.height)
	t.width, t.height = width, height
	if !resized {
		return t.home()
	}
	t.drawn = 0
	return clearAll + strings.Join(t.said, "")
}

// home goes to the first line of the last picture.
func (t *terminal) home() string {
	if t.drawn == 0 {
		return "\r"
	}
	return fmt.Sprintf("\r\x1b[%dA", t.drawn)
}

// say writes text in place of the picture; the next one is drawn below it.
func (t *terminal) say(text string) {
	_, _ = io.WriteString(t.w, t.begin()+clearBelow+text+"\n")
	t.drawn = 0
	t.said = append(t.said, text+"\n")
}

func (t *terminal) close() {
	_, _ = io.WriteString(t.w, showCursor)
	t.drawn = 0
}
