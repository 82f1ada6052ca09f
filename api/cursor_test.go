package api

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCursorBelongsToItsList(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	same := func() *list {
		return newList("events", "makini", "c1").any([]string{"a", "b"}).between(at, time.Time{})
	}
	place := []byte("makini\x00conn\xff")
	text := *same().cursor(place)
	for name, l := range map[string]*list{
		"same":                      same(),
		"same, in another order":    newList("events", "makini", "c1").any([]string{"b", "a"}).between(at, time.Time{}),
		"same, in another zone":     newList("events", "makini", "c1").any([]string{"a", "b"}).between(at.In(time.FixedZone("", 3600)), time.Time{}),
		"other path":                newList("event", "makini", "c1").any([]string{"a", "b"}).between(at, time.Time{}),
		"other source":              newList("events", "makin", "c1").any([]string{"a", "b"}).between(at, time.Time{}),
		"text cut elsewhere":        newList("events", "makinic", "1").any([]string{"a", "b"}).between(at, time.Time{}),
		"other types":               newList("events", "makini", "c1").any([]string{"ab"}).between(at, time.Time{}),
		"a type that is a filter":   newList("events", "makini", "c1", "a").any([]string{"b"}).between(at, time.Time{}),
		"other time":                newList("events", "makini", "c1").any([]string{"a", "b"}).between(at.Add(1), time.Time{}),
		"times the other way round": newList("events", "makini", "c1").any([]string{"a", "b"}).between(time.Time{}, at),
	} {
		got, err := l.place(text)
		if strings.HasPrefix(name, "same") {
			if err != nil || string(got) != string(place) {
				t.Errorf("%s: place %q, %v", name, got, err)
			}
			continue
		}
		var p *Problem
		if !errors.As(err, &p) || p.Status != 400 || p.Code != CodeInvalidCursor || got != nil {
			t.Errorf("%s: place %q, %v; want a 400 %s", name, got, err, CodeInvalidCursor)
		}
	}
	if got, err := same().place(""); got != nil || err != nil {
		t.Errorf("no cursor: %q, %v", got, err)
	}
	if same().cursor(nil) != nil {
		t.Error("a cursor of no place")
	}
}

func TestCursorRefusesWhatItDidNotMake(t *testing.T) {
	l := newList("quarantine")
	text := *l.cursor(make([]byte, 12))
	bytes, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	bad := []string{"x", "AQ", "!", text + "A", text[:len(text)-2], text + "=", " " + text, "null"}
	for i := range bytes {
		flipped := append([]byte(nil), bytes...)
		flipped[i] ^= 1
		bad = append(bad, base64.RawURLEncoding.EncodeToString(flipped))
	}
	for _, b := range bad {
		if got, err := l.place(b); err == nil {
			t.Errorf("%q gives the place %x", b, got)
		}
	}
	if _, err := l.place(text); err != nil {
		t.Errorf("the cursor itself: %v", err)
	}
}
