package reading

// maxNames bounds what is remembered of names, to some 3 MiB: more than that are
// those of a sender that makes them up.
const maxNames = 16_384

// names keeps one string for each name.
type names struct{ known map[string]string }

func (n *names) get(b []byte) string {
	if s, ok := n.known[string(b)]; ok {
		return s
	}
	if n.known == nil || len(n.known) >= maxNames {
		n.known = make(map[string]string)
	}
	s := string(b)
	if len(s) <= MaxName { // a longer one is refused
		n.known[s] = s
	}
	return s
}
