package kv

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// Reader reads rows of a DB or a View.
type Reader struct {
	r pebble.Reader
}

// Get appends the value of key to dst and returns it; false where there is no such row.
// It returns an error that wraps ErrDamaged where a file is damaged.
func (r Reader) Get(dst, key []byte) ([]byte, bool, error) {
	v, c, err := r.r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, classify(err)
	}
	dst = append(dst, v...)
	return dst, true, c.Close()
}

// Iter returns an iterator over the rows lower <= key < upper; nil upper is the end.
// The caller closes it.
func (r Reader) Iter(lower, upper []byte) (*Iter, error) {
	it, err := r.r.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, classify(err)
	}
	return &Iter{it: it}, nil
}

// View is a consistent view of a DB. Safe for concurrent use.
type View struct {
	Reader
	s *pebble.Snapshot
}

// Close frees the view.
func (v *View) Close() error { return v.s.Close() }

// Iter walks rows in the order of their keys. Not safe for concurrent use.
type Iter struct {
	it  *pebble.Iterator
	err error // of the first value that could not be read
}

// First moves to the first row and reports whether there is one.
func (i *Iter) First() bool { return i.it.First() }

// Last moves to the last row and reports whether there is one.
func (i *Iter) Last() bool { return i.it.Last() }

// Next moves on and reports whether there is a row.
func (i *Iter) Next() bool { return i.it.Next() }

// Prev moves back and reports whether there is a row.
func (i *Iter) Prev() bool { return i.it.Prev() }

// SeekGE moves to the first row at or behind key and reports whether there is one.
func (i *Iter) SeekGE(key []byte) bool { return i.it.SeekGE(key) }

// SeekLT moves to the last row before key and reports whether there is one.
func (i *Iter) SeekLT(key []byte) bool { return i.it.SeekLT(key) }

// SetBounds narrows or moves the iterator to lower <= key < upper; a seek must follow.
func (i *Iter) SetBounds(lower, upper []byte) { i.it.SetBounds(lower, upper) }

// Valid reports whether the iterator stands on a row.
func (i *Iter) Valid() bool { return i.it.Valid() }

// Key returns the row's key, valid until the iterator moves.
func (i *Iter) Key() []byte { return i.it.Key() }

// Value returns the row's value, valid until the iterator moves. It is nil where the read failed: see Err.
func (i *Iter) Value() []byte {
	v, err := i.it.ValueAndErr()
	if err != nil && i.err == nil {
		i.err = err
	}
	return v
}

// Err returns the error that stopped the iterator, if any; it wraps ErrDamaged for a damaged file.
func (i *Iter) Err() error { return classify(errors.Join(i.err, i.it.Error())) }

// Close frees the iterator and returns its error, if any.
func (i *Iter) Close() error { return classify(errors.Join(i.err, i.it.Close())) }
