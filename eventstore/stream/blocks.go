package stream

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/minio/highwayhash"
	"golang.org/x/sync/errgroup"
)

// What the embedded server's files look like, as far as it takes to tell whole
// from damaged ones: a test writes a log and holds this to it, so that another server
// version whose files differ does not pass.
const (
	recordHead  = 22 // length, sequence, time, length of the subject
	recordSum   = 8
	withHeaders = 1 << 31 // in the length
	longest     = 32 * mib
	notOurs     = 3 << 62 // marks in the sequence: a deleted message, or a note about one
)

// block is one file of messages.
type block struct {
	path   string
	number uint32
	size   int64
	first  uint64 // position of its first message; 0 for none
	last   uint64
	// bad is where it stops being readable, -1 where it does not, and why.
	bad int64
	why string
}

// messages is where the embedded server keeps the log's files.
func (o Options) messages() string {
	return filepath.Join(o.Dir, "jetstream", "$G", "streams", o.eventsStream(), "msgs")
}

// listBlocks returns the block files of a directory in their order; none where it is not there.
func listBlocks(dir string) ([]block, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		if os.IsNotExist(err) {
			return nil, nil
		}
		return nil, err
	}
	var all []block
	for _, e := range entries {
		b := block{path: filepath.Join(dir, e.Name()), bad: -1}
		if n, err := fmt.Sscanf(e.Name(), "%d.blk", &b.number); err != nil || n != 1 || !strings.HasSuffix(e.Name(), ".blk") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		b.size = info.Size()
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b block) int { return int(a.number) - int(b.number) })
	return all, nil
}

// readBlocks reads the files through and finds out how far each is whole.
func readBlocks(all []block, stream string) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range all {
		g.Go(func() error {
			data, err := os.ReadFile(all[i].path)
			if err == nil {
				all[i].read(data, stream)
			}
			return err
		})
	}
	return g.Wait()
}

// read goes through a block's records.
func (b *block) read(data []byte, stream string) {
	key := sha256.Sum256(fmt.Appendf(nil, "%s-%d", stream, b.number))
	hash, err := highwayhash.NewDigest64(key[:])
	if err != nil {
		panic(err) // the key has the length that it wants
	}
	var sum [recordSum]byte
	for at := 0; at < len(data); {
		rest := data[at:]
		fail := func(why string) { b.bad, b.why = int64(at), why }
		if len(rest) < recordHead {
			fail("it ends amid a message")
			return
		}
		length := binary.LittleEndian.Uint32(rest)
		size, subject := int(length&^withHeaders), int(binary.LittleEndian.Uint16(rest[20:]))
		head := recordHead + subject
		if length&withHeaders != 0 {
			head += 4
		}
		switch {
		case size > longest || size < head+recordSum:
			fail("a message's length cannot be right")
			return
		case size > len(rest):
			fail("it ends amid a message")
			return
		}
		record := rest[:size]
		hash.Reset()
		_, _ = hash.Write(record[4:20]) // a hash takes everything
		_, _ = hash.Write(record[recordHead : recordHead+subject])
		_, _ = hash.Write(record[head : size-recordSum])
		if !bytes.Equal(hash.Sum(sum[:0]), record[size-recordSum:]) {
			fail("a message's checksum is wrong")
			return
		}
		if position := binary.LittleEndian.Uint64(record[4:]); position&notOurs == 0 && position > 0 {
			if b.first == 0 {
				b.first = position
			}
			b.last = max(b.last, position)
		}
		at += size
	}
}
