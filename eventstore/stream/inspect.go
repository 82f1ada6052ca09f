package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// An embedded server that was not ended in good order goes through its files at
// the next start, and where it finds one damaged it cuts the file off there, without
// a word. So the files are looked at before it: what is damaged is named and
// left as it is.

// sealFile says what the files were when the server ended in good order: then
// they need not be read through, for the server does not either.
const sealFile = "CLEAN"

// seal is what an end in good order leaves.
type seal struct {
	// Index sums up the server's own account of its files.
	Index uint64 `json:"index"`
	// Blocks are the block files, and Tail is the end of the last one.
	Blocks []string `json:"blocks"`
	Size   int64    `json:"size"`
	Tail   []byte   `json:"tail"`
}

// sealOf describes the files as they are; false where they cannot be.
func sealOf(dir string) (s seal, ok bool) {
	index, err := os.ReadFile(filepath.Join(dir, "index.db"))
	if err != nil {
		return s, false
	}
	s.Index = xxhash.Sum64(index)
	blocks, err := listBlocks(dir)
	if err != nil || len(blocks) == 0 {
		return s, false
	}
	for _, b := range blocks {
		s.Blocks = append(s.Blocks, filepath.Base(b.path))
	}
	last := blocks[len(blocks)-1]
	s.Size, s.Tail, err = last.size, nil, nil
	if last.size >= recordSum {
		s.Tail, err = tailOf(last.path, last.size-recordSum)
	}
	return s, err == nil
}

func tailOf(path string, from int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.NewSectionReader(f, from, 1<<62))
	return b, errors.Join(err, f.Close())
}

// seal notes the files' state after the server has ended.
func (d *directory) seal(messages string) error {
	s, ok := sealOf(messages)
	if !ok {
		return nil
	}
	return d.write(sealFile, s, true)
}

// sealed reports whether the files are as an end in good order left them, and
// breaks the seal: from now on they change.
func (d *directory) sealed(messages string) (bool, error) {
	path := filepath.Join(d.path, sealFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return false, err
	}
	var was seal
	if json.Unmarshal(b, &was) != nil {
		return false, nil
	}
	is, ok := sealOf(messages)
	return ok && is.equal(&was), nil
}

func (s *seal) equal(o *seal) bool {
	if s.Index != o.Index || s.Size != o.Size || string(s.Tail) != string(o.Tail) || len(s.Blocks) != len(o.Blocks) {
		return false
	}
	for i := range s.Blocks {
		if s.Blocks[i] != o.Blocks[i] {
			return false
		}
	}
	return true
}

// inspect looks at the files before the embedded server does. It returns an
// ErrIntegrity, and has changed nothing, where the server would cut off what was
// acknowledged. Where the last write was not finished, what the server will cut off is kept beside.
func (l *Log) inspect() error {
	messages := l.opts.messages()
	sealed, err := l.dir.sealed(messages)
	if err != nil {
		return fmt.Errorf("look at the log's files: %w", err)
	}
	if sealed {
		return nil
	}
	blocks, err := listBlocks(messages)
	if err != nil {
		return fmt.Errorf("look at the log's files: %w", err)
	}
	if err := readBlocks(blocks, l.opts.eventsStream()); err != nil {
		return fmt.Errorf("read the log's files: %w", err)
	}
	known := l.knownHead()
	end := uint64(0)
	for i := range blocks {
		b := &blocks[i]
		end = max(end, b.last)
		switch {
		case b.bad < 0:
		case i == len(blocks)-1 && end+1 > uint64(known.Position):
			if err := l.keepTail(b, end+1); err != nil {
				return fmt.Errorf("keep what the log's last write left: %w", err)
			}
		case l.opts.OpenDamaged:
			l.opts.Logger.Error("the log is damaged, and opened all the same: the server cuts the file off there",
				slog.String("file", b.path), slog.Int64("byte", b.bad), slog.Uint64("position", end+1), slog.String("why", b.why))
		default:
			return fmt.Errorf("%w: %s is damaged at byte %d of %d, at the message of position %d or behind it (%s); nothing was changed, and a start would cut the file off there",
				eventstore.ErrIntegrity, b.path, b.bad, b.size, end+1, b.why)
		}
	}
	return nil
}

// keepTail copies what the server is about to cut off the last file.
func (l *Log) keepTail(b *block, position uint64) error {
	tail, err := tailOf(b.path, b.bad)
	if err != nil {
		return err
	}
	name := filepath.Join(l.dir.path, fmt.Sprintf("cut-off-%d.blk-at-%d", b.number, b.bad))
	if err := os.WriteFile(name, tail, 0o600); err != nil {
		return err
	}
	l.opts.Logger.Warn("the log's last write was not finished; what it left was never acknowledged as far as is known, and is kept",
		slog.Uint64("position", position), slog.Int("bytes", len(tail)), slog.String("kept", name))
	return nil
}
