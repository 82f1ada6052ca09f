package ingest

import (
	"bytes"
	"crypto/rand"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tidemark-dev/tidemark/eventstore"
)

func zip(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zst compresses as a stream, as most senders do: the frame does not say its
// size, and names a window far larger than the body.
func zst(t testing.TB, b []byte, o ...zstd.EOption) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, append([]zstd.EOption{zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true)}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := min(len(b), 1<<20)
		if _, err := w.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// zstAll compresses in one go: the frame says its size.
func zstAll(t testing.TB, b []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(b, nil)
}

func TestEncodings(t *testing.T) {
	r := newRig(t, rigOptions{})
	noise := make([]byte, 1<<20)
	if _, err := rand.Read(noise); err != nil {
		t.Fatal(err)
	}
	noise = noise[:len(noise)-1000] // what is not compressible grows a little
	full := bytes.Repeat([]byte("abcdefgh"), 1<<17)
	for _, c := range []struct {
		name, encoding string
		raw, want      []byte
	}{
		{"gzip", "gzip", zip(t, []byte("hello")), []byte("hello")},
		{"gzip by its other name, in capitals", "X-GZip", zip(t, []byte("hello")), []byte("hello")},
		{"gzip of nothing", "gzip", zip(t, nil), nil},
		{"nothing at all", "gzip", nil, nil},
		{"gzip in two members", "gzip", append(zip(t, []byte("hel")), zip(t, []byte("lo"))...), []byte("hello")},
		{"gzip of exactly the limit", "gzip", zip(t, full), full},
		{"gzip of noise", "gzip", zip(t, noise), noise},
		{"zstd as a stream", "zstd", zst(t, []byte("hello")), []byte("hello")},
		{"zstd in one go", "zstd", zstAll(t, []byte("hello")), []byte("hello")},
		{"zstd in two frames", "zstd", append(zst(t, []byte("hel")), zstAll(t, []byte("lo"))...), []byte("hello")},
		{"zstd of exactly the limit, size unsaid", "zstd", zst(t, full), full},
		{"zstd of exactly the limit, size said", "zstd", zstAll(t, full), full},
		{"zstd of noise", "zstd", zst(t, noise), noise},
		{"zstd with the largest window", "zstd", zst(t, []byte("hello"), zstd.WithWindowSize(8<<20)), []byte("hello")},
		{"identity", "identity", []byte("hello"), []byte("hello")},
		{"identity and gzip", "identity, gzip", zip(t, []byte("hello")), []byte("hello")},
	} {
		p := r.post("/in/makini", c.raw, "Content-Encoding", c.encoding)
		if p.status != 200 {
			t.Errorf("%s: %d %s", c.name, p.status, p.body)
			continue
		}
		e := r.accepted(p)
		if !bytes.Equal(e.Body, c.want) {
			t.Errorf("%s: stored %d bytes %.20q, want %d", c.name, len(e.Body), e.Body, len(c.want))
		}
		if len(e.Headers) != 0 {
			t.Errorf("%s: a decoded body keeps headers %v", c.name, e.Headers)
		}
	}
}

// TestSignatureIsOverTheRawBytes: the sender signs what it sends, compressed.
func TestSignatureIsOverTheRawBytes(t *testing.T) {
	r := newRig(t, rigOptions{})
	plain := []byte("hello")
	if got := r.request("POST", "/in/makini", bytes.NewReader(zip(t, plain)), "X-Sig", sign(plain), "Content-Encoding", "gzip"); got.status != 401 {
		t.Errorf("a signature over the decoded bytes: %d", got.status)
	}
	// A bomb is not unpacked for somebody who is not known.
	if got := r.request("POST", "/in/makini", bytes.NewReader(zip(t, make([]byte, 4<<20))), "Content-Encoding", "gzip"); got.status != 401 {
		t.Errorf("an unsigned bomb: %d", got.status)
	}
}

func TestUnknownEncodings(t *testing.T) {
	r := newRig(t, rigOptions{})
	for _, e := range []string{"br", "deflate", "compress", "gzip, gzip", "zstd, gzip", "gzip;q=1", "aes128gcm", "g\u017fip", strings.Repeat("gzip,", 1000)} {
		// Signed or not, the answer is the same, and given before the body is looked at.
		for _, sig := range []string{"x", sign([]byte("body"))} {
			if got := r.request("POST", "/in/makini", strings.NewReader("body"), "Content-Encoding", e, "X-Sig", sig); got.status != 415 || got.code() != "unknown_encoding" {
				t.Errorf("%.20q: %d %s, want 415", e, got.status, got.body)
			}
		}
	}
	if got := r.post("/in/makini", []byte("x"), "Content-Encoding", "gzip", "Content-Encoding", "zstd"); got.status != 415 {
		t.Errorf("two header lines: %d, want 415", got.status)
	}
}

func TestBombs(t *testing.T) {
	r := newRig(t, rigOptions{})
	big := make([]byte, 24<<20)
	many := bytes.Repeat(zip(t, make([]byte, 1<<10)), 1025)
	// A frame that claims 1 TiB in its header and holds nothing of it.
	liar := []byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 0x03, 0, 0x10, 0}
	for _, c := range []struct {
		name, encoding string
		raw            []byte
	}{
		{"gzip, 1000 to 1", "gzip", zip(t, big)},
		{"gzip, many members", "gzip", many},
		{"gzip, one byte over", "gzip", zip(t, big[:1<<20+1])},
		{"zstd as a stream", "zstd", zst(t, big)},
		{"zstd in one go", "zstd", zstAll(t, big)},
		{"zstd, one byte over", "zstd", zst(t, big[:1<<20+1])},
		{"zstd, one byte over, size said", "zstd", zstAll(t, big[:1<<20+1])},
		{"zstd that claims 1 TiB", "zstd", liar},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got := r.post("/in/makini", c.raw, "Content-Encoding", c.encoding)
		runtime.ReadMemStats(&after)
		if got.status != 413 || got.code() != "too_large" {
			t.Errorf("%s: %d %s, want 413", c.name, got.status, got.body)
		}
		// All that was ever allocated, most of it garbage at once: zstd doubles up to maxWindow.
		if n := after.TotalAlloc - before.TotalAlloc; n > 8*maxWindow {
			t.Errorf("%s: %d MB allocated", c.name, n>>20)
		}
	}
	if n := len(r.log.all()); n != 0 {
		t.Errorf("%d bombs stored", n)
	}
}

