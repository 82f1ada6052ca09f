package ingest

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"testing"
)

// FuzzDecode throws bytes at both decoders. Whatever they hold, the output
// stays below the limit, the account balances, and a fresh gzip reader
// gives what the pooled one gave.
func FuzzDecode(f *testing.F) {
	f.Add(byte(0), zip(f, []byte("hello")))
	f.Add(byte(0), append(zip(f, []byte("hel")), zip(f, []byte("lo"))...))
	f.Add(byte(0), zip(f, make([]byte, 1<<20)))
	f.Add(byte(0), zip(f, zip(f, []byte("hello"))))
	f.Add(byte(0), zip(f, []byte("hello"))[:12])
	f.Add(byte(1), zst(f, []byte("hello")))
	f.Add(byte(1), zstAll(f, []byte("hello")))
	f.Add(byte(1), append(zst(f, []byte("hel")), zstAll(f, []byte("lo"))...))
	f.Add(byte(1), zst(f, make([]byte, 1<<20)))
	f.Add(byte(1), []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 0x03, 0, 0x10, 0})
	f.Add(byte(1), []byte{0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff})
	const limit = 64 << 10
	d, err := newDecoders(limit)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, which byte, raw []byte) {
		p := &bodies{most: 64 << 20}
		out, err := p.get()
		if err != nil {
			t.Fatal(err)
		}
		enc := gzipped
		if which%2 == 1 {
			enc = zstandard
		}
		err = d.decode(enc, raw, out, limit)
		if err == nil && len(out.b) > limit {
			t.Errorf("%d bytes, limit %d", len(out.b), limit)
		}
		if enc == gzipped {
			compareGzip(t, raw, out.b, err, limit)
		}
		if p.held.Load() != int64(cap(out.b)) {
			t.Errorf("%d bytes held, the buffer has %d", p.held.Load(), cap(out.b))
		}
		p.put(out, true)
		if p.held.Load() != 0 {
			t.Errorf("%d bytes held of nothing", p.held.Load())
		}
	})
}

func compareGzip(t *testing.T, raw, got []byte, err error, limit int) {
	t.Helper()
	r, serr := gzip.NewReader(bytes.NewReader(raw))
	var want []byte
	if serr == nil {
		want, serr = io.ReadAll(io.LimitReader(r, int64(limit)+1))
	}
	switch {
	case serr != nil && err == nil:
		t.Errorf("decoded %d bytes of what a fresh reader refuses: %v", len(got), serr)
	case len(want) > limit && !errors.Is(err, errTooLarge):
		t.Errorf("%d bytes and more pass the limit: %v", len(want), err)
	case serr == nil && len(want) <= limit && (err != nil || !bytes.Equal(got, want)):
		t.Errorf("decoded %d bytes (%v), a fresh reader %d", len(got), err, len(want))
	}
}
