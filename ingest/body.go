package ingest

import (
	"io"
	"sync"
	"sync/atomic"
)

// Nearly every webhook fits into firstBuffer. A buffer of up to largestReuse is
// used again, and that much a request may hold before its body has come: the most
// connections that config allows by itself, all of them slow, fill the 64 MiB of the default and no more.
const (
	firstBuffer  = 4 << 10
	largestReuse = 8 << 10
)

// bodies hands out buffers for bodies, and bounds what all of them hold together.
type bodies struct {
	most int64
	held atomic.Int64
	free sync.Pool
}

// buffer is memory for one body. It is charged to its bodies for as long as it is held.
type buffer struct {
	b     []byte
	owner *bodies
}

// get returns an empty buffer, or errBusy.
func (p *bodies) get() (*buffer, error) {
	buf, _ := p.free.Get().(*buffer)
	if buf == nil {
		buf = &buffer{owner: p}
	}
	if !p.take(int64(cap(buf.b))) {
		p.free.Put(buf)
		return nil, errBusy
	}
	return buf, nil
}

// put ends the use of a buffer. Where somebody may still read it, it is not
// used again: reuse is false.
func (p *bodies) put(buf *buffer, reuse bool) {
	if buf == nil {
		return
	}
	p.held.Add(-int64(cap(buf.b)))
	if reuse && cap(buf.b) <= largestReuse {
		buf.b = buf.b[:0]
		p.free.Put(buf)
	}
}

func (p *bodies) take(n int64) bool {
	if p.held.Add(n) > p.most {
		p.held.Add(-n)
		return false
	}
	return true
}

// grow makes room for n bytes in all, keeping what is there. It returns
// errBusy where that is more than all bodies together may hold.
func (buf *buffer) grow(n int64) error {
	if n <= int64(cap(buf.b)) {
		return nil
	}
	if !buf.owner.take(n - int64(cap(buf.b))) {
		return errBusy
	}
	// Exactly n: append would round up behind the account's back.
	next := make([]byte, len(buf.b), n)
	copy(next, buf.b)
	buf.b = next
	return nil
}

// adopt takes over b, which grew out of the buffer's memory or replaces it.
func (buf *buffer) adopt(b []byte) error {
	if more := int64(cap(b) - cap(buf.b)); !buf.owner.take(more) {
		return errBusy
	}
	buf.b = b
	return nil
}

// fill reads r to its end into the empty buffer, and returns errTooLarge where
// that is more than limit bytes. hint is the length that r is said to have, -1 for
// unknown: it may lie, so memory is taken as bytes arrive, never on its word alone.
func (buf *buffer) fill(r io.Reader, hint, limit int64) error {
	if err := buf.grow(min(max(hint+1, firstBuffer), largestReuse, limit+1)); err != nil {
		return err
	}
	for {
		if len(buf.b) == cap(buf.b) {
			if err := buf.grow(min(2*int64(cap(buf.b)), limit+1)); err != nil {
				return err
			}
		}
		n, err := r.Read(buf.b[len(buf.b):cap(buf.b)])
		buf.b = buf.b[:len(buf.b)+n]
		if int64(len(buf.b)) > limit {
			return errTooLarge
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
