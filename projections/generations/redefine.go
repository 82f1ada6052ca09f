package generations

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Redefine puts other definitions in force, and a policy on what is done about
// them, while the Set runs: it waits for Run. A source that is new is read by its definition from the next
// group of the log on, so let its events in only after Redefine. All others go on being read by what the
// serving generation was made with, so that it stays what one set of definitions makes of the
// log; by the policy a rebuild with the new ones is begun, and its generation reads by them. A rebuild
// that is under way with former ones is given up. A source that is no longer defined keeps what it has.
// After an error, which is damage to the serving generation or ctx's, nothing was put in force.
func (s *Set) Redefine(ctx context.Context, definitions map[string]*providers.Definition, onChange Policy) error {
	return s.takeTurn(ctx, func(context.Context) error { return s.redefine(definitions, onChange) })
}

// redefine is Redefine while the serving generation's projector is not in use.
func (s *Set) redefine(definitions map[string]*providers.Definition, onChange Policy) error {
	g := s.serving
	if err := g.define(definitions); err != nil {
		s.Damaged(err)
		return err
	}
	s.mu.Lock()
	same := s.o.OnChange == onChange && maps.Equal(digests(s.definitions), digests(definitions))
	s.front.Lock()
	g.note()
	s.definitions, s.o.OnChange = definitions, onChange
	s.front.Unlock()
	if same {
		s.mu.Unlock()
		return nil
	}
	gaveUp, again := s.giveUp()
	job := s.job
	s.mu.Unlock()
	begun := s.outdated(whileItRan)
	if !gaveUp || begun {
		return nil
	}
	if !again {
		s.o.Logger.Warn("no other rebuild is begun in the place of the one that was given up; to begin one: tidemark rebuild")
		return nil
	}
	if _, err := s.start(job.Request, job.Automatic); err != nil {
		s.o.Logger.Error("the rebuild could not be begun again: tidemark rebuild", slog.Any("error", err))
	}
	return nil
}

// define lets a generation's projector read by definitions where it can.
func (g *generation) define(definitions map[string]*providers.Definition) error {
	for _, source := range slices.Sorted(maps.Keys(definitions)) {
		if err := g.projector.Define(source, definitions[source]); err != nil {
			return fmt.Errorf("define source %s: %w", source, err)
		}
	}
	return nil
}

// giveUp ends the rebuild under way if it does not have the definitions that it
// would have if it began now. again says that it is to be begun again as it was asked for: those it
// has are unchanged, and it only lacks some, or it is to replace what is damaged. s.mu is held.
func (s *Set) giveUp() (gaveUp, again bool) {
	if !s.job.State.unfinished() {
		return false, false
	}
	changed := false
	for source, d := range s.expected(s.job.Request) {
		was, known := s.job.Definitions[source]
		gaveUp = gaveUp || was != d.Digest()
		changed = changed || known && was != d.Digest()
	}
	if !gaveUp || s.job.State == Promoting {
		s.reconsider = whileItRan
		return false, false
	}
	s.o.Logger.Warn("the rebuild under way is given up: it was begun with other definitions", slog.Any("rebuild", s.job.ID))
	s.job.State, s.job.Error = Cancelled, "the definitions changed while it was under way"
	s.ended()
	s.control.stop()
	return true, !changed || s.serving.damage != nil
}

// expected are the definitions that a rebuild has which begins now: those in force,
// or those of the serving generation where it is that one which is looked at. s.mu is held.
func (s *Set) expected(r Request) map[string]*providers.Definition {
	if r.Verify || r.Refold {
		return s.serving.definitions
	}
	return s.definitions
}

// reconsidered looks once more whether what serves is outdated, where a rebuild was in the
// way of doing something about it.
func (s *Set) reconsidered(ctx context.Context) {
	s.mu.Lock()
	serves := s.reconsider
	if s.job.State.unfinished() {
		serves = ""
	}
	if serves != "" {
		s.reconsider = ""
	}
	s.mu.Unlock()
	if serves != "" {
		// It fails where ctx ends, and the next start looks anyway.
		_ = s.takeTurn(ctx, func(context.Context) error { s.outdated(serves); return nil })
	}
}

// complete lets a generation that is about to serve read sources that came since it was opened.
func (s *Set) complete(g *generation) error {
	s.mu.Lock()
	definitions := s.definitions
	s.mu.Unlock()
	if err := g.define(definitions); err != nil {
		return err
	}
	g.note()
	return nil
}

// definitionsOf are those to open a generation with that was made with the ones of
// these digests: the same where they are at hand, else those in force.
func (s *Set) definitionsOf(made map[string]string) map[string]*providers.Definition {
	s.mu.Lock()
	defer s.mu.Unlock()
	atHand := []map[string]*providers.Definition{s.definitions, s.previousBy, s.jobBy}
	if s.serving != nil {
		atHand = append(atHand, s.serving.definitions)
	}
	out := maps.Clone(s.definitions)
	for source, digest := range made {
		for _, some := range atHand {
			if d := some[source]; d != nil && d.Digest() == digest {
				out[source] = d
				break
			}
		}
	}
	return out
}
