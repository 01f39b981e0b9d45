package jsonscan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// newPointers returns a set of different pointers.
func newPointers(t interface{ Fatal(...any) }, pointers ...string) *Pointers {
	p := &Pointers{}
	for i, s := range pointers {
		number, err := p.Add(s)
		if err != nil {
			t.Fatal(err)
		}
		if number != i {
			t.Fatal("pointer", s, "has number", number)
		}
	}
	return p
}

// all is the mask of the whole set.
func all(p *Pointers) Mask { return Bit(p.Len()) - 1 }

func TestFind(t *testing.T) {
	const missing = "\x00missing"
	deep := strings.Repeat(`[`, maxNesting)
	for _, tt := range []struct {
		text     string
		pointers string // separated by blanks
		want     []string
		err      string
	}{
		{text: `{"a":"x","b":1.50,"c":true,"d":false}`, pointers: "/a /b /c /d", want: []string{"x", "1.50", "true", "false"}},
		{text: `{"a":null,"b":{},"c":[]}`, pointers: "/a /b /c /d", want: []string{missing, missing, missing, missing}},
		{text: `{"a":{"b":{"c":"x"},"d":[1,{"e":-2E+3}]}}`, pointers: "/a/b/c /a/d/1/e /a/d/0", want: []string{"x", "-2E+3", "1"}},
		{text: `{"a":{"b":1}}`, pointers: "/a /a/b", want: []string{missing, "1"}},
		{text: `{"a":"x"}`, pointers: "/a/b /a", want: []string{missing, "x"}},
		{text: ` "x" `, pointers: " /a", want: []string{"x", missing}},
		{text: `[10,20,30]`, pointers: "/2 /3 /- /00 /0", want: []string{"30", missing, missing, missing, "10"}},
		{text: `{"0":"x","-":"y","00":"z"}`, pointers: "/0 /- /00", want: []string{"x", "y", "z"}},
		{text: `{"a/b":1,"m~n":2,"":3,"~1":4}`, pointers: "/a~1b /m~0n / /~01", want: []string{"1", "2", "3", "4"}},
		{text: `{"a":"","b":"\u00e9\"\\\/\b\f\n\r\t\ud83d\ude00"}`, pointers: "/a /b", want: []string{"", "é\"\\/\b\f\n\r\t😀"}},
		{text: `["\ud83d","\ud83dx","\ude00\ud83d","\ud83d\u0041","\ud83d\n"]`, pointers: "/0 /1 /2 /3 /4", want: []string{"\ufffd", "\ufffdx", "\ufffd\ufffd", "\ufffdA", "\ufffd\n"}},
		{text: `{"\u0061":"x"}`, pointers: "/a", want: []string{"x"}},
		{text: "{\"a\":\"\xff\"}", pointers: "/a", want: []string{"\xff"}},

		// Of equal names the first counts, whatever it holds.
		{text: `{"a":1,"a":2}`, pointers: "/a /b", want: []string{"1", missing}},
		{text: `{"a":null,"a":2}`, pointers: "/a", want: []string{missing}},
		{text: `{"a":{"c":1},"a":{"b":2}}`, pointers: "/a/b /a/c", want: []string{missing, "1"}},

		// What follows the last value and its delimiter is not looked at.
		{text: `{"a":1,}`, pointers: "/a", want: []string{"1"}},
		{text: `{"a":[1,{"b":2}oops`, pointers: "/a/1/b", want: []string{"2"}},
		{text: `{"a":1 }oops`, pointers: "/a", want: []string{"1"}},
		{text: `{"a":1}oops`, pointers: "/b", err: "byte 7: something follows the value"},
		{text: `{"a":1,}`, pointers: "/b", err: "byte 7: the name of a member is missing"},
		{text: `{"a":12`, pointers: "/a", err: "byte 7: a , or } is missing after a member"},
		{text: `{"a":012}`, pointers: "/a", err: "byte 6: a , or } is missing after a member"},
		{text: `[1 2]`, pointers: "/0", err: "byte 3: a , or ] is missing after an element"},
		{text: ``, pointers: "/a", err: "byte 0: a value is missing"},
		{text: `hello`, pointers: "/a", err: "byte 0: a value is missing"},
		{text: `{"a":-}`, pointers: "/a", err: "byte 6: a digit is missing in a number"},
		{text: `{"a":tru}`, pointers: "/a", err: "byte 8: a value begins like a word of JSON's and is none"},
		{text: `{"a":"x`, pointers: "/a", err: `byte 7: the " that closes a string is missing`},
		{text: "{\"a\":\"x\ny\"}", pointers: "/a", err: "byte 7: a control character stands in a string"},
		{text: `{"a":"\x"}`, pointers: "/a", err: "byte 7: no such character can be escaped"},
		{text: `{"a":"\u12g4"}`, pointers: "/a", err: "byte 10: \\u is not followed by four hexadecimal digits"},
		{text: `{"a":"\`, pointers: "/a", err: "byte 7: what a \\ escapes is missing"},
		{text: `{"a" 1}`, pointers: "/a", err: "byte 5: a : is missing after the name of a member"},
		{text: deep + "1", pointers: "/a", err: fmt.Sprintf("byte %d: a , or ] is missing after an element", maxNesting+1)},
		{text: deep + "[", pointers: "/a", err: fmt.Sprintf("byte %d: values are nested too deeply", maxNesting)},
		{text: strings.Repeat(`{"a":`, maxNesting+1), pointers: "/a", err: fmt.Sprintf("byte %d: values are nested too deeply", 5*maxNesting)},
	} {
		p := newPointers(t, strings.Split(tt.pointers, " ")...)
		found := make([]Span, p.Len())
		err := p.Find([]byte(tt.text), all(p), found)
		if fmt.Sprint(err) != cmpOr(tt.err, "<nil>") {
			t.Errorf("%.60s, pointers %s: error %v, want %s", tt.text, tt.pointers, err, tt.err)
		}
		for i, want := range tt.want {
			got := missing
			if found[i].Found() {
				got = string(found[i].Append(nil, []byte(tt.text)))
			}
			if got != want {
				t.Errorf("%s, pointer %q: %q, want %q", tt.text, p.Text(i), got, want)
			}
		}
	}
}

func cmpOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// What is not wanted is neither looked for nor waited for.
func TestFindWanted(t *testing.T) {
	p := newPointers(t, "/a", "/b", "/c")
	found := make([]Span, 3)
	text := []byte(`{"a":1,"b":2,oops`)
	if err := p.Find(text, Bit(1), found); err != nil {
		t.Fatal(err)
	}
	if found[0].Found() || found[2].Found() || string(found[1].Append(nil, text)) != "2" {
		t.Errorf("found %+v", found)
	}
}

func TestAddErrors(t *testing.T) {
	for pointer, want := range map[string]string{
		"a": "begins with /", "#/a": "begins with /", "/~": "~0", "/a~2": "~0", "/~~01": "~0", "/a/~": "~0",
		strings.Repeat("/a", MaxLevels+1): "65 levels, more than 64",
	} {
		if _, err := new(Pointers).Add(pointer); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("pointer %s: error %v, want %q", pointer, err, want)
		}
	}
	p := &Pointers{}
	for i := range MaxPointers {
		if _, err := p.Add("/" + strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
	}
	if number, err := p.Add("/7"); err != nil || number != 7 {
		t.Errorf("an equal pointer has number %d, error %v", number, err)
	}
	if _, err := p.Add("/x"); err == nil || !strings.Contains(err.Error(), "more than 64 different pointers") {
		t.Errorf("the 65th pointer: error %v", err)
	}
	if _, err := new(Pointers).Add(strings.Repeat("/a", MaxLevels)); err != nil {
		t.Errorf("as many levels as there may be: %v", err)
	}
}

func TestFindAllocates(t *testing.T) {
	p := newPointers(t, "/device", "/site", "/seq", "/absent")
	found := make([]Span, 4)
	if n := testing.AllocsPerRun(100, func() {
		clear(found)
		if err := p.Find(reading, all(p), found); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// lookUp is what Find should find, by encoding/json: the text at a pointer, or
// false. It takes the first of equal names, as Find does.
func lookUp(t interface{ Fatalf(string, ...any) }, text []byte, tokens []string) (string, bool) {
	if len(tokens) == 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		switch v := token.(type) {
		case string:
			return v, true
		case json.Number:
			return v.String(), true
		case bool:
			return strconv.FormatBool(v), true
		}
		return "", false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	open, err := d.Token()
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for index := 0; (open == json.Delim('{') || open == json.Delim('[')) && d.More(); index++ {
		name := strconv.Itoa(index)
		if open == json.Delim('{') {
			token, err := d.Token()
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			name = token.(string)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if name == tokens[0] {
			return lookUp(t, value, tokens[1:])
		}
	}
	return "", false
}

// compareFind compares Find with encoding/json: what they find in a valid
// text, and where they stop in another.
func compareFind(t interface{ Fatalf(string, ...any) }, p *Pointers, text []byte) {
	found := make([]Span, p.Len())
	err := p.Find(text, all(p), found)
	var stdlib *json.SyntaxError
	if errors.As(json.Unmarshal(text, new(json.RawMessage)), &stdlib) {
		var ours *SyntaxError
		if !errors.As(err, &ours) {
			return // the error may lie beyond the last pointer: see TestFindStops
		}
		// Its offset is how much it read: with the bad byte, if there is one.
		ended := ours.Offset == len(text) && int(stdlib.Offset) == len(text)
		if ours.Offset != int(stdlib.Offset)-1 && !ended {
			t.Fatalf("%q: %v, encoding/json says %v at %d", text, err, stdlib, stdlib.Offset)
		}
		return
	}
	if err != nil {
		t.Fatalf("%q: %v, but encoding/json takes it", text, err)
	}
	for i := range p.Len() {
		tokens, err := parsePointer(p.Text(i))
		if err != nil {
			t.Fatalf("%v", err)
		}
		want, there := lookUp(t, text, tokens)
		got := string(bytes.ToValidUTF8(found[i].Append(nil, text), nil))
		if found[i].Found() != there || got != strings.ReplaceAll(want, "\ufffd", "") && utf8.Valid(text) && got != want {
			t.Fatalf("%q, pointer %q: %q (found %v), encoding/json says %q (%v)", text, p.Text(i), got, found[i].Found(), want, there)
		}
	}
}

var drawName = rapid.SampledFrom([]string{"a", "b", "0", "1", "", "~", "/", "é", "a\nb", "ab"})

// drawJSON draws a JSON value, with white space, escapes and equal names.
func drawJSON(t *rapid.T, depth int) string {
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n", "\t \r"})
	in := func(s string) string { return space.Draw(t, "space") + s + space.Draw(t, "space") }
	kinds := 7
	if depth == 0 {
		kinds = 5
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return in(rapid.SampledFrom([]string{"null", "true", "false"}).Draw(t, "word"))
	case 1:
		return in(rapid.StringMatching(`-?(0|[1-9][0-9]{0,3})(\.[0-9]{1,3})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number"))
	case 2:
		return in(drawString(t, rapid.String().Draw(t, "text")))
	case 3:
		return in(`"` + rapid.StringMatching(`(\\u[dD][89a-fA-F][0-9a-f]{2}|\\n|\\/|x){0,4}`).Draw(t, "escapes") + `"`)
	case 4:
		return in(drawString(t, drawName.Draw(t, "name")))
	case 5:
		var members []string
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			members = append(members, in(drawString(t, drawName.Draw(t, "name")))+":"+drawJSON(t, depth-1))
		}
		return in("{" + strings.Join(members, ",") + space.Draw(t, "space") + "}")
	default:
		var elements []string
		for range rapid.IntRange(0, 3).Draw(t, "elements") {
			elements = append(elements, drawJSON(t, depth-1))
		}
		return in("[" + strings.Join(elements, ",") + space.Draw(t, "space") + "]")
	}
}

// drawString writes s as a JSON string, sometimes with needless escapes.
func drawString(t *rapid.T, s string) string {
	if rapid.Bool().Draw(t, "escape") {
		var b strings.Builder
		b.WriteByte('"')
		for _, r := range s {
			if r < 0x10000 {
				fmt.Fprintf(&b, `\u%04x`, r)
			} else {
				b.WriteRune(r)
			}
		}
		return b.String() + `"`
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(quoted)
}

func drawPointers(t *rapid.T) *Pointers {
	p := &Pointers{}
	for range rapid.IntRange(1, 4).Draw(t, "pointers") {
		var s strings.Builder
		for range rapid.IntRange(0, 3).Draw(t, "levels") {
			s.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(drawName.Draw(t, "token")))
		}
		if _, err := p.Add(s.String()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestFindIsThatOfEncodingJSON finds in valid texts, and in texts with a byte
// changed, left out or put in.
func TestFindIsThatOfEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPointers(t)
		text := []byte(drawJSON(t, 3))
		compareFind(t, p, text)
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		with := rapid.SampledFrom([]string{"", ",", "\"", "}", "]", ":", "0", "\\", "x", "\x00", "-", "{", "n"}).Draw(t, "with")
		compareFind(t, p, []byte(string(text[:at])+with+string(text[at+1:])))
		compareFind(t, p, []byte(string(text[:at])+with+string(text[at:])))
		compareFind(t, p, text[:at])
	})
}

// TestFindStops takes all that Find needs not read off a valid text: what is
// left is enough, and a byte less is not.
func TestFindStops(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPointers(t)
		text := []byte(`{"a":` + drawJSON(t, 2) + `,"b":` + drawJSON(t, 2) + `}`)
		whole := make([]Span, p.Len())
		if err := p.Find(text, all(p), whole); err != nil {
			t.Fatal(err)
		}
		decided := false
		for end := range len(text) {
			part := make([]Span, p.Len())
			err := p.Find(text[:end], all(p), part)
			if err == nil && len(bytes.TrimSpace(text[end:])) > 0 {
				decided = true
				if !slices.Equal(part, whole) {
					t.Fatalf("%q: in its first %d bytes %+v, in all %+v", text, end, part, whole)
				}
			} else if err != nil && decided {
				t.Fatalf("%q: less was enough, but %d bytes are not: %v", text, end, err)
			}
		}
	})
}

func FuzzFind(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s), "/a", "/0")
	}
	f.Add([]byte(`{"a":{"b":[1,"\ud83d\ude00"]}}`), "/a/b/1", "")
	f.Fuzz(func(t *testing.T, text []byte, first, second string) {
		p := &Pointers{}
		for _, s := range []string{first, second} {
			if _, err := p.Add(s); err != nil || !utf8.ValidString(s) || strings.Contains(s, "\ufffd") {
				return
			}
		}
		compareFind(t, p, text)
	})
}
