package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/internal/inprocess"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// script is a plugin whose transform answers as a test wants.
type script struct {
	pluginpb.UnimplementedStagesServer
	batch func(transformStream, *pluginpb.Batch) error
}

type transformStream = grpc.BidiStreamingServer[pluginpb.TransformRequest, pluginpb.TransformResponse]

func (s *script) Transform(stream transformStream) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return hungUp(err)
		}
		if r.GetOpen() != nil {
			err = stream.Send(&pluginpb.TransformResponse{Response: &pluginpb.TransformResponse_Opened{Opened: &pluginpb.Opened{}}})
		} else if b := r.GetBatch(); b != nil {
			err = s.batch(stream, b)
		}
		if err != nil {
			return err
		}
	}
}

// hungUp is why a call has ended: nil when the host has ended it.
func hungUp(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// echo answers as it should.
func echo(stream transformStream, b *pluginpb.Batch) error { return stream.Send(made(b)) }

func made(b *pluginpb.Batch) *pluginpb.TransformResponse {
	m := &pluginpb.Made{Number: b.Number}
	for _, one := range b.Messages {
		m.Results = append(m.Results, &pluginpb.Result{Messages: []*pluginpb.Message{one}})
	}
	return &pluginpb.TransformResponse{Response: &pluginpb.TransformResponse_Made{Made: m}}
}

// changed answers as it should but for a change.
func changed(change func(*pluginpb.Made)) func(transformStream, *pluginpb.Batch) error {
	return func(stream transformStream, b *pluginpb.Batch) error {
		r := made(b)
		change(r.GetMade())
		return stream.Send(r)
	}
}

// A plugin that answers wrongly once is started again, and nothing is lost; it says
// what was wrong.
func TestWrongAnswers(t *testing.T) {
	const limit = 1 << 20
	for name, c := range map[string]struct {
		batch func(transformStream, *pluginpb.Batch) error
		want  string
	}{
		"never": {
			func(stream transformStream, _ *pluginpb.Batch) error {
				<-stream.Context().Done()
				return nil
			}, "it did not answer within 3s",
		},
		"another batch": {
			changed(func(m *pluginpb.Made) { m.Number += 7 }),
			"it answered what it must not: what was made of batch 8, when it was asked for batch 1",
		},
		"too many": {
			changed(func(m *pluginpb.Made) { m.Results = append(m.Results, m.Results...) }),
			"it answered what it must not: 6 results for 3 messages",
		},
		"none": {
			changed(func(m *pluginpb.Made) { m.Results = nil }),
			"it answered what it must not: no result for 3 messages",
		},
		"behind a transient failure": {
			changed(func(m *pluginpb.Made) { m.Results[1] = &pluginpb.Result{Failure: &pluginpb.Failure{Text: "later"}} }),
			"it answered what it must not: a result behind message 1, which is to be tried again",
		},
		"more behind a transient failure": {
			changed(func(m *pluginpb.Made) {
				m.Results, m.More = []*pluginpb.Result{{Failure: &pluginpb.Failure{Text: "later"}}}, true
			}),
			"it answered what it must not: a result behind message 0, which is to be tried again",
		},
		"more than there are": {
			changed(func(m *pluginpb.Made) { m.More = true }),
			"it answered what it must not: more results than messages",
		},
		"two things": {
			changed(func(m *pluginpb.Made) { m.Results[1].Filtered = "and filtered" }),
			"it answered what it must not: result 1: it has more than one of messages, changes, a reason to be filtered, and a failure",
		},
		"too long": {
			changed(func(m *pluginpb.Made) { m.Results[0].Messages[0].Payload = make([]byte, limit) }),
			"its answer is too long: grpc: received message larger than max (",
		},
		"changed and failed": {
			changed(func(m *pluginpb.Made) {
				m.Results[1] = &pluginpb.Result{Changed: &pluginpb.Changed{}, Failure: &pluginpb.Failure{Text: "no", Permanent: true}}
			}),
			"it answered what it must not: result 1: it has more than one of messages, changes, a reason to be filtered, and a failure",
		},
		"too many changes": {
			changed(func(m *pluginpb.Made) {
				many := map[string]string{}
				for i := range 1025 {
					many[fmt.Sprint(i)] = ""
				}
				m.Results[2] = &pluginpb.Result{Changed: &pluginpb.Changed{Metadata: many}}
			}),
			"it answered what it must not: result 2: it has more than 1024 metadata entries",
		},
		"too many removed": {
			changed(func(m *pluginpb.Made) {
				m.Results[0] = &pluginpb.Result{Changed: &pluginpb.Changed{Removed: make([]string, 1025)}}
			}),
			"it answered what it must not: result 0: it has more than 1024 metadata entries",
		},
		"too much metadata": {
			changed(func(m *pluginpb.Made) {
				for i := range 1025 {
					m.Results[2].Messages[0].Metadata[fmt.Sprint(i)] = ""
				}
			}),
			"it answered what it must not: result 2: it has more than 1024 metadata entries",
		},
		"opened again": {
			func(stream transformStream, _ *pluginpb.Batch) error {
				return stream.Send(&pluginpb.TransformResponse{Response: &pluginpb.TransformResponse_Opened{Opened: &pluginpb.Opened{}}})
			}, "it answered what it must not: not what was made of a batch",
		},
		"garbage": {
			func(stream transformStream, _ *pluginpb.Batch) error {
				r := &pluginpb.TransformResponse{} // made {results {messages {uuid: what is no text}}}
				r.ProtoReflect().SetUnknown([]byte("\x12\x09\x12\x07\x0a\x05\x0a\x03\xff\xfe\xfd"))
				return stream.Send(r)
			}, "it answered what it must not: result 0: a text is no UTF-8",
		},
		"gone": {
			func(transformStream, *pluginpb.Batch) error { return errors.New("I give up") },
			"the call ended with Unknown: I give up",
		},
		"ended": {
			func(transformStream, *pluginpb.Batch) error { return context.Canceled },
			"the call ended with Canceled: context canceled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := true
			plugin, process := connectTo(t, &script{batch: func(stream transformStream, b *pluginpb.Batch) error {
				if first {
					first = false
					return c.batch(stream, b)
				}
				return echo(stream, b)
			}}, remote.Limits{Timeout: 3 * time.Second, MessageBytes: limit})
			transform := plugin.Transform("any", []byte("{}"), env)
			expectAll(t, transform, "a", "b", "c")
			reasons := process.Reasons()
			if len(reasons) != 1 || !strings.HasPrefix(reasons[0], "transform any: "+c.want) {
				t.Errorf("the plugin failed because of %q, want one that begins with %q", reasons, "transform any: "+c.want)
			}
			if err := transform.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// expectAll puts messages through that are to pass.
func expectAll(t *testing.T, transform feed.Transform, payloads ...string) {
	t.Helper()
	got := transform.Batch(t.Context(), messages(payloads...))
	if len(got) != len(payloads) {
		t.Fatalf("%d results: %v", len(got), got)
	}
	for i, m := range got {
		if m.Err != nil || len(m.Messages) != 1 || string(m.Messages[0].Payload) != payloads[i] {
			t.Errorf("message %d became %s", i, show(m))
		}
	}
}

// killer is a plugin whose process is ended by messages of the payload poison.
type killer struct {
	script
	process *inprocess.Process
	alone   int // deaths with nothing else in flight
}

func newKiller(t *testing.T) (*remote.Plugin, *killer) {
	k := &killer{}
	k.batch = func(stream transformStream, b *pluginpb.Batch) error {
		for _, m := range b.Messages {
			if string(m.Payload) == "poison" {
				if len(b.Messages) == 1 {
					k.alone++
				}
				return errors.New("poisoned")
			}
		}
		return echo(stream, b)
	}
	plugin, process := connectTo(t, k, remote.Limits{Timeout: patience})
	k.process = process
	return plugin, k
}

// A message that kills the plugin twice by itself is condemned, its neighbours pass,
// in order.
func TestPoisonIsCondemned(t *testing.T) {
	plugin, k := newKiller(t)
	transform := plugin.Transform("any", []byte("{}"), env)
	payloads := []string{"a", "b", "poison", "c", "poison", "d"}
	given := messages(payloads...)
	got := transform.Batch(t.Context(), given)
	if len(got) != len(payloads) {
		t.Fatalf("%d results: %v", len(got), got)
	}
	for i, m := range got {
		switch {
		case payloads[i] != "poison":
			if m.Err != nil || len(m.Messages) != 1 || string(m.Messages[0].Payload) != payloads[i] {
				t.Errorf("message %d became %s", i, show(m))
			}
		case !feed.IsPermanent(m.Err) || m.Err.Error() != "killed plugin acme twice: the call ended with Unknown: poisoned":
			t.Errorf("the poison became %s", show(m))
		}
	}
	if deaths := len(k.process.Reasons()); k.alone != 4 || deaths != 5 {
		t.Errorf("%d deaths, %d with a message alone, want 5 and 4", deaths, k.alone)
	}
	expectAll(t, transform, "e", "f") // and goes on with batches
	if err := transform.Close(); err != nil {
		t.Error(err)
	}
}

// A process that somebody else kills condemns nothing, however often.
func TestKillsCondemnNothing(t *testing.T) {
	kills := 0
	plugin, process := connectTo(t, &script{batch: func(stream transformStream, b *pluginpb.Batch) error {
		if kills < 20 && len(b.Messages) > 1 {
			kills++
			return errors.New("killed")
		}
		return echo(stream, b)
	}}, remote.Limits{Timeout: patience})
	transform := plugin.Transform("any", []byte("{}"), env)
	for range 30 {
		expectAll(t, transform, "a", "b", "c")
	}
	if n := len(process.Reasons()); n != 20 {
		t.Errorf("it was killed %d times", n)
	}
	if err := transform.Close(); err != nil {
		t.Error(err)
	}
}

// While a suspect is in flight nothing else is: another stage's message that kills the
// process then would be the suspect's blame.
func TestSuspectIsAlone(t *testing.T) {
	var mu sync.Mutex
	beside, died, alone := 0, false, false
	enter := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		if alone {
			t.Error("a call is in flight beside a suspect")
		}
		beside += n
	}
	plugin, _ := connectTo(t, &script{batch: func(stream transformStream, b *pluginpb.Batch) error {
		if string(b.Messages[0].Payload) != "suspect" {
			enter(1)
			enter(-1) // before the answer: with it the next call may begin
			return echo(stream, b)
		}
		mu.Lock()
		if !died {
			died = true
			mu.Unlock()
			return errors.New("died")
		}
		if beside > 0 {
			t.Errorf("%d calls are in flight beside a suspect", beside)
		}
		alone = true
		mu.Unlock()
		select { // the others have time to do it wrong
		case <-time.After(10 * time.Millisecond):
		case <-stream.Context().Done():
		}
		mu.Lock()
		alone = false
		mu.Unlock()
		return echo(stream, b)
	}}, remote.Limits{Timeout: patience})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		other := plugin.Transform("other", []byte("{}"), env)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					if err := other.Close(); err != nil {
						t.Error(err)
					}
					return
				default:
					other.Batch(t.Context(), messages("x"))
				}
			}
		})
	}
	transform := plugin.Transform("any", []byte("{}"), env)
	payloads := make([]string, 30)
	for i := range payloads {
		payloads[i] = "suspect"
	}
	expectAll(t, transform, payloads...)
	close(stop)
	wg.Wait()
	if err := transform.Close(); err != nil {
		t.Error(err)
	}
}

