package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/eventstore/stream"
)

// damaged is a log of groups of one event, to be damaged while it is closed.
type damaged struct {
	opts  stream.Options
	block string // the file with the messages
	index string // the file that a start trusts if it is there
}

func newDamaged(t *testing.T, groups int) damaged {
	t.Helper()
	opts := stream.Options{Dir: t.TempDir(), Now: time.Now, Idle: 30 * time.Millisecond}
	log := start(t, opts)
	for i := range groups {
		if _, err := log.Append(t.Context(), webhook(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := log.stop(); err != nil {
		t.Fatal(err)
	}
	messages := filepath.Join(opts.Dir, "jetstream", "$G", "streams", "TIDEMARK_EVENTS", "msgs")
	return damaged{opts: opts, block: filepath.Join(messages, "1.blk"), index: filepath.Join(messages, "index.db")}
}

// change rewrites the block.
func (d damaged) change(t *testing.T, how func([]byte) []byte) {
	t.Helper()
	block, err := os.ReadFile(d.block)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.block, how(block), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readToEnd follows the log from its beginning until it is idle or fails.
func readToEnd(ctx context.Context, log *stream.Log, after eventstore.Position) (eventstore.Position, error) {
	c, err := log.Follow(ctx, after)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	last := after
	for {
		g, err := c.Next(ctx)
		if err != nil {
			if _, again := c.Next(ctx); errors.Is(err, eventstore.ErrIntegrity) && !errors.Is(again, err) {
				return last, fmt.Errorf("the failure did not last: %w, then %w", err, again)
			}
			return last, err
		}
		if g.Position != last+1 {
			return last, fmt.Errorf("position %d follows %d without an error", g.Position, last)
		}
		last = g.Position
	}
}

const (
	damagedGroups = 50
	damagedAt     = 20 // the position whose message is hit
)

// flip changes one bit of the damagedAt-th message, counted from its subject in the block:
// before it stands the record's header, behind it the NATS headers and the group.
func flip(offset func(block []byte, subject int) int) func([]byte) []byte {
	return func(block []byte) []byte {
		at := 0
		for range damagedAt {
			at += bytes.Index(block[at:], []byte("TIDEMARK.events")) + 1
		}
		block[offset(block, at-1)] ^= 0x04
		return block
	}
}

// TestDamageIsNeverSkipped does to a block file what disks do. The server notices hardly any of it
// and says nothing; a cursor has to.
func TestDamageIsNeverSkipped(t *testing.T) {
	record := len("llllssssssssttttttttss") // length, sequence, time, subject's length
	for _, c := range []struct {
		name   string
		damage func([]byte) []byte
		stop   eventstore.Position // what may still be read before the failure, at most
	}{
		{"a bit of a body", flip(func(b []byte, subject int) int {
			return subject + bytes.Index(b[subject:], []byte("sync.completed"))
		}), damagedAt - 1},
		{"a bit of a length", flip(func(_ []byte, subject int) int { return subject - record }), damagedAt - 1},
		{"a bit of a sequence", flip(func(_ []byte, subject int) int { return subject - record + 4 }), damagedAt - 1},
		{"a bit of a subject", flip(func(_ []byte, subject int) int { return subject }), damagedAt - 1},
		{"the last 100 bytes are cut", func(b []byte) []byte { return b[:len(b)-100] }, damagedGroups - 1},
		{"the block is cut to a half", func(b []byte) []byte { return b[:len(b)/2] }, damagedGroups / 2},
		{"the block is empty", func([]byte) []byte { return nil }, 0},
	} {
		for _, index := range []string{"kept", "gone"} {
			t.Run(strings.ReplaceAll(c.name, " ", "_")+"/index_"+index, func(t *testing.T) {
				t.Parallel()
				d := newDamaged(t, damagedGroups)
				d.change(t, c.damage)
				if index == "gone" {
					if err := os.Remove(d.index); err != nil {
						t.Fatal(err)
					}
				}
				d.mustShow(t, c.stop)
			})
		}
	}
}

// mustShow opens the damaged log and holds that no reader can take it for whole: a cursor
// from the beginning fails, or the log is shorter than what was read, which a cursor
// from a checkpoint shows.
func (d damaged) mustShow(t *testing.T, stop eventstore.Position) {
	log, err := stream.Open(t.Context(), d.opts)
	if err != nil {
		if !errors.Is(err, eventstore.ErrIntegrity) {
			t.Fatalf("open: error %v, want ErrIntegrity", err)
		}
		t.Logf("it does not open: %v", err)
		return
	}
	defer log.Close()
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	last, err := readToEnd(t.Context(), log, 0)
	if last > stop {
		t.Errorf("%d groups were read, past the damage behind %d", last, stop)
	}
	if errors.Is(err, eventstore.ErrIntegrity) {
		if want := fmt.Sprintf("position %d", last+1); !strings.Contains(err.Error(), want) {
			t.Errorf("the failure does not name %s: %v", want, err)
		}
		t.Logf("head %d, read %d: %v", head, last, err)
		if _, err := log.At(t.Context(), last+1); !errors.Is(err, eventstore.ErrNotFound) && !errors.Is(err, eventstore.ErrIntegrity) {
			t.Errorf("at the damaged position: error %v, want ErrNotFound or ErrIntegrity", err)
		}
		return
	}
	if !errors.Is(err, eventstore.ErrIdle) || head != last || head >= damagedGroups {
		t.Fatalf("head %d, read %d, error %v: the damage does not show", head, last, err)
	}
	// The server cut its end off and looks whole. Who has read more knows better.
	_, err = readToEnd(t.Context(), log, damagedGroups)
	if !errors.Is(err, eventstore.ErrIntegrity) {
		t.Errorf("from the checkpoint %d, the head being %d: error %v, want ErrIntegrity", damagedGroups, head, err)
	}
	t.Logf("head %d; from the checkpoint: %v", head, err)
}

// TestAReusedPositionLooksWhole pins what this package cannot see: the end of the log was cut
// off, and a new event took the position of the lost one. The projections keep what stood
// at their checkpoint and compare it.
func TestAReusedPositionLooksWhole(t *testing.T) {
	d := newDamaged(t, 5)
	before := start(t, d.opts)
	lost, err := before.At(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := before.stop(); err != nil {
		t.Fatal(err)
	}
	d.change(t, func(b []byte) []byte { return b[:len(b)-100] })
	for _, name := range []string{d.index, filepath.Join(d.opts.Dir, "HEAD")} { // nobody knows of it any more
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	log := start(t, d.opts)
	r, err := log.Append(t.Context(), webhook(99))
	if err != nil {
		t.Fatal(err)
	}
	if r.Position != 5 {
		t.Fatalf("the append took position %d; if the server no longer gives 5 out again, this test has no point", r.Position)
	}
	if _, err := readToEnd(t.Context(), log.Log, 0); !errors.Is(err, eventstore.ErrIdle) {
		t.Errorf("reading: %v", err)
	}
	if again, err := log.At(t.Context(), 5); err != nil || again.ID == lost.ID {
		t.Errorf("the group at 5 is %s, error %v; it has to differ from the lost %s", again.ID, err, lost.ID)
	}
}

// TestALostStreamIsNotReplacedByAnEmptyOne takes the whole store away.
func TestALostStreamIsNotReplacedByAnEmptyOne(t *testing.T) {
	d := newDamaged(t, 3)
	if err := os.RemoveAll(filepath.Join(d.opts.Dir, "jetstream")); err != nil {
		t.Fatal(err)
	}
	log, err := stream.Open(t.Context(), d.opts)
	if !errors.Is(err, eventstore.ErrIntegrity) {
		t.Errorf("open: error %v, want ErrIntegrity", err)
	}
	if log != nil {
		log.Close()
	}
}
