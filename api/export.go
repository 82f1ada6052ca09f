package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/tidemark-dev/tidemark/projections"
)

// mediaTypes are those of exports.
var mediaTypes = map[string]string{"csv": "text/csv", "jsonl": "application/jsonl"}

// Headers of an export: the position that it stands on, and the instant that it is of.
const (
	headerCheckpoint = "Tidemark-Checkpoint"
	headerValidAt    = "Tidemark-Valid-At"
	headerKnownAt    = "Tidemark-Known-At"
)

// exportBuffer is what an export gathers before it writes.
const exportBuffer = 64 << 10

var errGone = fmt.Errorf("the client went away: %w", context.Canceled)

// acceptedExport returns the format that a header Accept asks for, "" for a page.
func acceptedExport(accept string) string {
	for _, part := range strings.Split(accept, ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case mediaTypes["csv"]:
			return "csv"
		case mediaTypes["jsonl"]:
			return "jsonl"
		case "application/json", "*/*":
			return ""
		}
	}
	return ""
}

// export writes a list in whole, in its order and as of one moment, however
// long it is. Memory does not grow with it. What goes wrong before the first bytes are out is
// answered as a problem; afterwards the connection is cut, so that a part cannot pass for the whole.
func export[T any](h *Handler, ctx huma.Context, in *ListQuery, l *lister[T], place []byte) {
	r, w := humago.Unwrap(ctx)
	out := &exporter{wire: newWire(w, h.patience), head: w.Header(), media: mediaTypes[in.export]}
	out.buf = bufio.NewWriterSize(out, exportBuffer)
	err := h.view(func(v *projections.View) error {
		out.describe(l.name+"."+in.export, v.Checkpoint().Position, l.when)
		write := jsonLines[T](h, out.buf)
		if in.export == "csv" {
			var err error
			if write, err = csvRows(l.columns, out.buf); err != nil {
				return err
			}
		}
		var failed error
		n := 0
		err := l.walk(v, place, func(item *T, _ []byte) bool {
			if failed = h.goOn(r.Context()); failed != nil || r.Method == http.MethodHead || in.limited && n == in.Limit {
				return false
			}
			if item != nil {
				n++
				failed = write(item)
			}
			return failed == nil
		})
		return errors.Join(err, failed)
	})
	if err == nil {
		err = out.buf.Flush()
	}
	if err == nil {
		out.begin()
		return
	}
	p := h.problem(r.Context(), ctx.Operation().OperationID, err)
	if out.begun {
		panic(http.ErrAbortHandler) // half an export must not look like a whole one
	}
	writeProblem(w, r, p)
}

// goOn returns why an export has to end: nil while it does not.
func (h *Handler) goOn(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return errGone
	case <-h.stopped.Done():
		return errStopping()
	default:
		return nil
	}
}

// exporter sends an export's headers with its first bytes.
type exporter struct {
	wire  *wire
	buf   *bufio.Writer // writes to the exporter
	head  http.Header
	media string
	about map[string]string
	begun bool
}

// describe says what the headers will say.
func (e *exporter) describe(file string, position uint64, w projections.When) {
	e.about = map[string]string{
		"Content-Type":        e.media + "; charset=utf-8",
		"Content-Disposition": `attachment; filename="` + file + `"`,
		headerCheckpoint:      strconv.FormatUint(position, 10),
	}
	if !w.ValidAt.IsZero() {
		e.about[headerValidAt] = wordTime(w.ValidAt)
	}
	if !w.KnownAt.IsZero() {
		e.about[headerKnownAt] = wordTime(w.KnownAt)
	}
}

func (e *exporter) begin() {
	if e.begun {
		return
	}
	e.begun = true
	for name, value := range e.about {
		e.head.Set(name, value)
	}
}

// Write implements io.Writer.
func (e *exporter) Write(b []byte) (int, error) {
	e.begin()
	return e.wire.Write(b)
}

// jsonLines writes items as JSON, each on a line of its own.
func jsonLines[T any](h *Handler, w io.Writer) func(*T) error {
	return func(item *T) error { return h.huma.Marshal(w, "application/json", item) }
}

// column is one column of a CSV export.
type column[T any] struct {
	name string
	cell func(*T) string
}

// csvRows writes a header, and items as rows below it.
func csvRows[T any](columns []column[T], w io.Writer) (func(*T) error, error) {
	rows := csv.NewWriter(struct{ io.Writer }{w}) // it would take a bufio.Writer for its own, and flush through it
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = c.name
	}
	write := func() error {
		if err := rows.Write(cells); err != nil {
			return err
		}
		rows.Flush() // to w, which gathers
		return rows.Error()
	}
	return func(item *T) error {
		for i, c := range columns {
			cells[i] = csvCell(c.cell(item))
		}
		return write()
	}, write()
}

// csvCell keeps a spreadsheet from taking a cell for a formula.
func csvCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}

// wire writes to a client that has so long for each write. A client that stops
// reading cannot hold the writer, and one that reads on may take all day.
type wire struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

func newWire(w http.ResponseWriter, patience time.Duration) *wire {
	return &wire{w, http.NewResponseController(w), patience}
}

// Write implements io.Writer. The error is an errGone.
func (w *wire) Write(b []byte) (int, error) {
	return w.bounded(func() (int, error) { return w.w.Write(b) })
}

// send writes and hands on at once.
func (w *wire) send(b *bytes.Buffer) error {
	_, err := w.bounded(func() (int, error) {
		n, err := w.w.Write(b.Bytes())
		if err == nil {
			err = w.control.Flush()
		}
		return n, err
	})
	b.Reset()
	return err
}

func (w *wire) bounded(write func() (int, error)) (int, error) {
	// The deadline is of the machine's own clock, which a context knows: ours is for events.
	ctx, cancel := context.WithTimeout(context.Background(), w.patience)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if err := w.control.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, fmt.Errorf("%w: %w", errGone, err)
	}
	n, err := write()
	if err != nil {
		err = fmt.Errorf("%w: %w", errGone, err)
	}
	return n, err
}
