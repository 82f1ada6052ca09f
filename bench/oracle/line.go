// Package oracle says what the state of every connection has to be, by the
// plainest means there are: all observations in memory, sorted, and folded one after
// the other. It also defines the text in which every side of the benchmark exports its states, so that
// equal texts mean equal states.
//
// Guarantee: it shares no code with the projections or with the SQL it judges. Only the
// mapping from a body to an observation is taken as given, by all sides.
package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
)

// Facets is the number of facets of a connection.
const Facets = 5

// SyncSucceeded and SyncFailed are values of the facet at SyncFacet.
const (
	SyncFacet     = 3
	SyncSucceeded = 3
	SyncFailed    = 4
)

// State is what is compared of one connection. Times are nanoseconds since 1970.
type State struct {
	Connection string
	// Values are the facets' values, 0 where no event ever set one; Since the effective
	// time of the first event of the current run of equal values.
	Values [Facets]uint8
	Since  [Facets]int64
	// Failures counts the failed syncs behind the last successful one.
	Failures uint64
	// LastSuccess and LastFailure are effective times, 0 where there was none.
	LastSuccess, LastFailure int64
	// Events counts distinct events, Duplicates further deliveries of them, Late those that came
	// after one of a later effective time.
	Events, Duplicates, Late uint64
	First, Last              int64
}

// Append appends the state as a line.
func (s *State) Append(b []byte) []byte {
	b = append(b, s.Connection...)
	for f, v := range s.Values {
		b = strconv.AppendUint(append(b, ' '), uint64(v), 10)
		b = strconv.AppendInt(append(b, '@'), s.Since[f], 10)
	}
	for _, n := range []int64{int64(s.Failures), s.LastSuccess, s.LastFailure, int64(s.Events), int64(s.Duplicates), int64(s.Late), s.First, s.Last} {
		b = strconv.AppendInt(append(b, ' '), n, 10)
	}
	return append(b, '\n')
}

// Digest is the SHA-256 of states that are added in the order of their
// connections' bytes. The zero Digest is not usable; see NewDigest.
type Digest struct {
	sum  hash.Hash
	line []byte
}

// NewDigest returns the digest of no state.
func NewDigest() *Digest { return &Digest{sum: sha256.New()} }

// Add adds the next state.
func (d *Digest) Add(s *State) {
	d.line = s.Append(d.line[:0])
	d.sum.Write(d.line)
}

// Write adds lines that were made elsewhere. It never fails.
func (d *Digest) Write(lines []byte) (int, error) { return d.sum.Write(lines) }

// String returns the digest so far in hexadecimal digits.
func (d *Digest) String() string { return hex.EncodeToString(d.sum.Sum(nil)) }
