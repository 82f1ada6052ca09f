package rebuild

import (
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/timeline"
)

// chunk is a stretch of the log whose events have met their fates: the rows
// that are taken in together. It is used again.
type chunk struct {
	placed []placed
	buf    []byte // the rows of placed
	first  []firstDelivery
	ids    ids // of first
	// The rows of the kinds that are few.
	groups, names, quarantine, received, deliveries rows

	generation projections.Generation // as of the chunk's end
	done       chan error             // how writing it ended
}

// placed is an entry of a timeline.
type placed struct {
	conn timeline.Conn
	key  timeline.Key
	row  span
}

// firstDelivery is the first delivery under an id, and which of placed it is.
type firstDelivery struct {
	hash     [16]byte
	bodySum  uint64
	position uint64
	index    uint32
	placed   uint32
}

func newChunk(events, bytes int) *chunk {
	room := events + events/16 // the last group may be larger than what was left
	return &chunk{
		placed: make([]placed, 0, room), first: make([]firstDelivery, 0, room),
		buf: make([]byte, 0, bytes), ids: newIDs(events), done: make(chan error, 1),
	}
}

func (c *chunk) reset() {
	c.placed, c.buf, c.first = c.placed[:0], c.buf[:0], c.first[:0]
	c.ids.clear()
	for _, r := range []*rows{&c.groups, &c.names, &c.quarantine, &c.received, &c.deliveries} {
		r.reset()
	}
}

func (c *chunk) empty() bool { return len(c.groups.list) == 0 }

// bytes is what the chunk's rows take.
func (c *chunk) bytes() int {
	return len(c.buf) + len(c.groups.buf) + len(c.names.buf) + len(c.quarantine.buf) + len(c.received.buf) + len(c.deliveries.buf)
}

// place adds an entry and returns its row, which may still be changed.
func (c *chunk) place(m *mapped, row []byte) []byte {
	from := uint32(len(c.buf))
	c.buf = append(c.buf, row...)
	to := uint32(len(c.buf))
	c.placed = append(c.placed, placed{conn: m.conn, key: m.key, row: span{from, to}})
	return c.buf[from:to]
}

// keep remembers the event placed last as the first delivery under its id.
func (c *chunk) keep(m *mapped) {
	c.first = append(c.first, firstDelivery{
		hash: m.hash, bodySum: m.bodySum, position: m.key.Position, index: m.key.Index, placed: uint32(len(c.placed) - 1),
	})
	c.ids.add(c.first, len(c.first)-1)
}
