package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/connections"
)

// AsOf names an instant and the position that the answer about it stands on.
type AsOf = connections.AsOf

// WhenQuery asks for an instant on either clock, or both.
type WhenQuery struct {
	ValidAt string `query:"valid_at" format:"date-time" doc:"What was true then: events that happened later are left out"`
	KnownAt string `query:"known_at" format:"date-time" doc:"What was known then: events that were received later are left out"`
}

func (in *WhenQuery) when() projections.When {
	return projections.When{ValidAt: timeOf(in.ValidAt), KnownAt: timeOf(in.KnownAt)}
}

// timeOf reads a time whose form was checked; the zero time stands for "".
func timeOf(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err == nil && t.IsZero() {
		return t.Add(1) // asked for, so it must not stand for "now"; no event is as early
	}
	return t.UTC()
}

// missing says what is not there: the source, the connection, or the connection as of then.
func (h *Handler) missing(v *projections.View, source, id string, w projections.When, err error) error {
	if !errors.Is(err, projections.ErrNotFound) {
		return err
	}
	now, errNow := v.Connection(source, id)
	if errNow != nil || w.IsNow() {
		return h.unknownConnection(v, source, id, err)
	}
	var what []string
	if !w.ValidAt.IsZero() {
		what = append(what, "happened by "+wordTime(w.ValidAt)+" (valid_at)")
	}
	if !w.KnownAt.IsZero() {
		what = append(what, "been received by "+wordTime(w.KnownAt)+" (known_at)")
	}
	detail := fmt.Sprintf("No event of connection %q of source %q had %s.", id, source, strings.Join(what, " and "))
	if now.FirstEventAt != nil {
		detail += " Its first event happened at " + wordTime(*now.FirstEventAt) + "."
	}
	return &Problem{Status: http.StatusNotFound, Code: CodeNotKnownThen, Detail: detail}
}

func wordTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// at adds an instant to what a cursor belongs to.
func (l *list) at(w projections.When) *list {
	if w.IsNow() {
		return l
	}
	return l.between(w.ValidAt, w.KnownAt)
}
