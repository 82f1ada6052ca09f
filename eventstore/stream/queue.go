package stream

import (
	"sync"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// request is one event that waits for its group.
type request struct {
	event eventstore.Event
	size  int
	until time.Time   // when its Append has to have an answer
	done  chan result // takes what the committer and the timer say without a reader
	timer *time.Timer // says that it is overdue
	// abandoned is set when nobody waits for the committer's answer any more: the event's memory is no longer ours.
	// Guarded by Log.encoding.
	abandoned bool
}

type result struct {
	receipt eventstore.Receipt
	err     error
}

// queue holds the requests in order of arrival, bounded in number and bytes.
type queue struct {
	maxEvents, maxBytes int

	mu      sync.Mutex
	waiting []*request
	bytes   int
	closed  bool

	wake chan struct{} // holds a token when there may be something to take
}

func newQueue(maxEvents, maxBytes int) *queue {
	return &queue{maxEvents: maxEvents, maxBytes: maxBytes, wake: make(chan struct{}, 1)}
}

// put adds a request, or returns ErrBusy or ErrClosed at once.
func (q *queue) put(r *request) error {
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return eventstore.ErrClosed
	case len(q.waiting) >= q.maxEvents, len(q.waiting) > 0 && q.bytes+r.size > q.maxBytes:
		q.mu.Unlock()
		return eventstore.ErrBusy
	}
	q.waiting = append(q.waiting, r)
	q.bytes += r.size
	q.mu.Unlock()
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take appends to group what shares the next message: the first that waits, and those
// behind it as long as the group keeps its bounds.
func (q *queue) take(group []*request, maxEvents, maxBytes int) []*request {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, eventstore.GroupOverhead
	for n < len(q.waiting) && n < maxEvents {
		size := q.waiting[n].size
		if n > 0 && bytes+size > maxBytes {
			break
		}
		bytes += size
		q.bytes -= size
		n++
	}
	group = append(group, q.waiting[:n]...)
	left := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[left:])
	q.waiting = q.waiting[:left]
	return group
}

// close makes every later put an ErrClosed.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

// size returns what waits.
func (q *queue) size() (events, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting), q.bytes
}

func (q *queue) isClosed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed
}

// finished says whether nothing waits and nothing will.
func (q *queue) finished() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.closed && len(q.waiting) == 0
}
