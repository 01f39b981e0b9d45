package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

func TestSourceConnectsToAPersistentSession(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	s := newTestSource(t, b.url(), func(c *SourceConfig) {
		c.Topics, c.SharedGroup, c.Retained = []string{"plant/+/x", "site/#"}, "line", RetainedNever
		c.SessionExpiry, c.ReceiveMaximum, c.MaxPacketSize = 90*time.Minute, 77, feed.MiB
	})
	mustSubscribe(t, s)
	p := b.current().connect
	if p.CleanStart || p.ClientID != "consumer" || *p.Properties.SessionExpiryInterval != 5400 || *p.Properties.ReceiveMaximum != 77 ||
		*p.Properties.MaximumPacketSize != 1<<20 || p.Properties.TopicAliasMaximum != nil {
		t.Errorf("CONNECT %v", p)
	}
	want := []packets.SubOptions{
		{Topic: "$share/line/plant/+/x", QoS: 1, RetainHandling: 2, RetainAsPublished: true},
		{Topic: "$share/line/site/#", QoS: 1, RetainHandling: 2, RetainAsPublished: true},
	}
	b.smu.Lock()
	defer b.smu.Unlock()
	if !slices.Equal(b.filters, want) {
		t.Errorf("SUBSCRIBE %+v, want %+v", b.filters, want)
	}
}

// What was settled behind an unsettled delivery is not acknowledged, does not
// come again within the session, and is acknowledged in its turn.
func TestSettledOutOfTurn(t *testing.T) {
	b := newFakeSession(t) // checks the order of PUBACKs
	b.start()
	s := newTestSource(t, b.url())
	initialize(t, s)
	b.put(t, numberedPayloads(6)...)
	sub := mustSubscribe(t, s)
	ds := receive(t, sub, 6)
	settle(t, sub, ds[0], ds[2], ds[3], ds[5])
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if left := b.left(t); left != 5 {
		t.Fatalf("%d are left, want 5: PUBACKs go in order", left)
	}
	sub = mustSubscribe(t, s)
	again := receive(t, sub, 2)
	if got := payloads(again); !slices.Equal(got, []string{"1", "4"}) || !again[0].Redelivered {
		t.Fatalf("got %v again", got)
	}
	settle(t, sub, again...)
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if left := b.left(t); left != 0 {
		t.Errorf("%d are left", left)
	}
}

// The memory of what was settled out of turn must never swallow another
// message: not one with the same packet id, and not one with the same content.
func TestSettledOutOfTurnIsForgotten(t *testing.T) {
	remembered := func() settledBefore {
		d := &delivery{id: 5, topic: "t", payload: []byte("x")}
		return settledBefore{5: d.sum(), 6: d.sum()}
	}
	for name, d := range map[string]*delivery{
		"other payload":   {id: 5, duplicate: true, topic: "t", payload: []byte("y")},
		"other topic":     {id: 5, duplicate: true, topic: "tx", payload: nil},
		"other id":        {id: 7, duplicate: true, topic: "t", payload: []byte("x")},
		"not a duplicate": {id: 5, topic: "t", payload: []byte("x")},
		"QoS 0":           {topic: "t", payload: []byte("x")},
	} {
		if remembered().takes(d) {
			t.Errorf("%s: taken for the one that was settled", name)
		}
	}
	same := &delivery{id: 5, duplicate: true, topic: "t", payload: []byte("x")}
	m := remembered()
	if !m.takes(same) || m.takes(same) {
		t.Error("the same one is taken once")
	}
	m = remembered()
	m.takes(&delivery{id: 9, topic: "new"})
	if m.takes(same) {
		t.Error("taken after the broker has sent something new")
	}
}

// A session that the broker has lost brings nothing back: no memory, and a loud
// word.
func TestSessionLost(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	log := &testLog{}
	s := logTestSource(t, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))}, b.url())
	initialize(t, s)
	b.put(t, numberedPayloads(3)...)
	sub := mustSubscribe(t, s)
	settle(t, sub, receive(t, sub, 3)[1])
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if log.has("lost the session") {
		t.Error("reported before it happened")
	}
	b.smu.Lock()
	b.expired = true
	b.smu.Unlock()
	sub = mustSubscribe(t, s)
	if !log.has("level=ERROR") || !log.has("lost the session") || !log.has("times=1") {
		t.Errorf("log: %s", log)
	}
	if len(sub.before) != 0 {
		t.Errorf("remembers %v of a session that is gone", sub.before)
	}
}