// A suspect that has waited for another one, which has killed the process, is not
// blamed for that.
func TestDeathOfAnotherCondemnsNothing(t *testing.T) {
	plugin, process := connectTo(t, &script{batch: func(stream transformStream, b *pluginpb.Batch) error {
		select { // so that the other stage waits meanwhile
		case <-time.After(10 * time.Millisecond):
		case <-stream.Context().Done():
		}
		if string(b.Messages[0].Payload) == "poison" {
			return errors.New("poisoned")
		}
		return echo(stream, b)
	}}, remote.Limits{Timeout: patience})
	for range 10 {
		killing, other := plugin.Transform("any", []byte("{}"), env), plugin.Transform("any", []byte("{}"), env)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if got := killing.Batch(t.Context(), messages("poison")); !feed.IsPermanent(got[0].Err) {
				t.Errorf("the poison became %s", show(got[0]))
			}
		}()
		for passing := true; passing; {
			select {
			case <-done:
				passing = false
			default:
				if got := other.Batch(t.Context(), messages("good")); feed.IsPermanent(got[0].Err) {
					t.Errorf("a message that does nothing became %s", show(got[0]))
				}
			}
		}
		if err := errors.Join(killing.Close(), other.Close()); err != nil {
			t.Error(err)
		}
	}
	if deaths := len(process.Reasons()); deaths != 30 {
		t.Errorf("%d deaths for 10 poisons, want three for each", deaths)
	}
}

