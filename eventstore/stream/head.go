package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/oklog/ulid/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// headFile remembers, outside of the server's own files, how far the log went.
const headFile = "HEAD"

// head is the last group that was acknowledged, as far as is known.
type head struct {
	Position eventstore.Position `json:"position"`
	Group    ulid.ULID           `json:"group"`
}

// noteHead takes note of an acknowledged group.
func (l *Log) noteHead(p eventstore.Position, id ulid.ULID) { l.head.Store(&head{p, id}) }

// knownHead is the head by memory, or else by the file; the zero head where neither knows.
func (l *Log) knownHead() head {
	if h := l.head.Load(); h != nil {
		return *h
	}
	if l.dir == nil {
		return head{} // an external server's is known from Expect
	}
	var h head
	b, err := os.ReadFile(filepath.Join(l.dir.path, headFile))
	if err != nil || json.Unmarshal(b, &h) != nil {
		return head{} // without it less is known, and nothing is wrong
	}
	if l.head.CompareAndSwap(nil, &h) {
		l.saved, l.synced = &h, true
	}
	return h
}

// saveHead writes the head if it is another one than was written last. With sync
// it is on disk when saveHead returns.
func (l *Log) saveHead(sync bool) error {
	h := l.head.Load()
	if l.dir == nil || h == nil || h == l.saved && (l.synced || !sync) {
		return nil
	}
	if err := l.dir.write(headFile, h, sync); err != nil {
		return fmt.Errorf("remember the head of the log: %w", err)
	}
	l.saved, l.synced = h, sync
	return nil
}

// Expect names a group that the log has to hold, by what was read of it before: as with
// what is known from elsewhere, nothing is stored before it was seen to be there. Call it before Run.
func (l *Log) Expect(p eventstore.Position, group ulid.ULID) {
	if p > l.knownHead().Position {
		l.noteHead(p, group)
	}
}

// CheckHead compares the log with what is known of it from elsewhere: the last group that
// was acknowledged, or one a second before it, and what Expect was told have to be there. Else
// it returns an ErrIntegrity.
func (l *Log) CheckHead(ctx context.Context) error {
	lk, err := l.current()
	if err == nil {
		_, err = l.compare(ctx, lk)
	}
	return err
}

// compare is CheckHead on one connection. It returns the head of the log.
func (l *Log) compare(ctx context.Context, lk *link) (eventstore.Position, error) {
	info, err := l.streamInfo(ctx, lk)
	if err != nil {
		return 0, fmt.Errorf("head of the log: %w", outOfReach(ctx, err))
	}
	last, h := eventstore.Position(info.State.LastSeq), l.knownHead()
	if h.Position == 0 {
		return last, nil
	}
	where := "an earlier connection"
	if l.dir != nil {
		where = filepath.Join(l.dir.path, headFile)
	}
	if last < h.Position {
		return last, fmt.Errorf("%w: the log ends at position %d, and position %d was acknowledged or read (%s): it lost its tail, or is another one", eventstore.ErrIntegrity, last, h.Position, where)
	}
	g, err := l.groupAt(ctx, lk, h.Position)
	if errors.Is(err, eventstore.ErrNotFound) {
		return last, fmt.Errorf("%w: the log has no group at position %d, which was acknowledged or read (%s)", eventstore.ErrIntegrity, h.Position, where)
	}
	if err == nil && g.ID != h.Group {
		err = fmt.Errorf("%w: position %d holds group %s, and group %s was acknowledged or read there (%s)", eventstore.ErrIntegrity, h.Position, g.ID, h.Group, where)
	}
	return last, err
}

// write replaces a file of the directory whole; with sync it is on disk when write returns.
func (d *directory) write(name string, v any, sync bool) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	path := filepath.Join(d.path, name)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if sync && err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil || !sync {
		return err
	}
	dir, err := os.Open(d.path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
