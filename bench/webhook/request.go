package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"time"
)

// Secret signs every webhook of the benchmark. It guards nothing.
const Secret = "benchmark-secret-that-guards-nothing"

// Path is where every side takes webhooks.
const Path = "/in/makini"

// SignatureHeader carries the signature: HMAC-SHA256 of the body, hexadecimal.
const SignatureHeader = "X-Makini-Signature"

// Requests is a run of ready HTTP/1.1 requests in one piece of memory.
type Requests struct {
	bytes []byte
	ends  []int
}

// Len returns the number of requests.
func (r *Requests) Len() int { return len(r.ends) }

// At returns the bytes of request i. They must not be changed.
func (r *Requests) At(i int) []byte {
	from := 0
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.bytes[from:r.ends[i]]
}

// Drop takes the first n requests away.
func (r *Requests) Drop(n int) {
	if n == 0 {
		return
	}
	from := r.ends[n-1]
	r.bytes, r.ends = r.bytes[from:], r.ends[n:]
	for i := range r.ends {
		r.ends[i] -= from
	}
}

// Build makes the first n requests of the corpus for a server at addr
// (host:port). It takes a few microseconds and about 200 B more than the body each.
func (c Corpus) Build(n int, addr string) (*Requests, error) {
	if c.Size < 512 {
		return nil, fmt.Errorf("a body of %d B has no room for what every webhook says: ask for 512 at least", c.Size)
	}
	if c.Connections < 2 {
		return nil, errors.New("a corpus needs two connections at least")
	}
	const headers = 240
	r := &Requests{bytes: make([]byte, 0, n*(c.Size+headers)), ends: make([]int, 0, n)}
	m, sign := NewMaker(c), newSigner()
	var body []byte
	for range n {
		body = m.next(body[:0])
		r.bytes = appendRequest(r.bytes, addr, sign, body)
		r.ends = append(r.ends, len(r.bytes))
	}
	return r, nil
}

// Single returns the request bytes of one webhook that says a sync of a
// connection succeeded, with an id and a time of the caller's choosing.
func Single(addr, id, connection string, at time.Time) []byte {
	body := fmt.Appendf(nil, `{"id":%q,"event_type":"sync.completed","timestamp":%q,"connection_id":%q,"data":{"status":"success"}}`,
		id, at.UTC().Format(time.RFC3339Nano), connection)
	return appendRequest(nil, addr, newSigner(), body)
}

func appendRequest(buf []byte, addr string, sign *signer, body []byte) []byte {
	buf = append(buf, "POST "+Path+" HTTP/1.1\r\nHost: "...)
	buf = append(buf, addr...)
	buf = append(buf, "\r\nUser-Agent: Makini-Webhooks/1.0\r\nContent-Type: application/json\r\n"+SignatureHeader+": "...)
	buf = hex.AppendEncode(buf, sign.sum(body))
	buf = append(buf, "\r\nContent-Length: "...)
	buf = strconv.AppendInt(buf, int64(len(body)), 10)
	buf = append(buf, "\r\n\r\n"...)
	return append(buf, body...)
}

// signer keeps the keyed hash between signatures.
type signer struct {
	mac hash.Hash
	out [sha256.Size]byte
}

func newSigner() *signer { return &signer{mac: hmac.New(sha256.New, []byte(Secret))} }

func (s *signer) sum(body []byte) []byte {
	s.mac.Reset()
	s.mac.Write(body)
	return s.mac.Sum(s.out[:0])
}
