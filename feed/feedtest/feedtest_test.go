package feedtest_test

import (
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestQueueConforms(t *testing.T) {
	feedtest.TestSource(t, func(*testing.T) feedtest.SourceUnderTest {
		q := &feedtest.Queue{Window: 10}
		return feedtest.SourceUnderTest{
			Source: q,
			Window: q.Window,
			Put: func(_ testing.TB, payloads ...[]byte) {
				for _, p := range payloads {
					q.Put(string(p))
				}
			},
			Left:  func(testing.TB) int { return q.Len() },
			Break: func(testing.TB) { q.Break() },
		}
	})
}

// The in-memory sink's misuse report is what route tests rely on.
func TestQueueReportsMisuse(t *testing.T) {
	q := &feedtest.Queue{}
	q.Put("a", "b")
	sub, err := q.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.SubscribeBatch(t.Context(), ""); err == nil {
		t.Error("a second subscription is allowed")
	}
	if err := q.Misuse(); err == nil || !strings.Contains(err.Error(), "another subscription") {
		t.Errorf("misuse: %v", err)
	}
	if err := sub.Close(); err != nil {
		t.Error(err)
	}
}

func TestQuarantineConforms(t *testing.T) {
	feedtest.TestQuarantine(t, func(*testing.T) feedtest.QuarantineUnderTest {
		q := &feedtest.Quarantine{MaxMessages: 25}
		return feedtest.QuarantineUnderTest{
			Quarantine: q, MaxMessages: q.MaxMessages,
			Items: func(testing.TB) []feed.QuarantineItem { return q.Items() },
		}
	})
}
