package kv

import "github.com/cockroachdb/pebble/v2"

// Batch collects rows to be written together. Not safe for concurrent use.
type Batch struct{ b *pebble.Batch }

// Batch returns an empty batch.
func (d *DB) Batch() *Batch { return &Batch{d.p.NewBatch()} }

// Set writes a row. Key and value are copied.
func (b *Batch) Set(key, value []byte) error { return b.b.Set(key, value, nil) }

// Delete removes a row.
func (b *Batch) Delete(key []byte) error { return b.b.Delete(key, nil) }

// Len is the size of the batch in bytes.
func (b *Batch) Len() int { return b.b.Len() }

// Commit applies the batch whole: readers see all of it or nothing. It is not
// durable when Commit returns; after a crash it is there whole or not at all,
// and never without the batches before it. The batch is empty afterwards.
func (b *Batch) Commit() error {
	if err := b.b.Commit(pebble.NoSync); err != nil {
		return classify(err)
	}
	b.b.Reset()
	return nil
}

// Close frees the batch.
func (b *Batch) Close() error { return b.b.Close() }
