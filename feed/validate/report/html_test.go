package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/kraft-edge/datafeed/feed/validate"
)

var pages = flag.String("pages", "", "directory to write pages of the samples to, to be looked at in a browser")

func samples() map[string]*validate.Result {
	return map[string]*validate.Result{"discrepant": sample(40, 96, 60), "proven": provenSample(), "open": openSample(), "empty": {}}
}

func htmlOf(t *testing.T, r *validate.Result) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteHTML(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// keep stores a page where -pages says.
func keep(t *testing.T, name, page string) {
	t.Helper()
	if *pages == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(*pages, name+".html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestPageIsWhole sees that every element that is opened is closed in its turn, and
// that the page is made of what this package writes.
func TestPageIsWhole(t *testing.T) {
	for name, r := range samples() {
		page := htmlOf(t, r)
		keep(t, name, page)
		if again := htmlOf(t, r); again != page {
			t.Errorf("%s: the same result gives another page", name)
		}
		ids := map[string]bool{}
		for _, tag := range tagsOf(t, page) {
			for _, a := range tag.Attr {
				if a.Key == "id" {
					if ids[a.Val] {
						t.Errorf("%s: the id %s stands twice", name, a.Val)
					}
					ids[a.Val] = true
				}
			}
		}
		for _, section := range []string{"counts", "picture", "discrepancies", "windows", "throughput", "latency", "rules", "evidence"} {
			if !ids[section] {
				t.Errorf("%s: has no section %s", name, section)
			}
		}
	}
}

// void are elements without an end.
var void = map[string]bool{"meta": true, "input": true}

// tagsOf returns the tags that open elements. It fails on a page whose elements are
// not closed one within the other, or which could fetch anything.
func tagsOf(t *testing.T, page string) []html.Token {
	t.Helper()
	var open []string
	var tags []html.Token
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		switch z.Next() {
		case html.ErrorToken:
			if len(open) > 0 {
				t.Fatalf("not closed: %v", open)
			}
			return tags
		case html.StartTagToken:
			tag := z.Token()
			tags = append(tags, tag)
			harmless(t, tag)
			if !void[tag.Data] {
				open = append(open, tag.Data)
			}
		case html.SelfClosingTagToken:
			tag := z.Token()
			tags = append(tags, tag)
			harmless(t, tag)
		case html.EndTagToken:
			tag := z.Token()
			if len(open) == 0 || open[len(open)-1] != tag.Data {
				t.Fatalf("%s is closed within %v", tag.Data, open)
			}
			open = open[:len(open)-1]
		case html.CommentToken:
			t.Fatalf("a comment: %s", z.Token().Data)
		}
	}
}

// harmless sees that a tag fetches, runs and submits nothing.
func harmless(t *testing.T, tag html.Token) {
	t.Helper()
	for _, a := range tag.Attr {
		if slices.Contains([]string{"src", "href", "xlink:href", "srcset", "action", "formaction", "data", "style", "srcdoc", "background"}, a.Key) || strings.HasPrefix(a.Key, "on") {
			t.Fatalf("<%s> has %s=%q", tag.Data, a.Key, a.Val)
		}
	}
	if slices.Contains([]string{"base", "link", "iframe", "object", "embed", "img", "image", "use", "form", "a", "foreignobject"}, strings.ToLower(tag.Data)) {
		t.Fatalf("the page has a <%s>", tag.Data)
	}
}

// TestPolicy sees that the policy permits the one style and the one script of the
// page, by what really stands between their tags.
func TestPolicy(t *testing.T) {
	page := htmlOf(t, sample(3, 12, 5))
	for _, element := range []string{"style", "script"} {
		if n := strings.Count(page, "<"+element); n != 1 {
			t.Errorf("%d <%s>", n, element)
		}
		_, source, _ := strings.Cut(page, "<"+element+">")
		source, _, _ = strings.Cut(source, "</"+element+">")
		sum := sha256.Sum256([]byte(source))
		if want := element + "-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; !strings.Contains(page, want) {
			t.Errorf("the policy lacks %s", want)
		}
		if len(source) < 100 {
			t.Errorf("%s: %q", element, source)
		}
	}
	if strings.Contains(style, "@import") || strings.Contains(strings.ReplaceAll(style, "url(#", ""), "url(") || strings.Contains(script, "innerHTML") {
		t.Error("the style fetches something, or the script makes markup of text")
	}
	if !strings.Contains(page, "default-src 'none'") {
		t.Error("the policy permits more than nothing")
	}
}

// hostile are texts that try to be something else.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' onmouseover='alert(1)`, `</title></style></script><svg onload=alert(1)>`,
	`<!--`, `]]>`, `&lt;b&gt;`, `{}`, `javascript:alert(1)`, `=HYPERLINK("http://example.com")`, `</td></tr></table>`, "a\x00b", "a\u202eb\u2066c", "\xff\xfe<b>", "a\nb\r\tc\x1b[2J",
	`\u202e`, strings.Repeat("<", 3000), "\u2028", "<\u0338b>", "url(http://example.com)", "};*{display:none}", "",
}