func TestRefusedSubscription(t *testing.T) {
	for name, c := range map[string]struct {
		code  byte
		fatal bool
	}{
		"not authorized":  {0x87, true},
		"invalid filter":  {0x8F, true},
		"no sharing":      {0x9E, true},
		"no wildcards":    {0xA2, true},
		"QoS 0 only":      {0, true},
		"quota":           {0x97, false},
		"for some reason": {0x80, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFakeSession(t)
			b.start()
			b.answerWith(func(o packets.SubOptions) byte {
				if o.Topic == "bad/#" {
					return c.code
				}
				return 1
			})
			s := newTestSource(t, b.url(), func(c *SourceConfig) { c.Topics = []string{"good/#", "bad/#"} })
			_, err := s.SubscribeBatch(testContext(t), "")
			if err == nil || !strings.Contains(err.Error(), "bad/#") {
				t.Fatalf("subscribe: %v", err)
			}
			var wrong *feed.ConfigError
			switch is := errors.As(err, &wrong); {
			case is != c.fatal:
				t.Fatalf("subscribe: %v", err)
			case is && (wrong.Key != "topics[1]" || wrong.Remedy == ""):
				t.Errorf("key %q, remedy %q", wrong.Key, wrong.Remedy)
			}
			b.ended(0)
			// Once granted, a refusal may pass.
			b.answerWith(nil)
			initialize(t, s)
			b.answerWith(func(packets.SubOptions) byte { return c.code })
			if _, err := s.SubscribeBatch(testContext(t), ""); err == nil || errors.As(err, &wrong) {
				t.Errorf("subscribe again: %v", err)
			}
		})
	}
}

func TestBrokersThatGrantTooLittle(t *testing.T) {
	for name, c := range map[string]struct {
		grants packets.Properties
		key    string
	}{
		"no QoS 1":   {packets.Properties{MaximumQOS: new(byte(0))}, "url"},
		"no session": {packets.Properties{SessionExpiryInterval: new(uint32(0))}, "sessionExpiry"},
		"no sharing": {packets.Properties{SharedSubAvailable: new(byte(0))}, "sharedGroup"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFakeSession(t)
			b.connack = &packets.Connack{Properties: &c.grants}
			b.start()
			s := newTestSource(t, b.url(), func(c *SourceConfig) { c.SharedGroup = "g" })
			_, err := s.SubscribeBatch(testContext(t), "")
			var wrong *feed.ConfigError
			if !errors.As(err, &wrong) || wrong.Key != c.key {
				t.Errorf("subscribe: %v", err)
			}
		})
	}
}

// Two clients with one identifier must not take the session from each other
// without end: each pause is longer than the one before.
func TestTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		log := &testLog{}
		s := logTestSource(t, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))}, "mqtt://pipe")
		overPipes(s, b.fakeBroker)
		var pauses []time.Duration
		for range 4 {
			begin := time.Now()
			sub, err := s.SubscribeBatch(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			pauses = append(pauses, time.Since(begin))
			b.current().disconnect(sessionTakenOver, "")
			if _, err := sub.Receive(t.Context(), nil, 1); !takenOver(err) {
				t.Fatalf("receive: %v", err)
			}
			if err := sub.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if pauses[0] != 0 || pauses[1] < takeoverPause/2 || pauses[3] <= pauses[1] {
			t.Errorf("pauses %v", pauses)
		}
		if !log.has("another client uses the same client identifier") || !log.has("level=ERROR") || !log.has("times=4") {
			t.Errorf("log: %s", log)
		}
		if e := s.Events(); e[eventTakenOver] != 4 || e[eventConnectionLost] != 4 || e[eventClosedSoon] != 0 {
			t.Errorf("events %v", e)
		}
		s.Close()
		b.tasks.Wait()
	})
}

// The last word of a subscription are the PUBACKs that it owes.
func TestCloseAcknowledges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		s := newTestSource(t, "mqtt://pipe")
		overPipes(s, b.fakeBroker)
		b.exists = true
		b.put(t, numberedPayloads(3)...)
		sub, err := s.subscribe(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		ds := receive(t, sub, 3)
		settle(t, sub, ds[0])
		settle(t, sub, ds[1]) // waits for others
		synctest.Wait()
		if left := b.left(t); left != 2 {
			t.Fatalf("%d are left, want 2", left)
		}
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if left := b.left(t); left != 1 {
			t.Errorf("%d are left, want 1", left)
		}
		if b.current().left == nil {
			t.Error("no DISCONNECT")
		}
		s.Close()
		b.tasks.Wait()
	})
}

