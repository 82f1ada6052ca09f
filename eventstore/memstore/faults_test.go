package memstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/memstore"
	"github.com/tidemark-dev/tidemark/eventstore/storetest"
)

// filled returns a store with n groups of two events.
func filled(n int) *memstore.Store {
	s := memstore.New()
	s.Idle = 5 * time.Millisecond
	for i := range n {
		s.AppendGroup(storetest.Samples(2 * n)[2*i : 2*i+2])
	}
	return s
}

func head(t *testing.T, s *memstore.Store) eventstore.Position {
	t.Helper()
	p, err := s.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func follow(t *testing.T, s *memstore.Store, after eventstore.Position) eventstore.Cursor {
	t.Helper()
	c, err := s.Follow(t.Context(), after)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFailAppendsStoresNothing(t *testing.T) {
	s := memstore.New()
	s.FailAppends(2, nil)
	for range 2 {
		if _, err := s.Append(t.Context(), storetest.Sample(0)); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("error %v, want ErrUnavailable", err)
		}
	}
	if p := head(t, s); p != 0 {
		t.Errorf("the head is %d after failed appends", p)
	}
	s.FailAppends(1, eventstore.ErrDiskLow)
	if _, err := s.Append(t.Context(), storetest.Sample(0)); !errors.Is(err, eventstore.ErrDiskLow) {
		t.Errorf("error %v, want ErrDiskLow", err)
	}
	if r, err := s.Append(t.Context(), storetest.Sample(0)); err != nil || r.Position != 1 {
		t.Errorf("after the faults: %+v, %v", r, err)
	}
}

func TestLoseAcksStoresAndFails(t *testing.T) {
	s := memstore.New()
	s.LoseAcks(1)
	if _, err := s.Append(t.Context(), storetest.Sample(0)); !errors.Is(err, eventstore.ErrUnavailable) {
		t.Fatalf("error %v, want ErrUnavailable", err)
	}
	g, err := s.At(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := storetest.Diff(g.Events[0], storetest.Sample(0)); diff != "" {
		t.Error(diff)
	}
}

func TestStall(t *testing.T) {
	s := memstore.New()
	resume := s.Stall()
	s.Stall() // changes nothing: one resume ends both
	ctx, cancel := context.WithCancel(t.Context())
	given, kept := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Append(ctx, storetest.Sample(0))
		given <- err
	}()
	go func() {
		_, err := s.Append(t.Context(), storetest.Sample(1))
		kept <- err
	}()
	if err := s.WaitStalled(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("the append whose context ended: %v", err)
	}
	if p := head(t, s); p != 0 {
		t.Errorf("the head is %d during the stall", p)
	}
	resume()
	resume()
	if err := <-kept; err != nil {
		t.Errorf("the append after the stall: %v", err)
	}
	if p := head(t, s); p != 1 {
		t.Errorf("the head is %d after the stall", p)
	}
}

func TestCloseEndsWhatWaits(t *testing.T) {
	s := memstore.New()
	s.Idle = time.Hour
	s.Stall()
	appended, read := make(chan error, 1), make(chan error, 1)
	c := follow(t, s, 0)
	go func() {
		_, err := s.Append(t.Context(), storetest.Sample(0))
		appended <- err
	}()
	go func() {
		_, err := c.Next(t.Context())
		read <- err
	}()
	if err := s.WaitStalled(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-appended; !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("append: %v, want ErrClosed", err)
	}
	if err := <-read; !errors.Is(err, eventstore.ErrClosed) {
		t.Errorf("next: %v, want ErrClosed", err)
	}
}

func TestFailReadsPasses(t *testing.T) {
	s := filled(2)
	c := follow(t, s, 0)
	s.FailReads(2)
	if n := c.Buffered(); n != 0 {
		t.Errorf("%d groups are buffered while the log is out of reach", n)
	}
	for range 2 {
		if _, err := c.Next(t.Context()); !errors.Is(err, eventstore.ErrUnavailable) {
			t.Fatalf("error %v, want ErrUnavailable", err)
		}
	}
	if g, err := c.Next(t.Context()); err != nil || g.Position != 1 {
		t.Errorf("after the fault: position %d, %v", g.Position, err)
	}
}

// TestDamage does each damage to position 3 of 5 and holds what the contract says of it: the
// cursor gives what stands before, then the same error for ever, and never promises more.
func TestDamage(t *testing.T) {
	for _, c := range []struct {
		name      string
		do        func(*memstore.Store)
		delivered eventstore.Position // before the error
		says      string
		at        bool // At(3) fails too
	}{
		{"flipped bit of a body", func(s *memstore.Store) { s.FlipBit(3, 8*200) }, 2, "position 3", true},
		{"flipped bit of the first line", func(s *memstore.Store) { s.FlipBit(3, 0) }, 2, "position 3", true},
		{"message cut", func(s *memstore.Store) { s.CutMessage(3, 1) }, 2, "position 3", true},
		{"message gone", func(s *memstore.Store) { s.CutMessage(3, 1<<20) }, 2, "position 3", true},
		{"position dropped", func(s *memstore.Store) { s.Drop(3) }, 2, "gap at position 3", true},
		{"position repeated", func(s *memstore.Store) { s.Repeat(3) }, 3, "position 3 was delivered again", false},
		{"tail cut below what was read", func(s *memstore.Store) {}, 5, "behind 5", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := filled(5)
			c.do(s)
			cursor := follow(t, s, 0)
			for p := eventstore.Position(1); p <= c.delivered; p++ {
				if n, most := cursor.Buffered(), int(c.delivered-p+1); n > most {
					t.Errorf("before position %d: %d groups are buffered, only %d can be read", p, n, most)
				}
				g, err := cursor.Next(t.Context())
				if err != nil || g.Position != p {
					t.Fatalf("next: position %d, %v; want %d", g.Position, err, p)
				}
			}
			if c.delivered == 5 {
				s.CutTail(2)
			}
			_, first := cursor.Next(t.Context())
			if !errors.Is(first, eventstore.ErrIntegrity) || !strings.Contains(first.Error(), c.says) {
				t.Fatalf("error %v, want an ErrIntegrity that says %q", first, c.says)
			}
			if _, again := cursor.Next(t.Context()); !errors.Is(again, first) {
				t.Errorf("the error was %v, and then %v", first, again)
			}
			if n := cursor.Buffered(); n != 0 {
				t.Errorf("%d groups are buffered behind the damage", n)
			}
			if _, err := s.At(t.Context(), 3); errors.Is(err, eventstore.ErrIntegrity) != c.at {
				t.Errorf("at 3: error %v; damage expected: %t", err, c.at)
			}
			s.Heal(3)
			if groups, err := storetest.ReadAll(t.Context(), s); err != nil || len(groups) != int(head(t, s)) {
				t.Errorf("healed: %d groups, %v", len(groups), err)
			}
		})
	}
}

