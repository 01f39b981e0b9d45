package validate

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed/reading"
)

func sum(h *hasher, readings []reading.Reading) (d digest) {
	for i := range readings {
		d = d.plus(h.of(&readings[i]))
	}
	return d
}

// TestDigests: the order does not matter, a copy does, and so does any bit.
func TestDigests(t *testing.T) {
	h := &hasher{rules: rulesOf(t, typed), key: newKey()}
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(readings(), 1, 20).Draw(t, "readings")
		for i := range list {
			list[i].Seq = uint64(i)
		}
		whole := sum(h, list)
		mixed := append([]reading.Reading(nil), list...)
		rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		if sum(h, mixed) != whole {
			t.Fatal("the order matters")
		}
		i := rapid.IntRange(0, len(list)-1).Draw(t, "which")
		for copies := 1; copies <= 4; copies++ {
			if mixed = append(mixed, list[i]); sum(h, mixed) == whole {
				t.Fatalf("%d copies do not matter", copies)
			}
		}
		if sum(h, append(append([]reading.Reading(nil), list[:i]...), list[i+1:]...)) == whole {
			t.Fatal("a reading that is missing does not matter")
		}
		bit := rapid.IntRange(0, 63).Draw(t, "bit")
		list[i].Time ^= 1 << bit
		if sum(h, list) == whole {
			t.Fatalf("bit %d of a time does not matter", bit)
		}
		list[i].Time ^= 1 << bit
		list[i].Seq ^= 1 << bit
		if sum(h, list) == whole {
			t.Fatalf("bit %d of a sequence number does not matter", bit)
		}
		list[i].Seq ^= 1 << bit
		if other := (&hasher{rules: h.rules, key: newKey()}); sum(other, list) == whole {
			t.Fatal("the key does not matter")
		}
	})
}

// TestDigestsUseAllBits: what a sum loses beyond its highest bit is all that it loses.
func TestDigestsUseAllBits(t *testing.T) {
	d := digest{1, ^uint64(0)}.plus(digest{0, 1})
	if want := (digest{2, 0}); d != want {
		t.Errorf("%x", d)
	}
	h := &hasher{rules: rulesOf(t, canonical), key: newKey()}
	var ones, zeros digest
	for i := range uint64(200) {
		d := h.of(&reading.Reading{Device: "d", Tag: "t", Seq: i})
		ones.hi, ones.lo = ones.hi|d.hi, ones.lo|d.lo
		zeros.hi, zeros.lo = zeros.hi|^d.hi, zeros.lo|^d.lo
	}
	if all := (digest{^uint64(0), ^uint64(0)}); ones != all || zeros != all {
		t.Errorf("bits that are never one %x, never zero %x", ones, zeros)
	}
}

func TestHashingAllocatesNothing(t *testing.T) {
	h := &hasher{rules: rulesOf(t, trimmed), key: newKey(), form: make([]byte, 0, 100)}
	r := reading.Reading{Site: "plant1", Line: "line2", Device: "press7", Tag: "t", Quality: "good", Value: reading.OfFloat(21.5)}
	if n := testing.AllocsPerRun(100, func() { h.of(&r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
