package timeline

import (
	"encoding/binary"
	"time"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// decoder reads figures off a row. After the first bad one it reads zeros and
// err is set, so that a caller checks once at the end.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() { d.b, d.err = nil, errTruncated }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) detail(t *providers.Detail) {
	t.Reason = d.text()
	t.Code = d.text()
	t.Message = d.text()
	t.RequestID = d.text()
	if d.byte() == 1 {
		sec := d.varint()
		t.ExpiresAt = time.Unix(sec, int64(d.uvarint())).UTC()
	}
}

func (d *decoder) done() error {
	if d.err == nil && len(d.b) != 0 {
		return errTruncated
	}
	return d.err
}