// PUBACKs that have waited long enough are written without another settlement.
func TestLatePubacks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		s := newTestSource(t, "mqtt://pipe")
		overPipes(s, b.fakeBroker)
		b.exists = true
		b.put(t, numberedPayloads(2)...)
		sub, err := s.subscribe(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		ds := receive(t, sub, 2)
		settle(t, sub, ds[0])
		settle(t, sub, ds[1])
		time.Sleep(ackLate) // of fake time
		synctest.Wait()
		if left := b.left(t); left != 0 {
			t.Errorf("%d are left", left)
		}
		s.Close()
		b.tasks.Wait()
	})
}

// Settlements that the broker cannot be told of are reported, and come again.
func TestSettleLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		s := newTestSource(t, "mqtt://pipe")
		overPipes(s, b.fakeBroker)
		b.exists = true
		b.put(t, numberedPayloads(4)...)
		sub, err := s.subscribe(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		ds := receive(t, sub, 4)
		settle(t, sub, ds[0])
		settle(t, sub, ds[1], ds[2]) // they wait for others
		synctest.Wait()
		sub.fail(errors.New("cut"))
		if err := sub.Settle(t.Context(), settlements(ds[3])); err == nil {
			t.Error("settle on a broken connection reports success")
		}
		var lost *feed.SettleLostError
		if err := sub.Close(); !errors.As(err, &lost) || lost.Settled != 2 {
			t.Errorf("close: %v, want 2 lost", err)
		}
		if sub, err = s.subscribe(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		if got := payloads(receive(t, sub, 3)); !slices.Equal(got, []string{"1", "2", "3"}) {
			t.Errorf("got %v again", got)
		}
		s.Close()
		b.tasks.Wait()
	})
}

// A half-open connection is noticed.
func TestSourceNoticesADeadBroker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		b.onPing = func(*fakeConn) {}
		s := newTestSource(t, "mqtt://pipe", func(c *SourceConfig) { c.KeepAlive, c.PingTimeout = 10*time.Second, 4*time.Second })
		overPipes(s, b.fakeBroker)
		sub, err := s.subscribe(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err = sub.Receive(t.Context(), nil, 1)
		if err == nil || !strings.Contains(err.Error(), "no answer to a ping") || time.Since(begin) > 15*time.Second {
			t.Errorf("receive: %v after %v", err, time.Since(begin))
		}
		s.Close()
		b.tasks.Wait()
	})
}

// Messages wait in a bounded memory. A route that takes none for a while costs
// no connection: the answer to a ping stands behind what is not read.
func TestReadAheadIsBounded(t *testing.T) {
	b := newFakeSession(t)
	pings := make(chan struct{}, 100)
	b.onPing = func(c *fakeConn) {
		pings <- struct{}{}
		c.send(&packets.Pingresp{})
	}
	b.start()
	const most = 10 * (overhead + 1000)
	s := newTestSource(t, b.url(), func(c *SourceConfig) {
		c.ReadAhead, c.KeepAlive, c.PingTimeout = most, time.Second, 300*time.Millisecond
	})
	sub := mustSubscribe(t, s)
	big := make([][]byte, 100)
	for i := range big {
		big[i] = make([]byte, 1000)
	}
	b.put(t, big...)
	select {
	case <-sub.box.crowded:
	case <-testContext(t).Done():
		t.Fatal("everything is read ahead")
	}
	for range 4 { // far longer than pingTimeout
		select {
		case <-pings:
		case <-sub.done:
			t.Fatalf("the connection has ended: %v", sub.failure())
		}
	}
	waiting, size := sub.box.Holds()
	if size > most || waiting < 9 {
		t.Errorf("%d deliveries of %v wait", waiting, size)
	}
	settle(t, sub, receive(t, sub, 100)...)
	awaitAcknowledged(t, s)
	if err := sub.failure(); err != nil {
		t.Errorf("the connection has ended: %v", err)
	}
}

