package wire

import (
	"errors"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Failure is an error on its way between the processes. The zero value is none.
type Failure struct {
	Text            string
	Permanent       bool
	ConnectionFatal bool
}

// FailureOf describes an error; nil is the zero Failure.
func FailureOf(err error) Failure {
	if err == nil {
		return Failure{}
	}
	text := Text(err.Error())
	if text == "" {
		text = "an error without a text"
	}
	return Failure{Text: text, Permanent: feed.IsPermanent(err), ConnectionFatal: feed.IsConnectionFatal(err)}
}

// FailureFrom is what a plugin says of a failure; nil is the zero Failure.
func FailureFrom(f *pluginpb.Failure) Failure {
	if f == nil {
		return Failure{}
	}
	return failureWith(f.Text, f.Permanent, f.ConnectionFatal)
}

func failureWith(text string, permanent, fatal bool) Failure {
	if text = Text(text); text == "" {
		text = "a failure without a text"
	}
	return Failure{Text: text, Permanent: permanent, ConnectionFatal: fatal}
}

// Proto is the failure as a part of a generated message: nil when there is none.
func (f Failure) Proto() *pluginpb.Failure {
	if f == (Failure{}) {
		return nil
	}
	return &pluginpb.Failure{Text: f.Text, Permanent: f.Permanent, ConnectionFatal: f.ConnectionFatal}
}

// Err is the error that was described; nil for the zero Failure.
func (f Failure) Err() error {
	if f == (Failure{}) {
		return nil
	}
	err := errors.New(f.Text)
	if f.ConnectionFatal {
		err = feed.ConnectionFatal(err)
	}
	if f.Permanent {
		err = feed.Permanent(err)
	}
	return err
}

func (f Failure) append(b []byte) []byte {
	b = protowire.AppendTag(b, failureText, protowire.BytesType)
	b = protowire.AppendString(b, f.Text)
	if f.Permanent {
		b = appendNumber(b, failureForever, 1)
	}
	if f.ConnectionFatal {
		b = appendNumber(b, failureFatal, 1)
	}
	return b
}

// Text makes of a text for people one that can be sent: UTF-8, and not long.
func Text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= failureTextLong {
		return s
	}
	cut := failureTextLong
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