// poisoned returns the sample with text in every field that holds one.
func poisoned(text string) *validate.Result {
	r := sample(2, 4, 5)
	r.Unreadable = []string{"x"}
	poison(reflect.ValueOf(r).Elem(), text)
	for i := range r.Discrepancies { // some of them as those that differ in everything
		if d := &r.Discrepancies[i]; d.Expected != nil && d.Observed != nil && i%2 == 0 {
			d.Fields = []string{"value", "quality", "time", "site", "line"}
			d.Expected.Text, d.Observed.Text = `"`+text+"a", `"`+text+"b"
		}
	}
	r.Discrepancies[0].Cause += "." // an empty column would be left out
	r.Verdicts = map[validate.Verdict]int64{validate.Verdict(text): 3, validate.Missing: 2}
	return r
}

func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), text)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Type() != reflect.TypeFor[time.Time]() {
				poison(v.Field(i), text)
			}
		}
	}
}

// shape is what a page consists of, without what only marks an escape.
func shape(t *testing.T, page string) []string {
	t.Helper()
	var all []string
	for _, tag := range tagsOf(t, page) {
		if tag.Data == "span" && len(tag.Attr) == 1 && tag.Attr[0].Val == "esc" {
			continue
		}
		line := tag.Data
		for _, a := range tag.Attr {
			line += " " + a.Key
			if a.Key != "aria-label" {
				line += "=" + a.Val
			}
		}
		all = append(all, line)
	}
	return all
}

var harmlessOnce struct {
	sync.Once
	shape []string
}

// harmlessShape is that of a page with a harmless text, which is made once.
func harmlessShape(t *testing.T) []string {
	harmlessOnce.Do(func() { harmlessOnce.shape = shape(t, htmlOf(t, poisoned("harmless"))) })
	return harmlessOnce.shape
}

// harmlessText sees that a result whose texts are all the same hostile one gives a
// page of the same elements as one with a harmless text.
func harmlessText(t *testing.T, text string) {
	t.Helper()
	r := poisoned(text)
	page := htmlOf(t, r)
	if got, want := shape(t, page), harmlessShape(t); !slices.Equal(got, want) {
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("%q makes %s of %s", text, got[i], want[i])
			}
		}
		t.Fatalf("%q makes %d elements of %d", text, len(got), len(want))
	}
	for _, c := range page {
		if c != '\n' && escapeOf(c, string(c)) != "" {
			t.Fatalf("%q puts %q into the page", text, c)
		}
	}
	fits(t, textOf(t, r, Style{Width: width}), width)
}

func TestHostileTexts(t *testing.T) {
	for _, text := range hostile {
		harmlessText(t, text)
	}
	keep(t, "hostile", htmlOf(t, poisoned("\u202e<script>alert(1)</script>\x00 and a long text that goes on \u0645\u0631\u062d\u0628\u0627")))
}

func FuzzTexts(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(harmlessText)
}

func TestPageShowsWhatDoesNotShowItself(t *testing.T) {
	r := sample(1, 4, 1)
	r.Devices[0].Device = "press\u202e7\x00"
	if page, want := htmlOf(t, r), `<bdi>press<span class="esc">\u202e</span>7<span class="esc">\x00</span></bdi>`; !strings.Contains(page, want) {
		t.Errorf("the page lacks %s", want)
	}
}