// TestCutTailUsesPositionsAgain is the damage that only somebody sees who kept what
// stood there.
func TestCutTailUsesPositionsAgain(t *testing.T) {
	s := filled(3)
	s.CutTail(1)
	before, err := s.At(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if p := s.AppendGroup(storetest.Samples(9)[8:]); p != 3 {
		t.Errorf("appended at %d, want 3", p)
	}
	g, err := s.At(t.Context(), 3)
	if err != nil || g.Events[0].ID != storetest.Sample(8).ID || g.ID == before.ID {
		t.Errorf("at 3: %+v, %v", g, err)
	}
}

// TestNextTakesBackWhatItLent shows that a reader which keeps a body across Next is found out.
func TestNextTakesBackWhatItLent(t *testing.T) {
	s := filled(3)
	c := follow(t, s, 0)
	g, err := c.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept := g.Events[0].Body
	want := string(kept)
	if _, err := c.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if string(kept) == want {
		t.Errorf("the body still reads %q after the next Next", kept)
	}
}

// TestSameCallsSameLog shows that a store's bytes depend on nothing but the calls.
func TestSameCallsSameLog(t *testing.T) {
	show := func() string {
		groups, err := storetest.ReadAll(t.Context(), filled(4))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(groups)
	}
	if a, b := show(), show(); a != b {
		t.Errorf("two stores differ:\n%s\n%s", a, b)
	}
}