// TestUndecodable: what is authentic is kept, whatever is wrong with it, with
// the header that says what it claims to be.
func TestUndecodable(t *testing.T) {
	r := newRig(t, rigOptions{})
	good := zip(t, bytes.Repeat([]byte("hello "), 100))
	flipped := bytes.Clone(good)
	flipped[len(flipped)-6] ^= 1 // in the checksum
	for _, c := range []struct {
		name, encoding string
		raw            []byte
	}{
		{"no gzip at all", "gzip", []byte(`{"id":"1"}`)},
		{"gzip cut short", "gzip", good[:len(good)-9]},
		{"gzip with a wrong checksum", "gzip", flipped},
		{"gzip with something behind it", "gzip", append(bytes.Clone(good), "tail"...)},
		{"no zstd at all", "zstd", []byte(`{"id":"1"}`)},
		{"zstd cut short", "zstd", zst(t, bytes.Repeat([]byte("hello "), 100))[:20]},
		{"zstd with something behind it", "zstd", append(zstAll(t, []byte("x")), "tail"...)},
		{"zstd with a window beyond RFC 9659", "zstd", zst(t, []byte("x"), zstd.WithWindowSize(256<<20))},
		{"zstd with an unknown dictionary", "zstd", []byte{0x28, 0xb5, 0x2f, 0xfd, 0x23, 0x07, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00}},
	} {
		e := r.accepted(r.post("/in/makini", c.raw, "Content-Encoding", c.encoding, "Content-Type", "a/b"))
		if !bytes.Equal(e.Body, c.raw) {
			t.Errorf("%s: stored %q, want the bytes as they came", c.name, e.Body)
		}
		if n := len(e.Headers); n != 2 || e.Headers[1] != (eventstore.Header{Name: "content-encoding", Value: c.encoding}) {
			t.Errorf("%s: headers %v", c.name, e.Headers)
		}
	}
	if n := r.counted(); n["makini stored_undecoded"] != 9 || len(n) != 1 {
		t.Errorf("counted %v", n)
	}
	// Packed twice and announced once is an ordinary body that happens to be gzip.
	if e := r.accepted(r.post("/in/makini", zip(t, good), "Content-Encoding", "gzip")); !bytes.Equal(e.Body, good) || len(e.Headers) != 0 {
		t.Errorf("nested gzip: %d bytes, %v", len(e.Body), e.Headers)
	}
}
