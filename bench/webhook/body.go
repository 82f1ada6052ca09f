// Package webhook makes the webhooks that every side of the benchmark is sent:
// bodies of one size in the shape Makini sends, signed, with ids that never
// repeat, as ready HTTP/1.1 request bytes.
//
// Guarantee: the same Corpus makes the same webhooks, byte for byte, so every
// side is given the same work; everything costly (random choices, JSON, HMAC)
// happens before the clock starts.
//
// Flow: load builds Requests from a Corpus and then only writes bytes.
package webhook

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"time"
)

// Corpus describes an endless, repeatable sequence of webhooks.
type Corpus struct {
	// Seed tells sequences apart; it enters every id, so two corpora with
	// different seeds share none.
	Seed uint64
	// Connections is the number of connections the webhooks are about. They are
	// drawn with Zipf weights (s = 1.1): a few are busy, most are quiet.
	Connections int
	// EachFirst makes the first webhooks name every connection once, in order,
	// before the weights decide.
	EachFirst bool
	// Size is the length of a body in bytes, at least 512.
	Size int
	// From is the time of the first webhook and Spacing the time between two.
	From    time.Time
	Spacing time.Duration
	// Late is the share of webhooks that tell of something older than their
	// neighbours: by a log-normal time with a median of a minute, at most seven days.
	Late float64
}

const week = 7 * 24 * time.Hour

// kind is one type of webhook with its weight among a hundred.
type kind struct {
	weight int
	name   string
	data   string
}

var kinds = []kind{
	{44, "sync.completed", `"status":"success"`},
	{30, "sync.started", `"status":"running"`},
	{8, "sync.completed", `"status":"failed","error":{"code":"RATE_LIMIT_EXCEEDED","message":"the system answered 429 for 30 s","request_id":"req_7f31c0"}`},
	{6, "connection.status_changed", `"status":"online"`},
	{4, "connection.status_changed", `"status":"offline","reason":"agent did not answer for 60 s"`},
	{3, "connection.auth_required", `"reason":"credentials expired"`},
	{2, "system.error", `"error":{"code":"UPSTREAM_TIMEOUT","message":"no answer within 30 s","request_id":"req_19ab44"}`},
	{1, "connection.connected", `"status":"online"`},
	{2, "flow.purchase_order_sent", `"status":"done"`},
}

// Maker draws the webhooks of a corpus one after the other.
type Maker struct {
	c    Corpus
	rng  *rand.Rand
	zipf *rand.Zipf
	n    int
}

// NewMaker returns a maker at the beginning of the corpus.
func NewMaker(c Corpus) *Maker {
	rng := rand.New(rand.NewPCG(c.Seed, 0x7469_6465_6d61_726b))
	return &Maker{c: c, rng: rng, zipf: rand.NewZipf(rng, 1.1, 1, uint64(c.Connections-1))}
}

// next appends the next body to buf.
func (m *Maker) next(buf []byte) []byte {
	at := m.c.From.Add(time.Duration(m.n) * m.c.Spacing)
	if m.rng.Float64() < m.c.Late {
		late := time.Duration(math.Exp(m.rng.NormFloat64()*2) * float64(time.Minute))
		at = at.Add(-min(late, week))
	}
	return m.About(buf, m.Connection(), at)
}

// Connection draws the connection that the next webhook is about.
func (m *Maker) Connection() string {
	id := ConnectionID(m.connection())
	m.n++
	return id
}

// About appends a body about a connection and a time of the caller's choosing.
func (m *Maker) About(buf []byte, connection string, at time.Time) []byte {
	start, k := len(buf), m.kind()
	buf = append(buf, `{"id":"whk_`...)
	buf = m.hex(buf, 24)
	buf = append(buf, `","event_type":"`...)
	buf = append(buf, k.name...)
	buf = append(buf, `","timestamp":"`...)
	buf = at.UTC().AppendFormat(buf, time.RFC3339Nano)
	buf = append(buf, `","connection_id":"`...)
	buf = append(buf, connection...)
	buf = append(buf, `","workspace_id":"ws_2b7c9d","data":{`...)
	buf = append(buf, k.data...)
	buf = append(buf, `,"entity":"purchase_orders","mode":"incremental","records":{"read":`...)
	buf = strconv.AppendInt(buf, m.rng.Int64N(100_000), 10)
	buf = append(buf, `,"created":`...)
	buf = strconv.AppendInt(buf, m.rng.Int64N(10_000), 10)
	buf = append(buf, `,"failed":0},"duration_ms":`...)
	buf = strconv.AppendInt(buf, m.rng.Int64N(600_000), 10)
	buf = append(buf, `,"cursor":"`...)
	const tail = `"}}`
	buf = m.hex(buf, start+m.c.Size-len(tail)-len(buf))
	return append(buf, tail...)
}

func (m *Maker) kind() kind {
	left := m.rng.IntN(100)
	for _, k := range kinds {
		if left -= k.weight; left < 0 {
			return k
		}
	}
	return kinds[0]
}

// connection draws which connection the next webhook is about. The busy ones
// are spread over the ids: the product with a prime that does not divide their
// number is a permutation.
func (m *Maker) connection() int {
	if m.c.EachFirst && m.n < m.c.Connections {
		return m.n
	}
	return int(m.zipf.Uint64() * 7_919 % uint64(m.c.Connections))
}

// hex appends n random hexadecimal digits.
func (m *Maker) hex(buf []byte, n int) []byte {
	const digits = "0123456789abcdef"
	for n > 0 {
		word := m.rng.Uint64()
		for range min(n, 16) {
			buf = append(buf, digits[word&15])
			word >>= 4
		}
		n -= 16
	}
	return buf
}

// ConnectionID returns the id of the connection with a number.
func ConnectionID(n int) string { return fmt.Sprintf("conn_%06d", n) }
