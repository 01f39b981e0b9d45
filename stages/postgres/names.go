package postgres

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// pair are the two names that a row of series or places has an id for.
type pair [2]string

func (p pair) compare(q pair) int { return slices.Compare(p[:], q[:]) }

// maxNames bounds how many ids are remembered: more than that are those of a
// sender that makes names up.
const maxNames = 65_536

// names knows the ids of a table that gives one to each pair of names. An id
// stays what it is once it has been committed.
type names struct {
	find, add string // statements

	known   map[pair]int32
	asked   map[pair]struct{} // to be looked up
	refused map[pair]error    // what has no id, for the batch
}

func newNames(table, first, second string) *names {
	const given = `unnest($1::text[], $2::text[]) g(a, b)`
	return &names{
		find:  fmt.Sprintf(`SELECT t.id, t.%[2]s, t.%[3]s FROM %[1]s t JOIN %[4]s ON t.%[2]s = g.a AND t.%[3]s = g.b`, table, first, second, given),
		add:   fmt.Sprintf(`INSERT INTO %[1]s (%[2]s, %[3]s) SELECT g.a, g.b FROM %[4]s ON CONFLICT DO NOTHING`, table, first, second, given),
		known: map[pair]int32{}, asked: map[pair]struct{}{}, refused: map[pair]error{},
	}
}

// ask notes a pair whose id will be needed.
func (n *names) ask(p pair) {
	if _, ok := n.known[p]; !ok {
		n.asked[p] = struct{}{}
	}
}

// id returns the id of a pair that was asked for before resolve, and not refused.
func (n *names) id(p pair) int32 { return n.known[p] }

// makeRoom forgets what is known when a batch of so many messages could exceed
// the bound. It comes before the first ask of the batch.
func (n *names) makeRoom(messages int) {
	clear(n.refused)
	if len(n.known)+messages > maxNames {
		n.known = map[pair]int32{}
	}
}

// resolve learns the ids of all that was asked for, and makes those that are not
// there yet, in transactions of their own: when that of the points fails, the ids
// stay right. It ends the asking, whatever happens.
func (n *names) resolve(ctx context.Context, s *session) error {
	if len(n.asked) == 0 {
		return nil
	}
	defer clear(n.asked)
	if err := n.look(ctx, s); err != nil || len(n.asked) == 0 {
		return err
	}
	// Sorted, so that two feeds that add the same ones wait for each other and do
	// not deadlock.
	if err := n.insert(ctx, s, slices.SortedFunc(maps.Keys(n.asked), pair.compare)); err != nil {
		return err
	}
	if err := n.look(ctx, s); err != nil {
		return err
	}
	for p := range n.asked {
		if n.refused[p] == nil {
			n.refused[p] = fmt.Errorf("the database has given no id to %q: a trigger or a rule on its table is in the way", p)
		}
	}
	return nil
}

// insert makes ids. When the server refuses a row it tries the halves, until it has
// found the row.
func (n *names) insert(ctx context.Context, s *session, pairs []pair) error {
	one, cancel := s.within(ctx)
	defer cancel()
	first, second := columnsOf(slices.Values(pairs))
	_, err := s.conn.Exec(one, n.add, first, second)
	switch {
	case err == nil || !refusesRow(err):
		return err
	case len(pairs) == 1:
		n.refused[pairs[0]] = explained(err)
		return nil
	}
	half := len(pairs) / 2
	if err := n.insert(ctx, s, pairs[:half]); err != nil {
		return err
	}
	return n.insert(ctx, s, pairs[half:])
}

// look moves what the table has from asked to known.
func (n *names) look(ctx context.Context, s *session) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	first, second := columnsOf(maps.Keys(n.asked))
	rows, err := s.conn.Query(ctx, n.find, first, second)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int32
		var p pair
		if err := rows.Scan(&id, &p[0], &p[1]); err != nil {
			return err
		}
		n.known[p] = id
		delete(n.asked, p)
	}
	return rows.Err()
}

// columnsOf returns the first and the second names of pairs.
func columnsOf(pairs iter.Seq[pair]) (first, second []string) {
	for p := range pairs {
		first, second = append(first, p[0]), append(second, p[1])
	}
	return first, second
}
