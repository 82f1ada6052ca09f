package eventstore_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tidemark-dev/tidemark/eventstore"
)

// FuzzDecode holds that decoding never panics, that what it refuses is an
// ErrIntegrity, and that what it takes encodes to the same bytes: every group has one
// spelling. Each input is also tried with its checksums mended, which would
// otherwise keep the fuzzer from everything behind them.
func FuzzDecode(f *testing.F) {
	for _, g := range goldens() {
		f.Add(readGolden(f, g.file))
	}
	var d eventstore.Decoder
	var g eventstore.Group
	f.Fuzz(func(t *testing.T, input []byte) {
		for _, msg := range [][]byte{input, reseal(input)} {
			if err := d.Decode(msg, &g); err != nil {
				if !errors.Is(err, eventstore.ErrIntegrity) {
					t.Errorf("error %v is no ErrIntegrity", err)
				}
				continue
			}
			again, err := eventstore.AppendGroup(nil, g.ID, g.Events)
			if err != nil || !bytes.Equal(again, msg) {
				t.Errorf("%q decodes, and encodes (%v) to\n%q", msg, err, again)
			}
		}
	})
}
