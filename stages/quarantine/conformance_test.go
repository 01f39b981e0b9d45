package quarantine

import (
	"testing"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

func TestConformance(t *testing.T) { onBoth(t, testConformance) }

func testConformance(t *testing.T, open opener) {
	feedtest.TestQuarantine(t, func(t *testing.T) feedtest.QuarantineUnderTest {
		return underTest(open(t, func(c *Config) { c.MaxMessages = 25 }))
	})
}

func underTest(s *Store) feedtest.QuarantineUnderTest {
	return feedtest.QuarantineUnderTest{
		Quarantine: s, MaxMessages: int(s.config.MaxMessages),
		Items: func(t testing.TB) []feed.QuarantineItem {
			t.Helper()
			items, err := s.Fetch(t.Context(), Query{}, 0)
			if err != nil {
				t.Fatal(err)
			}
			plain := make([]feed.QuarantineItem, len(items))
			for i, it := range items {
				plain[i] = it.QuarantineItem
			}
			return plain
		},
		Reopen: func(t testing.TB) feedtest.QuarantineUnderTest {
			t.Helper()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return underTest(reopen(t, s.config))
		},
	}
}
