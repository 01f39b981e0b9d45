package bridge

// index finds the few rules that may match a routing key, so that a thousand
// rules cost little more than one.
type index struct {
	// byParts holds the candidates for a key of n parts. The last one stands
	// for all larger n, where only rules with a rest can match.
	byParts []bucket
}

// bucket splits the rules for one number of parts by the literal text at the
// position where that tells them apart best.
type bucket struct {
	position int
	literal  map[string][]*rule // candidates when the part has this text
	other    []*rule            // candidates when it has any other text
}

func newIndex(rules []*rule) *index {
	most := 0
	for _, r := range rules {
		most = max(most, len(r.key.parts)+1)
	}
	x := &index{byParts: make([]bucket, most+2)}
	for n := range x.byParts {
		var candidates []*rule
		for _, r := range rules {
			if len(r.key.parts) == n && !r.key.rest || len(r.key.parts) < n && r.key.rest {
				candidates = append(candidates, r)
			}
		}
		x.byParts[n] = newBucket(candidates)
	}
	return x
}

// newBucket makes the bucket whose longest list of candidates is shortest.
func newBucket(rules []*rule) bucket {
	best, bestSize := bucket{other: rules}, len(rules)
	positions := 0
	for _, r := range rules {
		positions = max(positions, len(r.key.parts))
	}
	for position := range positions {
		if size := longestList(rules, position); size < bestSize {
			best, bestSize = splitAt(rules, position), size
		}
	}
	return best
}

// literalAt returns the literal text that r demands at a position.
func (r *rule) literalAt(position int) (string, bool) {
	if position >= len(r.key.parts) {
		return "", false
	}
	return r.key.parts[position].literal()
}

// longestList returns how many candidates there would be at worst.
func longestList(rules []*rule, position int) int {
	counts, other, most := map[string]int{}, 0, 0
	for _, r := range rules {
		if lit, ok := r.literalAt(position); ok {
			counts[lit]++
			most = max(most, counts[lit])
		} else {
			other++
		}
	}
	return most + other
}

// splitAt lists the candidates for each text at a position, in the order of
// the rules.
func splitAt(rules []*rule, position int) bucket {
	b := bucket{position: position, literal: map[string][]*rule{}}
	for _, r := range rules {
		if lit, ok := r.literalAt(position); ok {
			if _, seen := b.literal[lit]; !seen {
				b.literal[lit] = append([]*rule(nil), b.other...)
			}
			b.literal[lit] = append(b.literal[lit], r)
			continue
		}
		for lit := range b.literal {
			b.literal[lit] = append(b.literal[lit], r)
		}
		b.other = append(b.other, r)
	}
	return b
}

// candidates returns the rules that may match, in their order.
func (x *index) candidates(parts []string) []*rule {
	b := &x.byParts[min(len(parts), len(x.byParts)-1)]
	if b.literal != nil && b.position < len(parts) {
		if rules, ok := b.literal[parts[b.position]]; ok {
			return rules
		}
	}
	return b.other
}
