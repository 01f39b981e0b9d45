package remote_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// errHang makes a plugin answer nothing any more.
var errHang = errors.New("hang")

// others is a plugin whose sink, source, codec and expectation answer as a test wants.
type others struct {
	pluginpb.UnimplementedStagesServer
	publish func(*pluginpb.Batch) (*pluginpb.Published, error)
	source  func(*pluginpb.SourceRequest) ([]*pluginpb.SourceResponse, error)
	decode  func(*pluginpb.Decode) (*pluginpb.Decoded, error)
	page    func(*pluginpb.Query) *pluginpb.Page
}

func (o *others) Sink(stream grpc.BidiStreamingServer[pluginpb.SinkRequest, pluginpb.SinkResponse]) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return hungUp(err)
		}
		answer := &pluginpb.SinkResponse{Response: &pluginpb.SinkResponse_Opened{Opened: &pluginpb.Opened{}}}
		if b := r.GetPublish(); b != nil {
			p, err := o.publish(b)
			if errors.Is(err, errHang) {
				<-stream.Context().Done()
			}
			if err != nil {
				return err
			}
			answer.Response = &pluginpb.SinkResponse_Published{Published: p}
		}
		if r.GetCancel() != nil { // ignored
			continue
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (o *others) Source(stream grpc.BidiStreamingServer[pluginpb.SourceRequest, pluginpb.SourceResponse]) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return hungUp(err)
		}
		answers := []*pluginpb.SourceResponse{{Response: &pluginpb.SourceResponse_Opened{Opened: &pluginpb.Opened{}}}}
		if r.GetOpen() == nil {
			if answers, err = o.source(r); err != nil {
				return err
			}
		}
		for _, a := range answers {
			if err := stream.Send(a); err != nil {
				return err
			}
		}
	}
}

