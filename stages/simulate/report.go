package simulate

// Report says what a [Source] has done: what it has handed out, each message
// counted once however often it came again because it was given back.
type Report struct {
	Batches  uint64 `json:"batches"`  // intact ones, without repetitions
	Readings uint64 `json:"readings"` // of those: what is expected to arrive
	Messages uint64 `json:"messages"` // of all kinds
	Bytes    uint64 `json:"bytes"`    // of those

	BitFlips    uint64 `json:"bitFlips"`    // copies with one flipped bit
	Truncated   uint64 `json:"truncated"`   // copies that are cut short
	WrongCounts uint64 `json:"wrongCounts"` // copies that lack a reading
	Bombs       uint64 `json:"bombs"`       // copies that are unpacked to very much
	Duplicates  uint64 `json:"duplicates"`  // batches that came a second time
	Reordered   uint64 `json:"reordered"`   // batches that came after a later one of their device, also because a damaged copy came first
	Garbage     uint64 `json:"garbage"`     // messages that are no batches
	Conflicts   uint64 `json:"conflicts"`   // batches with a sequence that was taken, and another content
}

// Corrupt returns how many messages nobody can unpack: damaged copies and garbage.
func (r Report) Corrupt() uint64 {
	return r.BitFlips + r.Truncated + r.WrongCounts + r.Bombs + r.Garbage
}

// events are those that a source counts, by name.
func (r Report) events() map[string]uint64 {
	return map[string]uint64{
		"batches": r.Batches, "readings": r.Readings, "bit_flips": r.BitFlips, "truncated": r.Truncated, "wrong_counts": r.WrongCounts,
		"bombs": r.Bombs, "duplicates": r.Duplicates, "reordered": r.Reordered, "garbage": r.Garbage, "conflicts": r.Conflicts,
	}
}

func (r *Report) damaged(d damage) {
	switch d {
	case bitFlip:
		r.BitFlips++
	case truncation:
		r.Truncated++
	case wrongCount:
		r.WrongCounts++
	case bomb:
		r.Bombs++
	}
}