func TestPageIsBounded(t *testing.T) {
	r := sample(1000, 2400, 1000)
	// No two neighbours are alike, and each verdict is there.
	for i := range r.Devices {
		for j := range r.Devices[i].Parts {
			p := &r.Devices[i].Parts[j]
			p.Verdict = validate.Verdicts[(p.Index/12*3+i)%len(validate.Verdicts)]
		}
	}
	page := htmlOf(t, r)
	keep(t, "large", page)
	if len(page) > 1<<20 {
		t.Errorf("%d bytes", len(page))
	}
	if n := strings.Count(page, `preserveAspectRatio="none" role="img"`); n != mostLines+1 {
		t.Errorf("%d lines and charts", n)
	}
	if !strings.Contains(page, "Not listed: 804 devices that are no worse.") {
		t.Error("the page does not say how many devices it leaves out")
	}
}

func TestWritersReturnErrors(t *testing.T) {
	broken := errors.New("no space left")
	r := sample(3, 12, 5)
	for name, write := range map[string]func() error{
		"html": func() error { return WriteHTML(failing{broken}, r) },
		"text": func() error { return WriteText(failing{broken}, r, Style{}) },
		"json": func() error { return WriteJSON(failing{broken}, r) },
	} {
		if err := write(); !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestPageSaysWhatItFound(t *testing.T) {
	for name, want := range map[string][]string{
		"discrepant": {
			`<header class="discrepant">`, "1,510 readings are missing, 21 altered, 8 extra</h1>", "6,714 wait for the watermark.",
			"160,799 expected = 152,554 matched + 21 altered + 1,510 missing + 6,714 undecided + 0 repeated <b class=\"holds\">✓</b>",
			"<em>nothing</em>", "quarantined: the payload is no JSON", `uncertain</bdi></mark>`, `waiting for the op`, "https://cloud.vendor.example/v1/readings", "1.2 GiB",
			"Not listed: 207 discrepancies that are no worse.",
		},
		"proven": {`<header class="proven">`, "Proven complete</h1>", "each was read at the observation (blob) and says the same.</p>"},
		"open":   {`<header class="open">`, "Cannot say yet</h1>", "<li>The expectation&#39;s watermark is at", "gzip: invalid checksum", "Not listed: 2 more of them."},
		"empty":  {`<header class="open">`, "There were no readings.", "the expectation has none"},
	} {
		page := htmlOf(t, samples()[name])
		for _, w := range want {
			if !strings.Contains(page, w) {
				t.Errorf("%s lacks %q", name, w)
			}
		}
	}
}

// TestCausesShowWhenThereAre: an empty column takes no room, and one that is left out
// is one thing.
func TestCausesShowWhenThereAre(t *testing.T) {
	const head = `<th scope="col">cause</th>`
	r := sample(3, 12, 10)
	r.OmittedDiscrepancies = 1
	columns := func(page string) (n int) {
		_, list, _ := strings.Cut(page, `aria-label="discrepancies"`)
		_, rows, _ := strings.Cut(list, "<tbody>")
		row, _, _ := strings.Cut(rows, "</tr>")
		return strings.Count(row, "<td>")
	}
	if page := htmlOf(t, r); !strings.Contains(page, head) || columns(page) != 6 || !strings.Contains(page, "Not listed: 1 discrepancy that is no worse.") {
		t.Errorf("with causes: %d columns", columns(page))
	}
	for i := range r.Discrepancies {
		r.Discrepancies[i].Cause = ""
	}
	if page := htmlOf(t, r); strings.Contains(page, head) || columns(page) != 5 {
		t.Errorf("without causes: %d columns", columns(page))
	}
}

func TestWrongSumsShow(t *testing.T) {
	for name, c := range map[string]struct {
		r      *validate.Result
		change func(*validate.Counts)
		wrong  bool
	}{
		"proven":                                {provenSample(), func(*validate.Counts) {}, false},
		"open":                                  {openSample(), func(*validate.Counts) {}, false},
		"expected, not counted":                 {openSample(), func(c *validate.Counts) { c.Expected++ }, true},
		"proven, and observed without verdict":  {provenSample(), func(c *validate.Counts) { c.Observed++ }, true},
		"open, and observed without verdict":    {openSample(), func(c *validate.Counts) { c.Observed++ }, false},
		"open, and more verdicts than readings": {openSample(), func(c *validate.Counts) { c.Observed = c.Matched }, true},
	} {
		c.change(&c.r.Counts)
		if wrong := strings.Contains(htmlOf(t, c.r), "the sum is wrong: do not trust this report"); wrong != c.wrong {
			t.Errorf("%s: the page says that a sum is wrong: %v, want %v", name, wrong, c.wrong)
		}
	}
}
