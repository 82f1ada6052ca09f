package projections

import (
	"context"
	"errors"
	"sync"

	"github.com/tidemark-dev/tidemark/projections/connections"
)

// ErrSlow ends a watch whose reader does not keep up. It may begin again where it stood.
var ErrSlow = errors.New("watcher does not keep up")

// ErrReplaced tells a watcher, once, that other projections serve from now on:
// any state may be another one. The watch goes on behind that.
var ErrReplaced = errors.New("the projections were replaced")

// Name names a connection.
type Name struct{ Source, Connection string }

// DefaultHubMemory is how many changes a hub remembers unless it is told otherwise.
const DefaultHubMemory = 1 << 16

// Hub tells watchers which connections a batch changed. It never waits for
// them: it remembers the last changes, each watcher takes them when it likes, and one that falls
// further behind is dropped. Safe for concurrent use.
type Hub struct {
	mu sync.Mutex
	// ring holds the last changes, at most memory of them; the one with number n is at n % memory.
	ring   []change
	memory uint64
	told   uint64 // how many changes there were: the number of the next one
	// position is that of the last batch; the ring holds every change behind since.
	position, since uint64
	more            chan struct{} // closed with the next batch

	// replaced counts how often other projections took over, the last time at the
	// position replacedAt and before the change with the number floor.
	replaced   int
	replacedAt uint64
	floor      uint64
}

type change struct {
	Name
	position uint64 // of the batch: the last position in it
}

// NewHub returns a hub that has seen nothing. memory is how many changes it
// remembers, and so how far a watcher may fall behind; 0 for DefaultHubMemory.
func NewHub(memory int) *Hub {
	if memory <= 0 {
		memory = DefaultHubMemory
	}
	return &Hub{memory: uint64(memory), more: make(chan struct{})}
}

// Watch receives the names of changed connections. Not safe for concurrent use; it needs no end.
type Watch struct {
	hub *Hub
	at  uint64 // the number of the next change to take

	replaced int
}

// Watch begins a watch. Every batch that is applied after Watch returned is told.
func (h *Hub) Watch() *Watch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return &Watch{hub: h, at: h.told, replaced: h.replaced}
}

// WatchAfter begins a watch with what changed behind a position. It is false
// where the hub does not remember that: then the watch begins now, and what changed behind the position
// from has to be looked for. That is 0 where other projections have taken over since.
func (h *Hub) WatchAfter(position uint64) (w *Watch, from uint64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w = &Watch{hub: h, at: h.told, replaced: h.replaced}
	if h.replacedAt > 0 && position <= h.replacedAt {
		return w, 0, false
	}
	if h.told == 0 || position < h.since {
		return w, position, false
	}
	for w.at > max(h.oldest(), h.floor) && h.ring[(w.at-1)%h.memory].position > position {
		w.at--
	}
	return w, position, true
}

// Replaced tells watchers that other projections serve, which stand at a
// position: no earlier position says anything of their states.
func (h *Hub) Replaced(position uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replaced++
	h.replacedAt, h.floor = max(h.replacedAt, position), h.told
	h.position = max(h.position, position)
	h.wake()
}

// Forget says that no position up to this one says anything of states that
// somebody was told in an earlier life; it takes the place of what was forgotten before. Who watches already is not told.
func (h *Hub) Forget(position uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replacedAt = position
}

// wake ends the waiting of all watchers. h.mu is held.
func (h *Hub) wake() {
	close(h.more)
	h.more = make(chan struct{})
}

// oldest is the number of the oldest change that is remembered.
func (h *Hub) oldest() uint64 { return h.told - uint64(len(h.ring)) }

// Next waits until something changed and returns all that changed since the
// last Next, each connection once. Every change up to position is among these names or
// earlier ones; the connections' rows may be newer. It returns ErrSlow where changes were
// forgotten that this watch had not taken, ErrReplaced, or ctx's error.
func (w *Watch) Next(ctx context.Context) (names []Name, position uint64, err error) {
	for {
		h := w.hub
		h.mu.Lock()
		if w.replaced != h.replaced {
			w.replaced, w.at = h.replaced, h.floor
			h.mu.Unlock()
			return nil, 0, ErrReplaced
		}
		if w.at < h.oldest() {
			h.mu.Unlock()
			return nil, 0, ErrSlow
		}
		if w.at < h.told {
			seen := make(map[Name]struct{}, min(h.told-w.at, 1024))
			for ; w.at < h.told; w.at++ {
				n := h.ring[w.at%h.memory].Name
				if _, again := seen[n]; !again {
					seen[n] = struct{}{}
					names = append(names, n)
				}
			}
			position = h.position
			h.mu.Unlock()
			return names, position, nil
		}
		more := h.more
		h.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// tell notes what a batch changed, after it was applied. The batch holds the
// positions behind before, up to position.
func (h *Hub) tell(changed []Name, before, position uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.told == 0 {
		h.since = before
	}
	for _, n := range changed {
		c := change{n, position}
		if uint64(len(h.ring)) < h.memory {
			h.ring = append(h.ring, c)
		} else {
			forgotten := &h.ring[h.told%h.memory]
			h.since = forgotten.position
			*forgotten = c
		}
		h.told++
	}
	h.position = position
	h.wake()
}

// ChangedSince calls fn for the connections of f that a position behind after
// touched, ordered by source and id, until it returns false: what a watcher that comes back has
// missed. more is true where f.Limit, which counts the connections it looks at, cut that short; place is where it goes on.
func (v *View) ChangedSince(after uint64, f connections.Filter, fn func(connections.State) bool) (place []byte, more bool, err error) {
	more, err = v.Connections(f, func(s connections.State, at []byte) bool {
		place = at
		return s.Position <= after || fn(s)
	})
	return place, more, err
}
