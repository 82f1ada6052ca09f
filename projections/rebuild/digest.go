package rebuild

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
)

// Sum stands for everything that a directory says: two directories have equal
// Sums exactly where they have equal checkpoints and equal rows, byte for byte. Definitions do not enter:
// two definitions that mean the same give the same Sum.
type Sum struct {
	Position uint64 `json:"position"`
	Rows     uint64 `json:"rows"`
	// SHA256 is over the checkpoint, the counts and the sums of the rows, in lower-case hex.
	SHA256 string `json:"sha256"`

	stretches []uint64
}

// stretch is a part of the rows that is summed on its own.
type stretch struct{ lower, upper []byte }

// stretches cuts the rows where they can be read side by side: by kind, and the kinds whose
// keys begin with a hash into sixteen each. The first row, a directory's about itself, is in none.
func stretches() []stretch {
	var all []stretch
	for _, k := range kinds {
		if !k.hashed {
			all = append(all, stretch{[]byte{k.prefix}, []byte{k.prefix + 1}})
			continue
		}
		for i := range 16 {
			s := stretch{[]byte{k.prefix, byte(i << 4)}, []byte{k.prefix, byte((i + 1) << 4)}}
			if i == 15 {
				s.upper = []byte{k.prefix + 1}
			}
			all = append(all, s)
		}
	}
	return all
}

// Digest sums up a directory. It reads every row, on all cores.
func Digest(ctx context.Context, v *projections.View) (Sum, error) {
	return DigestBeside(ctx, v, Options{})
}

// DigestBeside is Digest beside those who are served, as Workers, Cores, Aside, Rest and Now of the options say; nothing else
// of them counts.
func DigestBeside(ctx context.Context, v *projections.View, o Options) (Sum, error) {
	o = o.withDefaults()
	all, found := stretches(), newRowSums()
	group, ctx := errgroup.WithContext(ctx)
	if group.SetLimit(o.Workers); o.Cores > 0 {
		group.SetLimit(o.Cores)
	}
	for i, s := range all {
		group.Go(func() (err error) {
			o.cores.join()
			found.sum[i], found.rows[i], err = s.sum(ctx, v.Rows(), o.cores.turn())
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Sum{}, fmt.Errorf("digest of a generation: %w", err)
	}
	return sumOf(v, found), nil
}

// Digest is Digest of a generation that v shows as it was written, without reading a row of it;
// false where that is not known, for it has moved on since, or nothing was summed up.
func (w *Written) Digest(v *projections.View) (Sum, bool) {
	if w == nil || v.Checkpoint().Position != w.position {
		return Sum{}, false
	}
	return sumOf(v, w.sums), true
}

// sumOf sums up a directory whose rows sum up so.
func sumOf(v *projections.View, rows *rowSums) Sum {
	c, h := v.Checkpoint(), sha256.New()
	fmt.Fprintf(h, "position %d group %s placed %d duplicates %d quarantined %d widest %d\n", c.Position, c.GroupID, c.Placed, c.Duplicates, c.Quarantined, c.WidestMs)
	addStats(h, v.Stats())
	sum := Sum{Position: c.Position, stretches: rows.sum}
	for i := range rows.sum {
		fmt.Fprintf(h, "%016x %d\n", rows.sum[i], rows.rows[i])
		sum.Rows += rows.rows[i]
	}
	sum.SHA256 = hex.EncodeToString(h.Sum(nil))
	return sum
}

// addStats adds what the directory counts, but for what it counted down to nothing.
func addStats(h hash.Hash, s projections.Stats) {
	fmt.Fprintf(h, "connections %d quarantine %d\n", s.Connections, s.Quarantine)
	for _, counts := range []map[string]uint64{s.ByHealth, s.BySource} {
		for _, name := range slices.Sorted(maps.Keys(counts)) {
			if n := counts[name]; n > 0 {
				fmt.Fprintf(h, "%s %d\n", name, n)
			}
		}
	}
}

// sum sums the rows up.
func (s stretch) sum(ctx context.Context, r kv.Reader, t *turn) (sum, rows uint64, err error) {
	it, err := r.Iter(s.lower, s.upper)
	if err != nil {
		return 0, 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		sum += rowSum(it.Key(), it.Value())
		t.step(1)
		if rows++; rows&0x3ff == 0 && ctx.Err() != nil {
			return 0, rows, errors.Join(ctx.Err(), it.Close())
		}
	}
	return sum, rows, it.Close()
}