func (o *others) Codec(stream grpc.BidiStreamingServer[pluginpb.CodecRequest, pluginpb.CodecResponse]) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return hungUp(err)
		}
		answer := &pluginpb.CodecResponse{Response: &pluginpb.CodecResponse_Opened{Opened: &pluginpb.Opened{}}}
		if d := r.GetDecode(); d != nil {
			decoded, err := o.decode(d)
			if err != nil {
				return err
			}
			answer.Response = &pluginpb.CodecResponse_Decoded{Decoded: decoded}
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

func (o *others) Expectation(stream grpc.BidiStreamingServer[pluginpb.ExpectationRequest, pluginpb.ExpectationResponse]) error {
	for {
		r, err := stream.Recv()
		if err != nil {
			return hungUp(err)
		}
		answer := &pluginpb.ExpectationResponse{Response: &pluginpb.ExpectationResponse_Opened{Opened: &pluginpb.ExpectationOpened{
			Opened: &pluginpb.Opened{}, Place: "the cloud", Identity: "cloud",
		}}}
		if q := r.GetQuery(); q != nil {
			answer.Response = &pluginpb.ExpectationResponse_Page{Page: o.page(q)}
		}
		if r.GetCredit() != nil {
			continue
		}
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// A message that kills the plugin of a sink is condemned, its neighbours are
// published, in order; each part of the batch is a batch of its own.
func TestSinkPoison(t *testing.T) {
	var stored []string
	received := map[int64]bool{}
	plugin, process := connectTo(t, &others{publish: func(b *pluginpb.Batch) (*pluginpb.Published, error) {
		if received[b.Received] {
			t.Errorf("two batches were received at %d", b.Received)
		}
		p := &pluginpb.Published{Number: b.Number}
		for i, m := range b.Messages {
			switch string(m.Payload) {
			case "poison":
				return nil, errors.New("poisoned")
			case "refuse":
				p.Failures = append(p.Failures, &pluginpb.MessageFailure{Index: uint32(i), Failure: &pluginpb.Failure{Text: "refused", Permanent: true}})
				continue
			}
			received[b.Received] = true
			stored = append(stored, string(m.Payload))
		}
		return p, nil
	}}, remote.Limits{Timeout: patience})
	sink := plugin.Sink("any", []byte("{}"), env, true)
	err := sink.PublishBatch(t.Context(), feed.NewBatch(messages("poison", "b", "refuse", "c", "d")...))
	var failed *feed.BatchError
	if !errors.As(err, &failed) || len(failed.Failures) != 2 || failed.Failures[0].Index != 0 || failed.Failures[1].Index != 2 {
		t.Fatalf("it returned %v", err)
	}
	for i, want := range []string{"killed plugin acme twice: the call ended with Unknown: poisoned", "refused"} {
		if err := failed.Failures[i].Err; !feed.IsPermanent(err) || err.Error() != want {
			t.Errorf("failure %d is %v", i, err)
		}
	}
	if got := strings.Join(stored, ""); got != "bcd" {
		t.Errorf("stored %q", got)
	}
	if n := len(process.Reasons()); n != 3 {
		t.Errorf("the plugin died %d times", n)
	}
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
}

func TestWrongAnswersToASink(t *testing.T) {
	failure := &pluginpb.Failure{Text: "no"}
	for name, c := range map[string]struct {
		answer func(*pluginpb.Published)
		want   string
	}{
		"another batch": {func(p *pluginpb.Published) { p.Number = 9 }, "what became of batch 9, when it was asked to publish batch 1"},
		"beyond": {
			func(p *pluginpb.Published) { p.Failures = []*pluginpb.MessageFailure{{Index: 3, Failure: failure}} },
			"a failure of message 3 of 3 behind one of -1",
		},
		"out of order": {
			func(p *pluginpb.Published) {
				p.Failures = []*pluginpb.MessageFailure{{Index: 1, Failure: failure}, {Index: 1, Failure: failure}}
			},
			"a failure of message 1 of 3 behind one of 1",
		},
		"no reason": {func(p *pluginpb.Published) { p.Failures = []*pluginpb.MessageFailure{{Index: 1}} }, "a failure of message 1 without a reason"},
	} {
		t.Run(name, func(t *testing.T) {
			first := true
			plugin, process := connectTo(t, &others{publish: func(b *pluginpb.Batch) (*pluginpb.Published, error) {
				p := &pluginpb.Published{Number: b.Number}
				if first {
					first = false
					c.answer(p)
				}
				return p, nil
			}}, remote.Limits{Timeout: patience})
			sink := plugin.Sink("any", []byte("{}"), env, true)
			if err := sink.PublishBatch(t.Context(), feed.NewBatch(messages("a", "b", "c")...)); err != nil {
				t.Error(err)
			}
			if got := process.Reasons(); len(got) != 1 || got[0] != "sink any: it answered what it must not: "+c.want {
				t.Errorf("the plugin failed because of %q", got)
			}
			if err := sink.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A sink that does not even answer that it was cancelled is hung.
func TestSinkThatNeverAnswers(t *testing.T) {
	first := true
	plugin, process := connectTo(t, &others{publish: func(b *pluginpb.Batch) (*pluginpb.Published, error) {
		if first {
			first = false
			return nil, errHang
		}
		return &pluginpb.Published{Number: b.Number}, nil
	}}, remote.Limits{Timeout: 2 * time.Second})
	sink := plugin.Sink("any", []byte("{}"), env, true)
	if err := sink.PublishBatch(t.Context(), feed.NewBatch(messages("a", "b")...)); err != nil {
		t.Error(err)
	}
	if got := process.Reasons(); len(got) != 1 || got[0] != "sink any: it did not answer within 4s" {
		t.Errorf("the plugin failed because of %q", got)
	}
	if err := sink.Close(); err != nil {
		t.Error(err)
	}
}

func one(r *pluginpb.SourceResponse) []*pluginpb.SourceResponse {
	return []*pluginpb.SourceResponse{r}
}

func TestWrongAnswersToASource(t *testing.T) {
	deliveries := func(tags ...uint64) *pluginpb.SourceResponse {
		d := &pluginpb.Deliveries{}
		for _, tag := range tags {
			d.Deliveries = append(d.Deliveries, &pluginpb.Delivery{Tag: tag, Message: &pluginpb.Message{Payload: []byte("a")}})
		}
		return &pluginpb.SourceResponse{Response: &pluginpb.SourceResponse_Deliveries{Deliveries: d}}
	}
	many := make([]uint64, 1001)
	for i := range many {
		many[i] = uint64(i + 1)
	}
	long := deliveries(1)
	long.GetDeliveries().Deliveries[0].Message.Payload = make([]byte, 9<<20)
	for name, c := range map[string]struct {
		answers []*pluginpb.SourceResponse
		want    string
	}{
		"more than credit": {one(deliveries(many...)), "it answered what it must not: 1001 deliveries, when it may send 1000"},
		"more bytes":       {[]*pluginpb.SourceResponse{long, deliveries(2)}, "it answered what it must not: deliveries of 9 bytes, when it may send none"},
		"tags":             {one(deliveries(1, 2, 2)), "it answered what it must not: delivery 2 behind delivery 2: tags must increase"},
		"no message": {
			one(&pluginpb.SourceResponse{Response: &pluginpb.SourceResponse_Deliveries{Deliveries: &pluginpb.Deliveries{Deliveries: []*pluginpb.Delivery{{Tag: 1}}}}}),
			"it answered what it must not: delivery 0 has no message",
		},
		"not asked": {[]*pluginpb.SourceResponse{{Response: &pluginpb.SourceResponse_Settled{Settled: &pluginpb.SettledUpTo{}}}, deliveries(1)},
			"it answered what it must not: *pluginpb.SourceResponse_Settled, when it was not asked"},
		"nothing":      {one(&pluginpb.SourceResponse{}), "it answered what it must not: nothing that is known"},
		"opened again": {one(&pluginpb.SourceResponse{Response: &pluginpb.SourceResponse_Opened{Opened: &pluginpb.Opened{}}}), "it answered what it must not: Opened, a second time"},
		"behind its end": {[]*pluginpb.SourceResponse{
			{Response: &pluginpb.SourceResponse_Ended{Ended: &pluginpb.SubscriptionEnded{Failure: &pluginpb.Failure{Text: "lost"}}}}, deliveries(1),
		}, "it answered what it must not: deliveries behind the end of the subscription"},
	} {
		t.Run(name, func(t *testing.T) {
			plugin, process := connectTo(t, &others{source: func(r *pluginpb.SourceRequest) ([]*pluginpb.SourceResponse, error) {
				switch {
				case r.GetSubscribe() != nil:
					return []*pluginpb.SourceResponse{{Response: &pluginpb.SourceResponse_Subscribed{Subscribed: &pluginpb.Subscribed{}}}}, nil
				case r.GetCredit() != nil:
					return c.answers, nil
				}
				return nil, errors.New("not asked for")
			}}, remote.Limits{Timeout: patience})
			source := plugin.Source("any", []byte("{}"), env)
			sub, err := source.SubscribeBatch(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			for err == nil && name != "more bytes" { // of which none is taken
				_, err = sub.Receive(t.Context(), nil, 10)
			}
			if err := sub.Settle(t.Context(), nil); err == nil {
				t.Error("the subscription is said to live")
			}
			if ds, err := sub.Receive(t.Context(), nil, 10); err == nil || len(ds) > 0 {
				t.Errorf("received %d, %v", len(ds), err)
			}
			if err := source.Close(); err != nil {
				t.Error(err)
			}
			if got := process.Reasons(); len(got) != 1 || got[0] != "source any: "+c.want {
				t.Errorf("the plugin failed because of %q, want %q", got, "source any: "+c.want)
			}
		})
	}
}

// A source that answers something else, or never, has failed.
func TestSourceThatDoesNotAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answers []*pluginpb.SourceResponse
		want    string
	}{
		"never":          {nil, "it did not answer within 3s"},
		"something else": {[]*pluginpb.SourceResponse{{Response: &pluginpb.SourceResponse_Settled{Settled: &pluginpb.SettledUpTo{}}}}, "it answered what it must not: *pluginpb.SourceResponse_Settled, when it was asked for *pluginpb.SourceResponse_Subscribed"},
	} {
		t.Run(name, func(t *testing.T) {
			plugin, process := connectTo(t, &others{source: func(*pluginpb.SourceRequest) ([]*pluginpb.SourceResponse, error) { return c.answers, nil }},
				remote.Limits{Timeout: time.Second})
			source := plugin.Source("any", []byte("{}"), env)
			if _, err := source.SubscribeBatch(t.Context(), ""); err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("subscribe returned %v", err)
			}
			if got := process.Reasons(); len(got) != 1 || got[0] != "source any: "+c.want {
				t.Errorf("the plugin failed because of %q", got)
			}
			if err := source.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A body that kills the plugin is corrupt; one whose codec cannot be asked is not.
func TestCodecPoison(t *testing.T) {
	plugin, process := connectTo(t, &others{decode: func(d *pluginpb.Decode) (*pluginpb.Decoded, error) {
		switch string(d.Body) {
		case "poison":
			return nil, errors.New("poisoned")
		case "away":
			return &pluginpb.Decoded{Failure: &pluginpb.Failure{Text: "no licence server"}}, nil
		case "invalid":
			return &pluginpb.Decoded{Readings: []*pluginpb.Reading{{Device: "d"}}}, nil
		case "other":
			return &pluginpb.Decoded{Reason: "my own", Failure: &pluginpb.Failure{Text: "broken", Permanent: true}}, nil
		}
		return &pluginpb.Decoded{Readings: []*pluginpb.Reading{{Device: "d", Tag: "t"}, {Device: "d", Tag: "t"}}}, nil
	}}, remote.Limits{Timeout: patience})
	codec := plugin.Codec("any", []byte("{}"), env)
	for body, want := range map[string]string{
		"poison":  "killed plugin acme twice: the call ended with Unknown: poisoned",
		"away":    "no licence server",
		"invalid": "batch: reading: reading 0: tag is missing",
		"other":   "batch: body: broken",
		"good":    "batch: limits: more than 1 readings",
	} {
		_, err := codec.Decode(nil, []byte(body), batch.Limits{MaxReadings: 1})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
		var unavailable *batch.Unavailable
		if got := errors.As(err, &unavailable); got != (body == "away") {
			t.Errorf("%s: unavailable is %v", body, got)
		}
	}
	if n := len(process.Reasons()); n != 3 {
		t.Errorf("the plugin died %d times", n)
	}
	if err := codec.Close(); err != nil {
		t.Error(err)
	}
	var unavailable *batch.Unavailable
	if _, err := remote.New("acme", noConn{}, remote.Limits{}).Codec("any", nil, env).Decode(nil, nil, batch.Limits{}); !errors.As(err, &unavailable) {
		t.Errorf("without a process: %v", err)
	}
}

// hasty is a plugin whose expectation ends the call behind its last page.
type hasty struct {
	pluginpb.UnimplementedStagesServer
	ended chan struct{}
}

func (*hasty) Heartbeat(context.Context, *pluginpb.HeartbeatRequest) (*pluginpb.HeartbeatResponse, error) {
	return &pluginpb.HeartbeatResponse{}, nil
}

func (h *hasty) Expectation(stream grpc.BidiStreamingServer[pluginpb.ExpectationRequest, pluginpb.ExpectationResponse]) error {
	defer func() { h.ended <- struct{}{} }()
	answers := []*pluginpb.ExpectationResponse{{Response: &pluginpb.ExpectationResponse_Opened{Opened: &pluginpb.ExpectationOpened{
		Opened: &pluginpb.Opened{}, Place: "the cloud", Identity: "cloud",
	}}}}
	for range 2 { // Open, Query
		r, err := stream.Recv()
		if err != nil {
			return hungUp(err)
		}
		if q := r.GetQuery(); q != nil {
			page := &pluginpb.Page{Records: []*pluginpb.Record{{Reading: &pluginpb.Reading{Device: "press7", Tag: "t", Time: q.From}}}}
			answers = []*pluginpb.ExpectationResponse{
				{Response: &pluginpb.ExpectationResponse_Page{Page: page}}, {Response: &pluginpb.ExpectationResponse_Page{Page: page}},
				{Response: &pluginpb.ExpectationResponse_Page{Page: &pluginpb.Page{Last: true}}},
			}
		}
		for _, a := range answers {
			if err := stream.Send(a); err != nil {
				return err
			}
		}
	}
	return nil
}

// A call that ends while pages are still to be taken loses none of them silently.
func TestPagesOfACallThatHasEnded(t *testing.T) {
	h := &hasty{ended: make(chan struct{}, 1)}
	plugin, process := connectTo(t, h, remote.Limits{Timeout: patience})
	side, err := plugin.Expectation(t.Context(), "any", []byte("{}"), env)
	if err != nil {
		t.Fatal(err)
	}
	client, _, err := process.Client(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	taken := 0
	err = side.Read(t.Context(), validate.Query{From: time.Unix(0, 0), To: time.Unix(100, 0)}, func(p validate.Page) error {
		if taken += len(p.Records); taken > 1 {
			return nil
		}
		<-h.ended
		for range 3 { // its end is known once later calls are answered
			if _, err := client.Heartbeat(t.Context(), &pluginpb.HeartbeatRequest{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && taken != 2 {
		t.Errorf("%d of two readings were read, and no error was returned", taken)
	}
	if err := side.Close(); err != nil {
		t.Error(err)
	}
}

// What was not asked for is no answer to a query.
func TestWrongPage(t *testing.T) {
	plugin, process := connectTo(t, &others{page: func(q *pluginpb.Query) *pluginpb.Page {
		return &pluginpb.Page{Last: true, Records: []*pluginpb.Record{{Reading: &pluginpb.Reading{Device: "press8", Tag: "t", Time: q.From}}}}
	}}, remote.Limits{Timeout: patience})
	e, err := plugin.Expectation(t.Context(), "any", []byte("{}"), env)
	if err != nil {
		t.Fatal(err)
	}
	q := validate.Query{Device: "press7", From: time.Unix(0, 0), To: time.Unix(1, 0)}
	err = e.Read(t.Context(), q, func(validate.Page) error {
		t.Error("it was handed out")
		return nil
	})
	want := "expectation any: it answered what it must not: record 0 of a page, which was not asked for: press8 t at 1970-01-01 00:00:00 +0000 UTC"
	if got := process.Reasons(); err == nil || len(got) != 1 || got[0] != want {
		t.Errorf("read returned %v, the plugin failed because of %q", err, got)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
