package providers

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"math"
	"sync"
)

// redactedPrefix begins what stands in the place of a redacted value; the first
// redactedSize bytes of the hash follow in hex.
const (
	redactedPrefix = "redacted:hmac-sha256:"
	redactedSize   = 16
)

// RedactedWhole is the number that Redact returns where it replaced all of a body.
const RedactedWhole = -1

// errRedactedWhole is why a body that was replaced as a whole is in quarantine.
var errRedactedWhole = errors.New("the body could not be read when it was received, so the fields to redact could not be found in it: all of it was replaced by its keyed hash before it was stored")

// isRedacted reports whether a text is what Redact writes.
func isRedacted(text []byte) bool {
	if len(text) != len(redactedPrefix)+2*redactedSize || !bytes.HasPrefix(text, []byte(redactedPrefix)) {
		return false
	}
	for _, c := range text[len(redactedPrefix):] {
		if !isDigit(c) && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Redactor replaces the fields that a definition has redacted by keyed hashes, before
// an event is stored. Safe for concurrent use.
type Redactor struct {
	def  *Definition
	key  []byte
	work sync.Pool
}

// redaction is what one call needs; it is used again.
type redaction struct {
	payload
	mac     hash.Hash
	nodes   []int
	scratch []byte
}

// NewRedactor returns a Redactor for the definition, nil where it redacts nothing.
// The key is any bytes; 32 random ones are right.
func (d *Definition) NewRedactor(key []byte) *Redactor {
	if len(d.hidden.redact) == 0 {
		return nil
	}
	return &Redactor{def: d, key: bytes.Clone(key)}
}

// Redact appends the body to dst with each value to redact replaced by the JSON string
// "redacted:hmac-sha256:…", HMAC-SHA256 under the key of a string's text, or of the JSON
// of any other value as it stands. Every other byte is as it was; equal bodies give equal
// results. fields is the number of values replaced.
//
// A body in which the fields cannot be looked for, as it is no strict JSON and no form that
// holds any, or whose result has more than limit bytes, becomes its own hash as a whole (RedactedWhole): it
// is nothing that a mapping can read. header gives the kept headers as for Map.
func (r *Redactor) Redact(dst, body []byte, limit int, header func(name string) string) (out []byte, fields int) {
	w, _ := r.work.Get().(*redaction)
	if w == nil {
		w = &redaction{mac: hmac.New(sha256.New, r.key)}
	}
	defer r.put(w)
	if !w.open(r.def, body, header) {
		return w.appendHash(dst, body), RedactedWhole
	}
	w.nodes = w.nodes[:0]
	for _, p := range r.def.hidden.redact {
		w.nodes = w.doc.find(w.nodes, 0, p)
	}
	w.nodes = w.doc.outermost(w.nodes)
	if len(body)+len(w.nodes)*maxHashed > limit {
		return w.appendHash(dst, body), RedactedWhole
	}
	return w.splice(dst, w.nodes, w.value), len(w.nodes)
}

// maxHashed is the most bytes that one replaced value takes, in a form, where quotes and colons are escaped.
const maxHashed = len(redactedPrefix) + 2*redactedSize + 4*len("%22")

// value appends what stands for the value at node n.
func (w *redaction) value(dst []byte, n int) []byte {
	text := w.doc.raw(n)
	if w.doc.nodes[n].kind == kindString {
		text, w.scratch = w.doc.string(n, w.scratch[:0])
	}
	dst = append(dst, '"')
	dst = w.appendHash(dst, text)
	return append(dst, '"')
}

func (w *redaction) appendHash(dst, text []byte) []byte {
	w.mac.Reset()
	w.mac.Write(text)
	var sum [sha256.Size]byte
	dst = append(dst, redactedPrefix...)
	return hex.AppendEncode(dst, w.mac.Sum(sum[:0])[:redactedSize])
}

// AsStored is a body as it is stored, with hashes under a key that stands for any: to try a
// definition on what its sender sends.
func (d *Definition) AsStored(body []byte, header func(name string) string) []byte {
	r := d.NewRedactor(make([]byte, sha256.Size))
	if r == nil {
		return body
	}
	stored, _ := r.Redact(nil, body, math.MaxInt, header)
	return stored
}

// put keeps the memory for the next body, and nothing of this one in clear.
func (r *Redactor) put(w *redaction) {
	w.body, w.doc.text = nil, nil
	clear(w.form[:cap(w.form)])
	clear(w.scratch[:cap(w.scratch)])
	if cap(w.form) > keepScratch {
		w.form = nil
	}
	r.work.Put(w)
}
