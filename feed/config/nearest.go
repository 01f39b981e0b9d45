package config

import "strings"

// nearest returns the name that was probably meant by got, or "" when none is
// close.
func nearest(got string, names []string) string {
	if len(got) > 100 {
		return ""
	}
	best, bestDistance := "", len(got)/2+1 // a word of other letters is no suggestion
	for _, name := range names {
		if strings.EqualFold(squash(got), squash(name)) {
			return name
		}
		if d := editDistance(strings.ToLower(got), strings.ToLower(name)); d < bestDistance {
			best, bestDistance = name, d
		}
	}
	if bestDistance > 3 {
		return ""
	}
	return best
}

// squash removes what people write in place of camelCase.
func squash(name string) string { return strings.NewReplacer("_", "", "-", "").Replace(name) }

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that lead from a to b.
func editDistance(a, b string) int {
	ar, br := []rune(a), []rune(b)
	before, last, row := make([]int, len(br)+1), make([]int, len(br)+1), make([]int, len(br)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(ar); i++ {
		row[0] = i
		for j := 1; j <= len(br); j++ {
			cost := 1
			if ar[i-1] == br[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && ar[i-1] == br[j-2] && ar[i-2] == br[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(br)]
}

// DidYouMean is the remedy for an unknown name: the nearest valid one, and
// all of them when they are few.
func DidYouMean(got string, names []string) string {
	var parts []string
	if n := nearest(got, names); n != "" {
		parts = append(parts, "did you mean "+n+"?")
	}
	switch {
	case len(names) == 0:
		parts = append(parts, "none is valid here")
	case len(names) <= 15:
		parts = append(parts, "valid: "+strings.Join(names, ", "))
	case len(parts) == 0:
		parts = append(parts, "feed stages shows what is valid")
	}
	return strings.Join(parts, " ")
}
