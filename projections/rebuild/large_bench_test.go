package rebuild_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// repeated is a log played over and over, each time a year later and with other
// delivery ids: long, and yet no larger in memory.
type repeated struct {
	*prebuilt
	times int
}

func (l repeated) Head(context.Context) (eventstore.Position, error) {
	return eventstore.Position(len(l.messages) * l.times), nil
}

func (l repeated) Follow(_ context.Context, after eventstore.Position) (eventstore.Cursor, error) {
	return &repeatedCursor{log: l, group: eventstore.Group{Position: after}}, nil
}

type repeatedCursor struct {
	log     repeated
	decoder eventstore.Decoder
	group   eventstore.Group
	message []byte
}

func (c *repeatedCursor) Next(context.Context) (eventstore.Group, error) {
	p := int(c.group.Position)
	n := len(c.log.messages)
	c.message = append(c.message[:0], c.log.messages[p%n]...)
	if err := c.decoder.Decode(c.message, &c.group); err != nil {
		return c.group, err
	}
	c.group.Position++
	for i := range c.group.Events {
		e := &c.group.Events[i]
		e.ReceivedAt = e.ReceivedAt.AddDate(p/n, 0, 0)
		hex.Encode(e.Body[len(`{"id":"evt_`):], []byte{byte(p / n), byte(p / n >> 8), 0xff})
		copy(e.Body[bytes.Index(e.Body, []byte(`"timestamp":"`))+len(`"timestamp":"`):], strconv.Itoa(e.ReceivedAt.Year()))
	}
	return c.group, nil
}

func (c *repeatedCursor) Buffered() int {
	return len(c.log.messages)*c.log.times - int(c.group.Position)
}
func (c *repeatedCursor) Close() error { return nil }

// BenchmarkLarge shows that memory and the time of an event stay the same while the log gets longer.
func BenchmarkLarge(b *testing.B) {
	if os.Getenv("TIDEMARK_LONG") != "1" {
		b.Skip("rebuilds ten million events: set TIDEMARK_LONG=1")
	}
	makini, err := providers.Load("makini")
	if err != nil {
		b.Fatal(err)
	}
	log := generate(1_000_000, 100_000, 64)
	base := resident(b, "VmRSS")
	for _, times := range []int{1, 3, 10} {
		b.Run(fmt.Sprintf("events=%dM", times), func(b *testing.B) {
			took, before := map[rebuild.Phase]time.Duration{}, cpu()
			for b.Loop() {
				r, err := rebuild.Build(b.Context(), rebuild.Options{
					Dir: b.TempDir() + "/gen-1", Log: repeated{log, times}, Now: time.Now,
					Definitions: map[string]*providers.Definition{"makini-prod": makini},
				})
				if err != nil || int(r.Events) != times*log.events {
					b.Fatalf("%+v, %v", r, err)
				}
				for p, d := range r.Took {
					took[p] += d
				}
			}
			report(b, times*log.events, cpu()-before, took)
			b.ReportMetric(float64(resident(b, "VmHWM")-base)/1024, "peak-MiB")
		})
	}
}

// resident reads a figure of this process's memory, in KiB.
func resident(b *testing.B, name string) int {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
