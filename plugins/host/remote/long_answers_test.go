package remote_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

type plainConfig struct{}

func (*plainConfig) Validate() error { return nil }

// whole is a transform of whole batches.
func whole(batch func([]*message.Message) []feed.Made) feed.Factory {
	return feed.TransformFactory("whole", "takes batches", func() plainConfig { return plainConfig{} },
		func(plainConfig, feed.StageEnv) (feed.Transform, error) {
			return feed.Transform{Batch: func(_ context.Context, msgs []*message.Message) []feed.Made { return batch(msgs) }}, nil
		})
}

// What was made of a whole batch is sent however long it is, and made once.
func TestTransformOfBatchesWithLongAnswers(t *testing.T) {
	const n = 100
	calls := 0
	plugin, process := connect(t, whole(func(msgs []*message.Message) []feed.Made {
		calls++
		all := make([]feed.Made, len(msgs))
		for i, m := range msgs {
			all[i].Messages = []*message.Message{message.NewMessage(m.UUID, make([]byte, 1<<20))}
		}
		return all
	}))
	transform := plugin.Transform("whole", []byte("{}"), env)
	got := transform.Batch(t.Context(), messages(make([]string, n)...))
	if len(got) != n {
		t.Fatalf("%d results", len(got))
	}
	for i, m := range got {
		if m.Err != nil || len(m.Messages) != 1 || m.Messages[0].UUID != fmt.Sprintf("id-%d", i) || len(m.Messages[0].Payload) != 1<<20 {
			t.Errorf("message %d became %s", i, show(m))
		}
	}
	if reasons := process.Reasons(); len(reasons) > 0 || calls != 1 {
		t.Errorf("it was called %d times, the plugin failed because of %q", calls, reasons)
	}
	if err := transform.Close(); err != nil {
		t.Error(err)
	}
}

// What is made of one message is bounded, in the number of messages and of their
// metadata entries, too: more than that is refused, and not the plugin's end.
func TestTransformThatMakesMany(t *testing.T) {
	metadata := message.Metadata{}
	for i := range 1000 {
		metadata[fmt.Sprint(i)] = ""
	}
	many := func(n int, metadata message.Metadata) feed.Made {
		m := feed.Made{Messages: make([]*message.Message, n)}
		for i := range m.Messages {
			m.Messages[i] = &message.Message{Metadata: metadata}
		}
		return m
	}
	plugin, process := connect(t, whole(func(msgs []*message.Message) []feed.Made {
		var all []feed.Made
		for _, m := range msgs {
			switch string(m.Payload) {
			case "many":
				all = append(all, many(120_000, nil))
			case "too many":
				all = append(all, many(131_073, nil))
			case "metadata":
				all = append(all, many(260, metadata))
			case "too much metadata":
				all = append(all, many(263, metadata))
			}
		}
		return all
	}))
	transform := plugin.Transform("whole", []byte("{}"), env)
	got := transform.Batch(t.Context(), messages("many", "many", "too many", "many", "metadata", "metadata", "too much metadata", "metadata", "metadata", "metadata", "many"))
	want := []any{
		120_000, 120_000, "it made 131073 messages of one, more than 131072", 120_000,
		260, 260, "what it made of the message has 263000 metadata entries, more than 262144", 260, 260, 260, 120_000,
	}
	if len(got) != len(want) {
		t.Fatalf("%d results", len(got))
	}
	for i, m := range got {
		switch want := want[i].(type) {
		case int:
			if m.Err != nil || len(m.Messages) != want {
				t.Errorf("message %d became %d messages, %v", i, len(m.Messages), m.Err)
			}
		case string:
			if !feed.IsPermanent(m.Err) || m.Err.Error() != want {
				t.Errorf("message %d became %v, want %s", i, m.Err, want)
			}
		}
	}
	if reasons := process.Reasons(); len(reasons) > 0 {
		t.Errorf("the plugin failed because of %q", reasons)
	}
	if err := transform.Close(); err != nil {
		t.Error(err)
	}
}

// Of a process that dies between two answers to a batch, what it has answered counts.
func TestDeathBetweenTwoAnswers(t *testing.T) {
	var sent []string
	plugin, process := connectTo(t, &script{batch: func(stream transformStream, b *pluginpb.Batch) error {
		for _, m := range b.Messages {
			sent = append(sent, string(m.Payload))
		}
		if len(b.Messages) < 4 {
			return echo(stream, b)
		}
		r := made(b)
		r.GetMade().Results, r.GetMade().More = r.GetMade().Results[:2], true
		return errors.Join(stream.Send(r), errors.New("gone"))
	}}, remote.Limits{Timeout: patience})
	transform := plugin.Transform("any", []byte("{}"), env)
	expectAll(t, transform, "a", "b", "c", "d")
	if got := strings.Join(sent, ""); got != "abcdcd" || len(process.Reasons()) != 1 {
		t.Errorf("sent %q, the plugin failed because of %q", got, process.Reasons())
	}
	if err := transform.Close(); err != nil {
		t.Error(err)
	}
}

// boastful is a plugin that has a very long list of stages, and nothing to say of them.
type boastful struct {
	pluginpb.UnimplementedStagesServer
}

func (boastful) Describe(context.Context, *pluginpb.DescribeRequest) (*pluginpb.DescribeResponse, error) {
	d := &pluginpb.DescribeResponse{Stages: make([]*pluginpb.Stage, 1<<20+1)}
	for i := range d.Stages {
		d.Stages[i] = &pluginpb.Stage{}
	}
	return d, nil
}

// Lists of nothing are refused, in answers to calls without a stream, too.
func TestListOfNothingIsRefused(t *testing.T) {
	_, process := connectTo(t, boastful{}, remote.Limits{Timeout: patience})
	client, _, err := process.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d, err := client.Describe(t.Context(), &pluginpb.DescribeRequest{}); err == nil || !strings.HasSuffix(err.Error(), "it has more than 1048576 parts of lists") {
		t.Errorf("it has %d stages, %v", len(d.GetStages()), err)
	}
}
