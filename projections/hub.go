package projections

import (
	"context"
	"errors"
	"sync"

	"github.com/tidemark-dev/tidemark/projections/connections"
)

// ErrSlow ends a watch whose reader does not keep up. It may begin again where it stood.
var ErrSlow = errors.New("watcher does not keep up")

// Name names a connection.
type Name struct{ Source, Connection string }

// Hub tells watchers which connections a batch changed. It never waits for
// them: a watcher that falls more than its buffer behind is dropped. Safe for concurrent use.
type Hub struct {
	mu       sync.Mutex
	watchers map[*Watch]struct{}
}

// NewHub returns a hub without watchers.
func NewHub() *Hub { return &Hub{watchers: map[*Watch]struct{}{}} }

// Watch receives the names of changed connections.
type Watch struct {
	hub     *Hub
	changes chan Name
}

// watchBuffer is how many changes a watcher may fall behind.
const watchBuffer = 4096

// Watch begins a watch. Every change that is applied after Watch returned is
// told. The caller closes it.
func (h *Hub) Watch() *Watch {
	w := &Watch{hub: h, changes: make(chan Name, watchBuffer)}
	h.mu.Lock()
	h.watchers[w] = struct{}{}
	h.mu.Unlock()
	return w
}

// Next returns the next changed connection. It returns ErrSlow when the watch
// was dropped, or ctx's error. The connection's row may be newer than the change.
func (w *Watch) Next(ctx context.Context) (Name, error) {
	select {
	case n, ok := <-w.changes:
		if !ok {
			return Name{}, ErrSlow
		}
		return n, nil
	case <-ctx.Done():
		return Name{}, ctx.Err()
	}
}

// Close ends the watch.
func (w *Watch) Close() {
	w.hub.mu.Lock()
	delete(w.hub.watchers, w)
	w.hub.mu.Unlock()
}

// tell passes on what a batch changed, after it was applied.
func (h *Hub) tell(changed []Name) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers {
		for _, n := range changed {
			select {
			case w.changes <- n:
				continue
			default:
			}
			delete(h.watchers, w)
			close(w.changes)
			break
		}
	}
}

// watched reports whether anybody watches.
func (h *Hub) watched() bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.watchers) > 0
}

// ChangedSince calls fn for the connections that a position behind after
// touched, ordered by source and id, until it returns false: what a watcher that comes back has missed.
func (v *View) ChangedSince(after uint64, fn func(connections.State) bool) error {
	_, err := v.Connections(connections.Filter{}, func(s connections.State, _ []byte) bool {
		return s.Position <= after || fn(s)
	})
	return err
}
