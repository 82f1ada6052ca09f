package timeline

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Flags of a summary, as stored: which of the rarer figures follow.
const (
	sumLate = 1 << iota
	sumDuplicates
	sumConflicts
	sumSuccesses
	sumFailures
	sumSequences // the keys have sequences
)

// maxKeys is the most keys that a summary names.
const maxKeys = 3 * int(providers.NumFacets)

// keyTable is the keys that a summary names, each once: an event mostly sets several facets, and is the first
// and the last of its run.
type keyTable struct {
	keys [maxKeys]Key
	n    int
}

// index returns the place of k in the table, put there where it is new.
func (t *keyTable) index(k *Key) byte {
	for i := t.n - 1; i >= 0; i-- {
		if t.keys[i] == *k {
			return byte(i)
		}
	}
	t.keys[t.n] = *k
	t.n++
	return byte(t.n - 1)
}

// AppendSummary appends a summary. Times and positions are stored as distances
// from the summary's first time and last position, keys once each, and what
// follows from the rest is left out: a row takes little, and is read fast.
func AppendSummary(dst []byte, s *Summary) []byte {
	dst = binary.AppendUvarint(dst, s.Events)
	if s.Events == 0 {
		return dst
	}
	var table keyTable
	var places [providers.NumFacets][3]byte
	var flags, set byte
	for f := range s.Facets {
		if r := &s.Facets[f]; r.Sets > 0 {
			set |= 1 << f
			places[f] = [3]byte{table.index(&r.FirstKey), table.index(&r.Since), table.index(&r.LastKey)}
		}
	}
	rare := [...]uint64{s.Late, s.Duplicates, s.Conflicts, s.Sync.Successes, s.Sync.Failures}
	for i, n := range rare {
		if n > 0 {
			flags |= 1 << i
		}
	}
	for i := range table.n {
		if table.keys[i].Sequence != 0 {
			flags |= sumSequences
		}
	}
	dst = append(dst, flags, set)
	dst = binary.AppendVarint(dst, s.First)
	dst = binary.AppendVarint(dst, s.Last-s.First)
	dst = binary.AppendVarint(dst, s.MinReceived-s.First)
	dst = binary.AppendVarint(dst, s.MaxReceived-s.MinReceived)
	dst = binary.AppendUvarint(dst, s.MaxPosition)
	for _, n := range rare {
		if n > 0 {
			dst = binary.AppendUvarint(dst, n)
		}
	}
	dst = append(dst, byte(table.n))
	for i := range table.n {
		k := &table.keys[i]
		dst = binary.AppendVarint(dst, k.Effective-s.First)
		dst = binary.AppendUvarint(dst, s.MaxPosition-k.Position)
		dst = binary.AppendUvarint(dst, uint64(k.Index))
		if flags&sumSequences != 0 {
			dst = binary.AppendUvarint(dst, k.Sequence)
		}
	}
	for f := range s.Facets {
		if r := &s.Facets[f]; r.Sets > 0 {
			dst = appendRun(dst, r, places[f])
		}
	}
	if s.Sync.Successes > 0 {
		dst = binary.AppendVarint(dst, s.Last-s.Sync.LastSuccess)
	}
	if s.Sync.Failures > 0 {
		dst = binary.AppendVarint(dst, s.Last-s.Sync.LastFailure)
		dst = binary.AppendUvarint(dst, s.Sync.Trailing)
	}
	return dst
}

// appendRun appends a facet's run. The durations add up to the time between the
// first set and the last, so the last of them is left out.
func appendRun(dst []byte, r *Run, places [3]byte) []byte {
	dst = append(dst, byte(r.First)<<4|byte(r.Last), places[0]<<4|places[1])
	held, last := byte(0), -1
	for i, d := range r.Held {
		if d != 0 {
			held |= 1 << i
			last = i
		}
	}
	// Four bits for the place, and behind them, in a byte of their own, five for what was held.
	dst = append(dst, places[2], held)
	dst = binary.AppendUvarint(dst, r.Sets)
	dst = binary.AppendUvarint(dst, r.Runs)
	for i := range last {
		if d := r.Held[i]; d != 0 {
			dst = binary.AppendUvarint(dst, uint64(d))
		}
	}
	return dst
}

// DecodeSummary reads what AppendSummary wrote and returns the bytes behind it.
func DecodeSummary(b []byte, s *Summary) ([]byte, error) {
	d := decoder{b: b}
	*s = Summary{Events: d.uvarint()}
	if s.Events == 0 {
		return d.b, d.err
	}
	flags, set := d.byte(), d.byte()
	if flags >= sumSequences<<1 || set >= 1<<providers.NumFacets {
		return nil, errors.New("a summary has figures that are not known")
	}
	s.First = d.varint()
	s.Last = s.First + d.varint()
	s.MinReceived = s.First + d.varint()
	s.MaxReceived = s.MinReceived + d.varint()
	s.MaxPosition = d.uvarint()
	for i, n := range [...]*uint64{&s.Late, &s.Duplicates, &s.Conflicts, &s.Sync.Successes, &s.Sync.Failures} {
		if flags&(1<<i) != 0 {
			*n = d.uvarint()
		}
	}
	var table keyTable
	table.n = int(d.byte())
	if table.n > maxKeys {
		return nil, errTruncated
	}
	for i := range table.n {
		k := &table.keys[i]
		k.Effective = s.First + d.varint()
		k.Position = s.MaxPosition - d.uvarint()
		k.Index = uint32(d.uvarint())
		if flags&sumSequences != 0 {
			k.Sequence = d.uvarint()
		}
	}
	for f := range s.Facets {
		if set&(1<<f) == 0 {
			continue
		}
		if err := d.run(&s.Facets[f], providers.Facet(f), &table); err != nil {
			return nil, err
		}
	}
	if s.Sync.Successes > 0 {
		s.Sync.LastSuccess = s.Last - d.varint()
	}
	if s.Sync.Failures > 0 {
		s.Sync.LastFailure = s.Last - d.varint()
		s.Sync.Trailing = d.uvarint()
	}
	return d.b, d.err
}

func (d *decoder) run(r *Run, f providers.Facet, table *keyTable) error {
	if len(d.b) < 4 {
		return errTruncated
	}
	values, places, lastPlace, held := d.b[0], d.b[1], d.b[2], d.b[3]
	d.b = d.b[4:]
	r.First, r.Last = providers.Value(values>>4), providers.Value(values&15)
	if n := len(f.Values()); r.First < 1 || r.Last < 1 || int(r.First) > n || int(r.Last) > n {
		return fmt.Errorf("facet %s holds no value of that number", f)
	}
	if n := table.n; int(places>>4) >= n || int(places&15) >= n || int(lastPlace) >= n || held >= 1<<providers.MaxValues {
		return fmt.Errorf("facet %s names a key that is not there", f)
	}
	r.FirstKey, r.Since, r.LastKey = table.keys[places>>4], table.keys[places&15], table.keys[lastPlace]
	r.Sets, r.Runs = d.uvarint(), d.uvarint()
	rest := r.LastKey.Effective - r.FirstKey.Effective
	for i := range r.Held {
		if held>>i == 1 { // the last one
			r.Held[i] = rest
			break
		}
		if held&(1<<i) != 0 {
			r.Held[i] = int64(d.uvarint())
			rest -= r.Held[i]
		}
	}
	return nil
}
