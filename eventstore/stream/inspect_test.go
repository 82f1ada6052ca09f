package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// unclean makes the directory one whose server was not ended in good order.
func (d damaged) unclean(t *testing.T) {
	t.Helper()
	if err := os.Remove(filepath.Join(d.opts.Dir, "CLEAN")); err != nil {
		t.Fatal(err)
	}
}

func (d damaged) read(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile(d.block)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A file that is damaged anywhere, in any bit, is not opened after an end that was not
// in good order: the server would cut it off. It stays as it is, and is named.
func TestDamageIsFoundBeforeTheServerOpens(t *testing.T) {
	n := 40
	if os.Getenv("TIDEMARK_LONG") == "1" {
		n = 200
	}
	d := newDamaged(t, damagedGroups)
	whole := d.read(t)
	rng := rand.New(rand.NewPCG(51, 52))
	for i := range n {
		d.unclean(t)
		hit := bytes.Clone(whole)
		offset := rng.IntN(len(whole))
		what := fmt.Sprintf("bit %d of byte %d", i%8, offset)
		hit[offset] ^= 1 << (i % 8)
		if i%5 == 0 {
			what = fmt.Sprintf("cut at byte %d", offset)
			hit = bytes.Clone(whole[:offset])
		}
		d.change(t, func([]byte) []byte { return hit })
		if i%2 == 0 {
			index, err := os.ReadFile(d.index)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Remove(d.index); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = os.WriteFile(d.index, index, 0o600) }()
		}
		log, err := stream.Open(t.Context(), d.opts)
		switch {
		case err == nil:
			// A file that ends behind a message looks whole: what is remembered of it does not.
			err = log.CheckHead(t.Context())
			if i%5 != 0 || !errors.Is(err, eventstore.ErrIntegrity) {
				t.Errorf("%s: it opens, and its head is %v", what, err)
			}
			if err := log.Close(); err != nil {
				t.Error(err)
			}
		case !errors.Is(err, eventstore.ErrIntegrity) || !strings.Contains(err.Error(), d.block) || !strings.Contains(err.Error(), "position "):
			t.Errorf("%s: %v", what, err)
		case !bytes.Equal(d.read(t), hit):
			t.Errorf("%s: the file was changed by a start that was refused", what)
		}
		// Put back for the next: a start and an end in good order.
		d.change(t, func([]byte) []byte { return whole })
		again := start(t, d.opts)
		if head, err := again.Head(t.Context()); err != nil || head != damagedGroups {
			t.Fatalf("%s: put back, the log ends at %d (%v)", what, head, err)
		}
		if err := again.stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// The files of a log of many blocks, as this version of the server writes them,
// are read as whole, and so are those of one that was not ended in good order.
func TestTheServersFilesAreKnown(t *testing.T) {
	opts := stream.Options{Dir: t.TempDir(), Now: time.Now}
	log := start(t, opts)
	const events = 12
	for i := range events {
		e := webhook(i)
		e.Body = bytes.Repeat([]byte{byte('a' + i)}, 3<<20)
		if _, err := log.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	messages := filepath.Join(opts.Dir, "jetstream", "$G", "streams", "TIDEMARK_EVENTS", "msgs")
	blocks, err := filepath.Glob(filepath.Join(messages, "*.blk"))
	if err != nil || len(blocks) < 3 {
		t.Fatalf("%d block files (%v): the test wants several", len(blocks), err)
	}
	d := damaged{opts: opts, block: blocks[0], index: filepath.Join(messages, "index.db")}
	d.unclean(t)
	again := start(t, opts)
	if head, err := again.Head(t.Context()); err != nil || head != events {
		t.Errorf("the log ends at %d (%v), want %d", head, err, events)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	// Damage in a block amid the others is no unfinished write, whatever is remembered.
	d.unclean(t)
	if err := os.Remove(filepath.Join(opts.Dir, "HEAD")); err != nil {
		t.Fatal(err)
	}
	d.change(t, func(b []byte) []byte { b[len(b)-9] ^= 1; return b })
	hit := d.read(t)
	_, err = stream.Open(t.Context(), opts)
	if !errors.Is(err, eventstore.ErrIntegrity) || !strings.Contains(err.Error(), "1.blk") || !bytes.Equal(d.read(t), hit) {
		t.Errorf("a damaged first block: %v", err)
	}
	// Who copied it aside may open it all the same: without its index the server cuts the block.
	if err := os.Remove(d.index); err != nil {
		t.Fatal(err)
	}
	opts.OpenDamaged = true
	open, err := stream.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := open.Stats(t.Context()); err != nil || s.Missing == 0 {
		t.Errorf("opened damaged, %+v misses nothing (%v)", s, err)
	}
	if err := open.Close(); err != nil {
		t.Error(err)
	}
}

// What a write that was not finished left is cut off by the server, and kept beside.
func TestAnUnfinishedWrite(t *testing.T) {
	for name, tail := range map[string]string{"a few bytes": "\x00\x01\x02", "half a message": ""} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			d := newDamaged(t, 5)
			d.unclean(t)
			whole := d.read(t)
			if tail == "" {
				tail = string(whole[:len(whole)/8])
			}
			d.change(t, func(b []byte) []byte { return append(b, tail...) })
			log := start(t, d.opts)
			if head, err := log.Head(t.Context()); err != nil || head != 5 {
				t.Fatalf("the log ends at %d (%v)", head, err)
			}
			if err := log.CheckHead(t.Context()); err != nil {
				t.Error(err)
			}
			kept, err := os.ReadFile(filepath.Join(d.opts.Dir, fmt.Sprintf("cut-off-1.blk-at-%d", len(whole))))
			if err != nil || string(kept) != tail {
				t.Errorf("kept %q (%v), want %q", kept, err, tail)
			}
			if r, err := log.Append(t.Context(), webhook(6)); err != nil || r.Position != 6 {
				t.Errorf("the next event takes position %d (%v)", r.Position, err)
			}
		})
	}
}

// A log that ended in good order is opened without being read through.
func TestAnEndInGoodOrderIsTrusted(t *testing.T) {
	d := newDamaged(t, damagedGroups)
	d.change(t, flip(func(b []byte, subject int) int { return subject + bytes.Index(b[subject:], []byte("sync.completed")) }))
	hit := d.read(t)
	log := start(t, d.opts)
	if last, err := readToEnd(t.Context(), log.Log, 0); !errors.Is(err, eventstore.ErrIntegrity) || last != damagedAt-1 {
		t.Errorf("read %d, %v", last, err)
	}
	if _, err := log.At(t.Context(), damagedAt); err == nil {
		t.Error("the damaged message is given out")
	}
	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.read(t), hit) {
		t.Error("reading it changed the file")
	}
}

// What is remembered of the log outside of the server's files tells another log.
func TestCheckHead(t *testing.T) {
	d := newDamaged(t, 5)
	other := newDamaged(t, 5)
	b := other.read(t)
	if err := os.RemoveAll(filepath.Join(d.opts.Dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(d.opts.Dir, "jetstream"), os.DirFS(filepath.Join(other.opts.Dir, "jetstream"))); err != nil {
		t.Fatal(err)
	}
	log := start(t, d.opts)
	if err := log.CheckHead(t.Context()); !errors.Is(err, eventstore.ErrIntegrity) || !strings.Contains(err.Error(), "was acknowledged or read there") {
		t.Errorf("another log in its place: %v", err)
	}
	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.read(t), b) {
		t.Error("the file was changed")
	}
}
