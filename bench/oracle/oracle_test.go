package oracle

import (
	"math/rand/v2"
	"testing"
)

func lines(events []Observation) string {
	o, text := New(), ""
	for i := range events {
		o.Add(&events[i])
	}
	o.States(func(s *State) { text += string(s.Append(nil)) })
	return text
}

func TestStateByHand(t *testing.T) {
	got := lines([]Observation{
		{"b", "1", 10, [Facets]uint8{0, 2, 0, 3, 0}},
		{"a", "2", 50, [Facets]uint8{0, 0, 0, 4, 0}},
		{"a", "3", 40, [Facets]uint8{0, 0, 0, 3, 2}}, // late
		{"a", "2", 50, [Facets]uint8{0, 0, 0, 4, 0}}, // again
		{"a", "4", 50, [Facets]uint8{0, 0, 0, 4, 1}}, // of the same time, later in the log
		{"a", "5", 60, [Facets]uint8{}},
	})
	want := "a 0@0 0@0 0@0 4@50 1@50 2 40 50 4 1 1 40 60\n" + "b 0@0 2@10 0@0 3@10 0@0 0 10 0 1 0 0 10 10\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// Only the counts of late events may depend on the order in which distinct events of distinct times came.
func TestOrderDoesNotMatter(t *testing.T) {
	events := make([]Observation, 200)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range events {
		events[i] = Observation{string(rune('a' + rng.IntN(5))), string(rune(i)), int64(i), [Facets]uint8{0, 0, uint8(rng.IntN(3)), uint8(rng.IntN(5)), 0}}
	}
	without := func() string {
		o, text := New(), ""
		for i := range events {
			o.Add(&events[i])
		}
		o.States(func(s *State) { s.Late = 0; text += string(s.Append(nil)) })
		return text
	}
	want := without()
	rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	if got := without(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestDigestIsOfTheLines(t *testing.T) {
	s := State{Connection: "a", Events: 1}
	added, written := NewDigest(), NewDigest()
	added.Add(&s)
	if _, err := written.Write(s.Append(nil)); err != nil || added.String() != written.String() {
		t.Errorf("%s and %s, %v", added, written, err)
	}
	s.Late++
	added.Add(&s)
	if added.String() == written.String() {
		t.Error("another state has the same digest")
	}
}
