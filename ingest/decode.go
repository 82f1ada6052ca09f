package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// encoding is a Content-Encoding that can be undone.
type encoding uint8

const (
	identity encoding = iota
	gzipped
	zstandard
)

// contentEncoding reads the Content-Encoding headers. It returns false for a
// coding that is not known, and for several on top of each other, which no sender needs.
func contentEncoding(h http.Header) (encoding, bool) {
	found := identity
	for _, line := range h["Content-Encoding"] {
		for _, name := range strings.Split(line, ",") {
			var next encoding
			switch strings.ToLower(strings.Trim(name, " \t")) {
			case "", "identity":
				continue
			case "gzip", "x-gzip":
				next = gzipped
			case "zstd":
				next = zstandard
			default:
				return identity, false
			}
			if found != identity {
				return identity, false
			}
			found = next
		}
	}
	return found, true
}

// decoders undo content encodings. Safe for concurrent use.
type decoders struct {
	gzip sync.Pool
	zstd *zstd.Decoder // its DecodeAll needs no goroutine, and may be called by several
}

// gunzip is a pooled reader. It is the standard library's: others take a cut in
// the header of a second member for the end of the stream, and drop what is left.
type gunzip struct {
	src bytes.Reader
	z   gzip.Reader
}

// maxWindow is the largest window that RFC 9659 allows in zstd as a Content-Encoding.
const maxWindow = 8 << 20

// newDecoders returns decoders for bodies of at most largest bytes, the limit
// of the most generous source.
func newDecoders(largest int64) (*decoders, error) {
	// A decoder refuses windows and outputs of more than its memory. So a bomb is
	// unpacked to maxWindow at most, and there are as many at once as processors.
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(uint64(max(largest, maxWindow))),
		zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, fmt.Errorf("set up zstd: %w", err)
	}
	return &decoders{zstd: z}, nil
}

// decode undoes enc on raw into the empty buffer out, which it never fills
// beyond limit: more is errTooLarge. Any error but that and errBusy says that
// raw is not what its encoding promises; out is then of no use.
func (d *decoders) decode(enc encoding, raw []byte, out *buffer, limit int64) error {
	switch enc {
	case gzipped:
		return d.gunzip(raw, out, limit)
	case zstandard:
		return d.unzstd(raw, out, limit)
	default:
		return fmt.Errorf("no decoder for encoding %d", enc)
	}
}

func (d *decoders) gunzip(raw []byte, out *buffer, limit int64) error {
	g, _ := d.gzip.Get().(*gunzip)
	if g == nil {
		g = new(gunzip)
	}
	g.src.Reset(raw)
	defer func() {
		g.src.Reset(nil) // the pool must not keep the body alive
		d.gzip.Put(g)
	}()
	if err := g.z.Reset(&g.src); err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	err := out.fill(&g.z, 4*int64(len(raw)), limit)
	if err != nil && !errors.Is(err, errTooLarge) && !errors.Is(err, errBusy) {
		return fmt.Errorf("gzip: %w", err)
	}
	return err
}

func (d *decoders) unzstd(raw []byte, out *buffer, limit int64) error {
	var head zstd.Header
	if err := head.Decode(raw); err == nil && head.HasFCS && head.FrameContentSize > uint64(limit) {
		return errTooLarge // by its own word: no need to unpack it
	}
	if err := out.grow(min(max(firstBuffer, 4*int64(len(raw))), limit)); err != nil {
		return err
	}
	got, err := d.zstd.DecodeAll(raw, out.b[:0])
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return errTooLarge
	case err != nil:
		return fmt.Errorf("zstd: %w", err)
	case int64(len(got)) > limit:
		return errTooLarge
	}
	return out.adopt(got)
}
