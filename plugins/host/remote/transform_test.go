package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

type sortConfig struct {
	Prefix string `yaml:"prefix" doc:"What is put before a payload."`
}

func (c *sortConfig) Validate() error {
	if c.Prefix == "" {
		return &feed.ConfigError{Key: "prefix", Problem: "is missing", Remedy: "write prefix: x"}
	}
	return nil
}

// sorter does with a message what its payload says.
func sorter(settled func([]feed.Settled), closed func()) feed.Factory {
	return feed.TransformFactory("sort", "does as it is told", func() sortConfig { return sortConfig{} },
		func(c sortConfig, _ feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{
				Func: func(m *message.Message) ([]*message.Message, error) {
					switch word, _, _ := strings.Cut(string(m.Payload), " "); word {
					case "drop":
						return nil, feed.Filter("told so")
					case "refuse":
						return nil, feed.Permanent(errors.New("told to refuse"))
					case "panic":
						panic("told to")
					case "nothing":
						return nil, nil
					case "latin":
						m.Metadata["k"] = "\xe4"
						return []*message.Message{m}, nil
					case "later":
						return nil, errors.New("not yet")
					case "three":
						all := []*message.Message{m, m.Copy(), m.Copy()}
						all[1].Payload, all[2].Payload = nil, bytes.Repeat([]byte("x"), 10_000)
						all[2].Metadata = nil
						return all, nil
					}
					m.Payload = append([]byte(c.Prefix), m.Payload...)
					m.Metadata["seen"] = "yes"
					return []*message.Message{m}, nil
				},
				Settled: settled,
				Close: func() error {
					if closed != nil {
						closed()
					}
					return nil
				},
			}, nil
		})
}

func messages(payloads ...string) []*message.Message {
	all := make([]*message.Message, len(payloads))
	for i, p := range payloads {
		all[i] = &message.Message{
			UUID: fmt.Sprintf("id-%d", i), Payload: message.Payload(p),
			Metadata: message.Metadata{feed.MetaTopic: "plant/line1", "device": "press7", "ü": "ß", "": "empty key", "empty": ""},
		}
	}
	return all
}

func TestTransformConforms(t *testing.T) {
	plugin, process := connect(t, sorter(nil, nil))
	feedtest.TestTransform(t, feedtest.TransformUnderTest{
		New: func(t testing.TB) feed.Transform {
			return plugin.Transform("sort", document(t, map[string]any{"prefix": ">"}), env)
		},
		Messages: func() []*message.Message {
			return messages("a", "drop", "refuse", "latin", "three", "", strings.Repeat("long", 100_000), "three", "b")
		},
	})
	if reasons := process.Reasons(); len(reasons) > 0 || process.Starts() != 1 {
		t.Errorf("the plugin was started %d times, it failed because of %v", process.Starts(), reasons)
	}
}

func TestTransformGivesWhatItGivesInProcess(t *testing.T) {
	payloads := []string{"a", "panic", "drop it", "three", "refuse", "b", "nothing", "c", "later", "never seen"}
	f := sorter(nil, nil)
	c := f.NewConfig()
	c.(*sortConfig).Prefix = ">"
	local, err := f.Transform(c, env)
	if err != nil {
		t.Fatal(err)
	}
	plugin, _ := connect(t, f)
	there := plugin.Transform("sort", document(t, map[string]string{"prefix": ">"}), env)
	var want []feed.Made
	for _, m := range messages(payloads...) {
		out, err := local.Try(t.Context(), m)
		want = append(want, feed.Made{Messages: out, Err: err})
		if err != nil && err.Error() == "not yet" {
			break
		}
	}
	given := messages(payloads...)
	var bytes []message.Payload
	for _, m := range given {
		bytes = append(bytes, m.Payload)
	}
	type key struct{}
	given[0].SetContext(context.WithValue(t.Context(), key{}, "kept"))
	got := there.Batch(t.Context(), given)
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d: %v", len(got), len(want), got)
	}
	if kept := got[0].Messages[0].Context().Value(key{}); kept != "kept" {
		t.Errorf("the context's value is %v", kept)
	}
	for i := range want {
		if show(got[i]) != show(want[i]) {
			t.Errorf("message %d: got %s, want %s", i, show(got[i]), show(want[i]))
		}
		if feed.IsPermanent(got[i].Err) != feed.IsPermanent(want[i].Err) {
			t.Errorf("message %d: permanent is %v", i, feed.IsPermanent(got[i].Err))
		}
		if got := string(bytes[i]); got != payloads[i] {
			t.Errorf("somebody has written into the payload of message %d: %q", i, got)
		}
	}
	if err := there.Close(); err != nil {
		t.Error(err)
	}
}

func show(m feed.Made) string {
	s, _, _ := strings.Cut(fmt.Sprint(m.Err), "\n") // a stack follows
	for _, one := range m.Messages {
		s += fmt.Sprintf(" [%s %.20q %d %v]", one.UUID, one.Payload, len(one.Payload), one.Metadata)
	}
	return s
}

func TestTransformIsToldWhatIsSettled(t *testing.T) {
	var told []string
	closed := make(chan struct{})
	f := sorter(func(s []feed.Settled) {
		for _, one := range s {
			told = append(told, fmt.Sprintf("%s %d", one.Message.UUID, one.Outcome))
		}
	}, func() { close(closed) })
	plugin, _ := connect(t, f)
	there := plugin.Transform("sort", document(t, map[string]string{"prefix": ">"}), env)
	given := messages("a", "refuse", "drop", "b", "three")
	there.Batch(t.Context(), given)
	more := messages("c")
	more[0].UUID = "c"
	there.Batch(t.Context(), more)
	there.Settled([]feed.Settled{{Message: given[4], Outcome: feed.Delivered}, {Message: given[1], Outcome: feed.Quarantined}, {Message: given[2], Outcome: feed.Filtered}})
	there.Settled([]feed.Settled{{Message: more[0], Outcome: feed.Quarantined}, {Message: given[0], Outcome: feed.Delivered}, {Message: given[0], Outcome: feed.Delivered}})
	if err := there.Close(); err != nil {
		t.Fatal(err)
	}
	<-closed // the instance has got all requests before its end
	want := "[id-4 1 id-2 2 c 3 id-0 1]"
	if got := fmt.Sprint(told); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

// A context that ends just behind the answer has given the call up, and that is not
// the plugin's failure when it is to be told what is settled.
func TestSettledBehindAContextThatEnded(t *testing.T) {
	var cancel context.CancelFunc
	f := feed.TransformFactory("cancels", "ends the context of its caller", func() plainConfig { return plainConfig{} },
		func(plainConfig, feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{Func: func(m *message.Message) ([]*message.Message, error) {
				go cancel()
				return []*message.Message{m}, nil
			}, Settled: func([]feed.Settled) {}}, nil
		})
	plugin, process := connect(t, f)
	there := plugin.Transform("cancels", []byte("{}"), env)
	for range 1500 {
		var ctx context.Context
		ctx, cancel = context.WithCancel(t.Context())
		given := messages("a")
		if got := there.Batch(ctx, given); got[0].Err == nil {
			<-ctx.Done()
			there.Settled([]feed.Settled{{Message: given[0], Outcome: feed.Delivered}})
		}
		cancel()
	}
	if err := there.Close(); err != nil || len(process.Reasons()) > 0 {
		t.Errorf("close: %v, the plugin failed because of %q", err, process.Reasons())
	}
}
