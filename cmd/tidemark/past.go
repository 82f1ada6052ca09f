package main

import (
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-dev/tidemark/api"
)

// whenFlags ask for an instant on either clock, or both.
type whenFlags struct{ validAt, knownAt string }

const timeForms = "RFC 3339, or how long ago (2h, 7d)"

func (w *whenFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.validAt, "valid-at", "", "what was true then, by all that is known now: "+timeForms)
	f.StringVar(&w.knownAt, "known-at", "", "by what had been received then: "+timeForms)
	for _, name := range []string{"valid-at", "known-at"} {
		_ = cmd.RegisterFlagCompletionFunc(name, cobra.NoFileCompletions)
	}
}

// into puts the flags into a query.
func (w *whenFlags) into(a *app, query url.Values) error {
	return a.setInstants(query, "valid-at", w.validAt, "known-at", w.knownAt)
}

// setInstants puts the times of flags, pairs of name and value, into a query.
func (a *app) setInstants(query url.Values, pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		flag, value := pairs[i], pairs[i+1]
		if value == "" {
			continue
		}
		at, err := a.parseInstant(flag, value)
		if err != nil {
			return err
		}
		parameter := flag
		if flag == "valid-at" || flag == "known-at" {
			parameter = flag[:5] + "_at"
		}
		query.Set(parameter, exact(at))
	}
	return nil
}

// asOf says in words which instant an answer is of, "" for now.
func asOf(w *api.AsOf) string {
	if w == nil {
		return ""
	}
	text := ""
	if w.ValidAt != nil {
		text = " at " + instant(*w.ValidAt)
	}
	if w.KnownAt != nil {
		if text != "" {
			text += ","
		}
		text += " by what was known at " + instant(*w.KnownAt)
	}
	return text
}

// then is the instant that a state is of.
func then(w *api.AsOf, now time.Time) time.Time {
	switch {
	case w == nil:
		return now
	case w.ValidAt != nil:
		return *w.ValidAt
	}
	return *w.KnownAt
}

// is is the verb for a state: what was, where it is of an earlier instant.
func is(w *api.AsOf) string {
	if w == nil {
		return "is"
	}
	return "was"
}