// What a session sends before it grants the filters may be more than is read
// ahead.
func TestResumeWithMoreThanIsReadAhead(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	s := newTestSource(t, b.url(), func(c *SourceConfig) { c.ReadAhead = 500 })
	initialize(t, s)
	b.put(t, numberedPayloads(200)...)
	for range 2 {
		sub := mustSubscribe(t, s)
		if got := payloads(receive(t, sub, 200)); got[199] != "199" {
			t.Fatalf("the last is %s", got[199])
		}
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Publishes with QoS 0 are handed out within the window, too, and settling them
// writes nothing.
func TestSourceQoS0(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	s := newTestSource(t, b.url(), func(c *SourceConfig) { c.ReceiveMaximum = 3 })
	sub := mustSubscribe(t, s)
	for i := range 5 {
		b.publish(&packets.Publish{Topic: "plant/a", QoS: byte(i % 2), Payload: fmt.Append(nil, i), Properties: &packets.Properties{}})
	}
	ds := receive(t, sub, 3)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if more, err := sub.Receive(ctx, nil, 3); len(more) != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%v beyond the window, %v", payloads(more), err)
	}
	settle(t, sub, ds...)
	ds = receive(t, sub, 2)
	if got := payloads(ds); !slices.Equal(got, []string{"3", "4"}) {
		t.Fatalf("got %v", got)
	}
	settle(t, sub, ds...)
	if err := sub.Close(); err != nil {
		t.Fatal(err)
	}
	if left := b.left(t); left != 0 {
		t.Errorf("%d are left", left)
	}
}

func TestSessionServesOneSubscription(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	s := newTestSource(t, b.url())
	first := mustSubscribe(t, s)
	if _, err := s.SubscribeBatch(testContext(t), ""); err == nil || !strings.Contains(err.Error(), "has a subscription already") {
		t.Errorf("second subscription: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustSubscribe(t, s)
}

func TestSourceEndsOnWhatNoBrokerMaySend(t *testing.T) {
	for name, wire := range map[string][]byte{
		"PUBACK":             {0x40, 2, 0, 1},
		"second SUBACK":      {0x90, 4, 0xff, 0xff, 0, 1},
		"PINGRESP":           {0xd0, 0},
		"AUTH":               {0xf0, 0},
		"malformed length":   {0x32, 0xff, 0xff, 0xff, 0xff, 1},
		"larger than agreed": {0x32, 0xff, 0xff, 0xff, 0x7f},
		"QoS 2":              {0x34, 6, 0, 1, 't', 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFakeSession(t)
			b.start()
			sub := mustSubscribe(t, newTestSource(t, b.url()))
			b.current().raw(wire)
			if _, err := sub.Receive(testContext(t), nil, 1); !errors.Is(err, errProtocol) {
				t.Fatalf("receive: %v", err)
			}
			if c := b.ended(0); c.left == nil || c.left.ReasonCode != packets.DisconnectProtocolError {
				t.Errorf("DISCONNECT %v", c.left)
			}
		})
	}
}

func TestClosedSource(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	s := newTestSource(t, b.url())
	sub := mustSubscribe(t, s)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sub.Receive(t.Context(), nil, 1); !errors.Is(err, errSubscriptionClosed) {
		t.Errorf("receive: %v", err)
	}
	if _, err := s.SubscribeBatch(t.Context(), ""); !errors.Is(err, errSourceClosed) {
		t.Errorf("subscribe: %v", err)
	}
	if _, err := s.Subscribe(t.Context(), ""); !errors.Is(err, errSourceClosed) {
		t.Errorf("subscribe: %v", err)
	}
}

// testLog keeps what is logged.
type testLog struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

func (l *testLog) has(text string) bool { return strings.Contains(l.String(), text) }

// numberedPayloads returns "0" to n-1.
func numberedPayloads(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = fmt.Append(nil, i)
	}
	return all
}

func payloads(ds []feed.Delivery) []string {
	var all []string
	for _, d := range ds {
		all = append(all, string(d.Message.Payload))
	}
	return all
}

// Giving back often is no quarrel with another client: what the source itself
// closes is opened again at once.
func TestOwnClosesAreNoTakeover(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	log := &testLog{}
	s := logTestSource(t, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))}, b.url())
	for range 6 {
		if err := mustSubscribe(t, s).Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.sessions["consumer"]; n.short != 0 || !n.notBefore.IsZero() || log.has("level=ERROR") {
		t.Errorf("%d short lives, %v; log: %s", n.short, n.notBefore, log)
	}
}

// Another process does not know what was settled out of turn: this one says that
// it comes again.
func TestSettledOutOfTurnComesAgainElsewhere(t *testing.T) {
	b := newFakeSession(t)
	b.start()
	log := &testLog{}
	s := logTestSource(t, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))}, b.url())
	initialize(t, s)
	b.put(t, numberedPayloads(4)...)
	sub := mustSubscribe(t, s)
	settle(t, sub, receive(t, sub, 4)[1:]...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !log.has("level=WARN") || !log.has("deliveries=3") {
		t.Errorf("log: %s", log)
	}
	if got := payloads(receive(t, mustSubscribe(t, newTestSource(t, b.url())), 4)); !slices.Equal(got, []string{"0", "1", "2", "3"}) {
		t.Errorf("got %v", got)
	}
}
