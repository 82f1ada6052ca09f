package stream

import (
	"bytes"
	"sync"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// tail keeps the messages that were acknowledged last, as they were sent. Who follows the log and has
// all before them gets them from here and not from the server. That is for the server's
// sake: it keeps a block of messages in memory for ten seconds after anybody read of it, which under load
// is more memory than all the rest of the process has. The default is what a small machine stores in some hundred
// milliseconds; a reader that falls further behind catches up by the server, and so does one that comes later.
//
// Nothing is in it that is not in the log at that position, and it is good for the connection
// it came by alone: whoever comes back after a break has the server tell what the log holds.
type tail struct {
	most  int    // of bytes
	grown signal // fires when there is more

	mu       sync.Mutex
	link     *link
	epoch    uint64
	first    eventstore.Position // of the messages
	messages [][]byte
	bytes    int
}

// put adds a message that was acknowledged on a connection.
func (t *tail) put(k *looked, p eventstore.Position, message []byte) {
	t.mu.Lock()
	if t.link != k.link || t.epoch != k.epoch || p != t.first+eventstore.Position(len(t.messages)) {
		// Of what lies between, if anything, the server knows.
		t.link, t.epoch, t.first, t.messages, t.bytes = k.link, k.epoch, p, nil, 0
	}
	t.messages = append(t.messages, bytes.Clone(message))
	t.bytes += len(message)
	for t.bytes > t.most {
		t.bytes -= len(t.messages[0])
		t.messages[0] = nil
		t.messages = t.messages[1:]
		t.first++
	}
	t.mu.Unlock()
	t.grown.fire()
}

// end returns the position behind the last message that was put in; 0 before there was one.
func (t *tail) end() eventstore.Position {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.first + eventstore.Position(len(t.messages))
}

// at returns the message at a position, nil if it is not here; how many are here from it on; and whether it need
// not be asked for, because it is here or will be the next to come. The message must not be changed.
func (t *tail) at(lk *link, p eventstore.Position) (message []byte, here int, comes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if lk == nil || t.link != lk || t.epoch != lk.epoch.Load() || p < t.first {
		return nil, 0, false
	}
	i := uint64(p - t.first)
	if i < uint64(len(t.messages)) {
		return t.messages[i], len(t.messages) - int(i), true
	}
	return nil, 0, i == uint64(len(t.messages))
}
