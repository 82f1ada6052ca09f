package projections

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func named(ids ...string) (names []Name) {
	for _, id := range ids {
		names = append(names, Name{"s", id})
	}
	return names
}

// take returns what a watch has waiting, which must be something.
func take(t *testing.T, w *Watch) ([]Name, uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	names, position, err := w.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return names, position
}

func TestHubTellsWhatChanged(t *testing.T) {
	h := NewHub(0)
	h.tell(named("before"), 0, 1)
	w := h.Watch()
	waits, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if names, _, err := w.Next(waits); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nothing changed, and Next returns %v, %v", names, err)
	}
	h.tell(named("a", "b"), 1, 3)
	h.tell(nil, 3, 4)
	h.tell(named("b", "c"), 4, 6)
	if names, position := take(t, w); !slices.Equal(names, named("a", "b", "c")) || position != 6 {
		t.Errorf("told %v up to %d", names, position)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if names, position := take(t, w); !slices.Equal(names, named("d")) || position != 7 {
			t.Errorf("told %v up to %d", names, position)
		}
	}()
	h.tell(named("d"), 6, 7)
	<-done
}

func TestHubRemembers(t *testing.T) {
	h := NewHub(0)
	if _, _, ok := h.WatchAfter(5); ok {
		t.Error("a hub that saw nothing remembers")
	}
	h.tell(named("a", "b"), 10, 12)
	h.tell(named("c"), 12, 13)
	h.tell(named("a"), 13, 20)
	for after, want := range map[uint64][]Name{10: named("a", "b", "c"), 11: named("a", "b", "c"), 12: named("c", "a"), 13: named("a"), 19: named("a")} {
		w, _, ok := h.WatchAfter(after)
		if names, position := take(t, w); !ok || !slices.Equal(names, want) || position != 20 {
			t.Errorf("behind %d: %v up to %d, remembered %v; want %v", after, names, position, ok, want)
		}
	}
	for after, want := range map[uint64]bool{9: false, 20: true, 99: true} {
		w, _, ok := h.WatchAfter(after)
		if ok != want || w.at != h.told {
			t.Errorf("behind %d: remembered %v", after, ok)
		}
	}
}

func TestHubTellsThatProjectionsWereReplaced(t *testing.T) {
	h := NewHub(0)
	before := h.Watch()
	h.tell(named("a"), 0, 5)
	h.Replaced(9) // the new ones had read further
	h.tell(named("b"), 9, 10)
	if _, _, err := before.Next(context.Background()); !errors.Is(err, ErrReplaced) {
		t.Errorf("a watch from before: %v, want ErrReplaced", err)
	}
	if names, position := take(t, before); !slices.Equal(names, named("b")) || position != 10 {
		t.Errorf("and then %v up to %d", names, position)
	}
	for _, after := range []uint64{0, 5, 9} {
		if _, from, ok := h.WatchAfter(after); ok || from != 0 {
			t.Errorf("behind %d: from %d, remembered %v; what a client saw by then says nothing", after, from, ok)
		}
	}
	if w, from, ok := h.WatchAfter(10); !ok || from != 10 || w.at != h.told {
		t.Errorf("behind 10: from %d, remembered %v", from, ok)
	}
	h.tell(named("c"), 10, 11)
	if w, _, ok := h.WatchAfter(10); !ok || w.at != h.told-1 {
		t.Error("what came behind is remembered")
	}
	waits := make(chan error)
	w := h.Watch()
	go func() {
		_, _, err := w.Next(context.Background())
		waits <- err
	}()
	h.Replaced(11)
	if err := <-waits; !errors.Is(err, ErrReplaced) {
		t.Errorf("a watch that waits: %v", err)
	}
}

func TestHubForgetsAndDropsTheSlow(t *testing.T) {
	const memory = 1024
	h := NewHub(memory)
	slow, fast := h.Watch(), h.Watch()
	position := uint64(0)
	tell := func(n int) {
		names := make([]Name, n)
		for i := range names {
			names[i] = Name{"s", fmt.Sprint(position, i)}
		}
		h.tell(names, position, position+1)
		position++
	}
	for range 40 {
		tell(memory / 32)
		if names, _ := take(t, fast); len(names) != memory/32 {
			t.Fatalf("%d names", len(names))
		}
	}
	if _, _, err := slow.Next(context.Background()); !errors.Is(err, ErrSlow) {
		t.Errorf("a watcher that took nothing: %v, want ErrSlow", err)
	}
	// 32 of the 40 batches are remembered, so what is behind position 8 is.
	if w, _, ok := h.WatchAfter(8); !ok || w.at != h.oldest() {
		t.Error("behind 8 is forgotten")
	}
	if _, _, ok := h.WatchAfter(7); ok {
		t.Error("behind 7 is remembered, and a part of it is not")
	}
	tell(2 * memory)
	if _, _, err := fast.Next(context.Background()); !errors.Is(err, ErrSlow) {
		t.Errorf("a batch of more than the hub remembers: %v, want ErrSlow", err)
	}
	if _, _, ok := h.WatchAfter(position - 1); ok {
		t.Error("half of a batch is taken for the whole")
	}
}