// noConn is a connection whose budget of restarts is used up.
type noConn struct{ remote.Conn }

var errBudget = errors.New("the budget is used up")

func (noConn) Client(context.Context) (pluginpb.StagesClient, uint64, error) {
	return nil, 0, errBudget
}

// scarce is a connection to a process that may be started so often, until the budget
// is filled again.
type scarce struct {
	*inprocess.Process
	left int
}

func (s *scarce) Client(ctx context.Context) (pluginpb.StagesClient, uint64, error) {
	before := s.Starts()
	if client, gen, err := s.Process.Client(ctx); err != nil || s.Starts() == before || s.left > 0 {
		s.left -= s.Starts() - before
		return client, gen, err
	}
	s.Kill()
	return nil, 0, errBudget
}

// A message that kills is condemned also when each of its deaths uses up the budget of
// restarts, and it goes back to its source and comes again in between.
func TestPoisonThatComesAgainIsCondemned(t *testing.T) {
	poisoned := func(b *pluginpb.Batch) error {
		for _, m := range b.Messages {
			if string(m.Payload) == "poison" {
				return errors.New("poisoned")
			}
		}
		return nil
	}
	for _, c := range []struct {
		kind   string
		server pluginpb.StagesServer
		put    func(*remote.Plugin) func() error // returns why one of the messages has failed
	}{
		{"transform", &script{batch: func(stream transformStream, b *pluginpb.Batch) error {
			if err := poisoned(b); err != nil {
				return err
			}
			return echo(stream, b)
		}}, func(plugin *remote.Plugin) func() error {
			transform := plugin.Transform("any", []byte("{}"), env)
			return func() error {
				for _, m := range transform.Batch(t.Context(), messages("a", "poison", "b")) {
					if m.Err != nil {
						return m.Err
					}
				}
				return nil
			}
		}},
		{"sink", &others{publish: func(b *pluginpb.Batch) (*pluginpb.Published, error) {
			return &pluginpb.Published{Number: b.Number}, poisoned(b)
		}}, func(plugin *remote.Plugin) func() error {
			sink := plugin.Sink("any", []byte("{}"), env, true)
			return func() error {
				err := sink.PublishBatch(t.Context(), feed.NewBatch(messages("a", "poison", "b")...))
				if failed := (*feed.BatchError)(nil); errors.As(err, &failed) {
					return failed.Failures[0].Err
				}
				return err
			}
		}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			_, process := connectTo(t, c.server, remote.Limits{})
			conn := &scarce{Process: process}
			put := c.put(remote.New("acme", conn, remote.Limits{Timeout: patience}))
			for try := range 3 {
				conn.left = 1
				switch err := put(); {
				case feed.IsPermanent(err) && try == 2 && strings.HasPrefix(err.Error(), "killed plugin acme twice: "):
				case err == nil || feed.IsPermanent(err) || try == 2:
					t.Errorf("try %d: %v", try, err)
				}
			}
		})
	}
}

