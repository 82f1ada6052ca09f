package projections

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// CheckWhole returns a kv.ErrDamaged unless a directory has a row for every group up to its
// checkpoint. Pebble takes a damaged end of its list of tables for the end that a crash
// leaves, and opens without the tables that stood behind it; each of those held rows of groups. It reads
// the keys of these rows alone, a tenth of a second for a million.
func CheckWhole(r kv.Reader, upTo uint64) error {
	it, err := r.Iter([]byte{prefixGroup}, []byte{prefixGroup + 1})
	if err != nil {
		return err
	}
	due := uint64(1)
	for ok := it.First(); ok; ok = it.Next() {
		k := it.Key()
		if len(k) != 9 || binary.BigEndian.Uint64(k[1:]) != due {
			break
		}
		due++
	}
	if err := errors.Join(it.Err(), it.Close()); err != nil {
		return err
	}
	if due != upTo+1 {
		return fmt.Errorf("%w: it says that it has read up to position %d, and its rows go up to %d without a gap", kv.ErrDamaged, upTo, due-1)
	}
	return nil
}
