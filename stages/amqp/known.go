package amqp

import (
	"hash/maphash"

	"github.com/kraft-edge/datafeed/internal/doorkeeper"
)

// maxKnown bounds the texts that are remembered.
const maxKnown = 4096

// knownTexts remembers texts that recur, such as routing keys, so that the next such
// text is no new string. There are two generations: when the young one is full
// it becomes the old one, and what was in the old one and has not come since is
// forgotten.
type knownTexts struct {
	young, old map[string]string
	door       *doorkeeper.Doorkeeper
	seed       maphash.Seed
}

// text returns b as a string.
func (t *knownTexts) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	// Written in the brackets, the conversion copies nothing.
	if s, ok := t.young[string(b)]; ok {
		return s
	}
	s, ok := t.old[string(b)]
	if ok || t.comesAgain(b) {
		if !ok {
			s = string(b)
		}
		if len(t.young) >= maxKnown/2 || t.young == nil {
			t.old, t.young = t.young, make(map[string]string)
		}
		t.young[s] = s
		return s
	}
	return string(b)
}

func (t *knownTexts) comesAgain(b []byte) bool {
	if t.door == nil {
		t.door, t.seed = doorkeeper.New(maxKnown), maphash.MakeSeed()
	}
	return t.door.Admit(maphash.Bytes(t.seed, b))
}