// Without a process messages wait.
func TestNoProcessIsTransient(t *testing.T) {
	plugin := remote.New("acme", noConn{}, remote.Limits{Timeout: patience})
	got := plugin.Transform("any", []byte("{}"), env).Batch(t.Context(), messages("a", "b"))
	if len(got) != 1 || !errors.Is(got[0].Err, errBudget) || feed.IsPermanent(got[0].Err) {
		t.Errorf("the transform returned %v", got)
	}
	if err := plugin.Sink("any", []byte("{}"), env, true).PublishBatch(t.Context(), feed.NewBatch(messages("a")...)); !errors.Is(err, errBudget) {
		t.Errorf("the sink returned %v", err)
	}
	if _, err := plugin.Source("any", []byte("{}"), env).SubscribeBatch(t.Context(), ""); !errors.Is(err, errBudget) || feed.IsPermanent(err) {
		t.Errorf("the source returned %v", err)
	}
	if _, err := plugin.Expectation(t.Context(), "any", []byte("{}"), env); !errors.Is(err, errBudget) {
		t.Errorf("the expectation returned %v", err)
	}
}

// What cannot be sent is refused for good, the rest passes.
func TestWhatCannotBeSent(t *testing.T) {
	plugin, process := connectTo(t, &script{batch: echo}, remote.Limits{Timeout: patience})
	transform := plugin.Transform("any", []byte("{}"), env)
	given := messages("a", "b", "c", "d")
	given[1].Metadata["latin"] = "\xe4"
	given[2].Payload = make(message.Payload, 65<<20)
	got := transform.Batch(t.Context(), given)
	if len(got) != 4 || got[0].Err != nil || got[3].Err != nil {
		t.Fatalf("got %v", got)
	}
	for i, want := range map[int]string{
		1: `it cannot be sent to plugin acme: its metadata "latin": "\xe4" is no UTF-8`,
		2: "it cannot be sent to plugin acme: it is 68157", // bytes long
	} {
		if err := got[i].Err; !feed.IsPermanent(err) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if err := transform.Close(); err != nil || len(process.Reasons()) > 0 {
		t.Errorf("close: %v, the plugin failed because of %v", err, process.Reasons())
	}
}

// A batch whose context ends comes again, and the plugin is not blamed.
func TestTransformWhoseContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	plugin, process := connectTo(t, &script{batch: func(stream transformStream, b *pluginpb.Batch) error {
		if ctx.Err() == nil {
			cancel()
			<-stream.Context().Done()
			return nil
		}
		return echo(stream, b)
	}}, remote.Limits{Timeout: patience})
	transform := plugin.Transform("any", []byte("{}"), env)
	got := transform.Batch(ctx, messages("a", "b"))
	if len(got) != 1 || !errors.Is(got[0].Err, context.Canceled) || feed.IsPermanent(got[0].Err) {
		t.Errorf("got %v", got)
	}
	expectAll(t, transform, "a", "b")
	if err := transform.Close(); err != nil || len(process.Reasons()) > 0 {
		t.Errorf("close: %v, the plugin failed because of %v", err, process.Reasons())
	}
}

// A stage that cannot be opened keeps its messages.
func TestStageThatCannotBeOpened(t *testing.T) {
	plugin, process := connect(t, sorter(nil, nil))
	got := plugin.Transform("sort", []byte(`{"prefix": 7, "other": 1}`), env).Batch(t.Context(), messages("a"))
	if len(got) != 1 || feed.IsPermanent(got[0].Err) || !strings.HasPrefix(got[0].Err.Error(), "transform sort of plugin acme cannot be opened: ") {
		t.Errorf("got %v", got)
	}
	got = plugin.Transform("none", []byte(`{}`), env).Batch(t.Context(), messages("a"))
	if len(got) != 1 || feed.IsPermanent(got[0].Err) || got[0].Err.Error() != `transform none of plugin acme cannot be opened: plugin acme has no transform "none"` {
		t.Errorf("got %v", got)
	}
	if len(process.Reasons()) > 0 {
		t.Errorf("the plugin failed because of %v", process.Reasons())
	}
}
