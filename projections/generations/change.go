package generations

import (
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-dev/tidemark/ingest/providers"
)

// Policy is what a start does that finds other definitions than those that the
// serving generation was made with. It serves in any case, and says so.
type Policy string

// The policies.
const (
	// Rebuild makes a new generation in the background, which takes over.
	Rebuild Policy = "rebuild"
	// ReviewFirst makes one that waits for Promote or Cancel.
	ReviewFirst Policy = "review"
	// Off waits to be asked.
	Off Policy = "off"
)

// outdated begins a rebuild, by the policy, where the serving generation was made
// with other definitions.
func (s *Set) outdated() {
	changed := s.serving.projector.Outdated()
	if len(changed) == 0 || s.job.State.unfinished() {
		return
	}
	r := Request{Reason: "changed definitions: " + strings.Join(changed, ", ")}
	if len(r.Reason) > 200 {
		r.Reason = "changed definitions"
	}
	log := s.o.Logger.With(slog.Any("sources", changed))
	const serves = "definitions have changed: the projections made with the former ones go on serving; "
	gone := s.unconfigured()
	switch {
	case maps.Equal(s.current.Declined, s.digests()):
		log.Warn(serves + "a rebuild with the new ones was cancelled or rolled back, so none is begun; to begin one: tidemark rebuild")
		return
	case s.o.OnChange == Off:
		log.Warn(serves + "to make new ones: tidemark rebuild")
		return
	case len(gone) > 0:
		r.Review = true
		log.Warn(serves+"new ones are made in the background and wait for review, for sources that are no longer configured would lose their connections", slog.Any("not_configured", gone))
	case s.o.OnChange == ReviewFirst:
		r.Review = true
		log.Warn(serves + "new ones are made in the background and wait for review: tidemark rebuild status")
	default:
		log.Warn(serves + "new ones are made in the background and take over when they are complete")
	}
	if _, err := s.Start(r); err != nil {
		s.o.Logger.Error("the rebuild could not be begun", slog.Any("error", err))
	}
}

// unconfigured names the sources that the serving generation has connections of
// and no definition is given for.
func (s *Set) unconfigured() []string {
	var gone []string
	for source, n := range s.serving.projector.Stats().BySource {
		if s.o.Definitions[source] == nil && n > 0 {
			gone = append(gone, source)
		}
	}
	slices.Sort(gone)
	return gone
}

// settleJob ends a job that the last run left unfinished and that cannot go on
// as it is. Nobody else has s yet.
func (s *Set) settleJob() {
	if !s.job.State.unfinished() {
		return
	}
	switch {
	case s.job.Generation == s.current.Serving: // it took over, and only saying so was left
		s.job.State = Promoted
	case s.job.State != Promoting && !s.job.Request.Refold && !maps.Equal(s.job.Definitions, s.digests()):
		s.o.Logger.Warn("the rebuild under way is given up: it was begun with other definitions", slog.Any("rebuild", s.job.ID))
		s.job.State, s.job.Error = Cancelled, "the definitions changed while it was under way"
	default:
		return
	}
	s.job.EndedAt, s.job.Paused = s.o.Now().UTC(), false
	if err := s.save(); err != nil {
		s.o.Logger.Warn("the rebuild's end could not be kept", slog.Any("error", err))
	}
}

// Definitions are those in force, by source. They must not be changed.
func (s *Set) Definitions() map[string]*providers.Definition { return s.o.Definitions }

// Status is what serves, and what could.
type Status struct {
	// Serving and Previous are names of generations; Previous is "" where there is none to roll back to.
	Serving  string `json:"serving"`
	Previous string `json:"previous,omitempty" doc:"What a rollback goes back to; left out where there is none"`
	// Outdated names sources whose definition has changed since Serving was made.
	Outdated []string `json:"outdated" nullable:"false" doc:"Sources whose definition has changed since the serving generation was made"`
	// Job is the last rebuild, nil where there was none.
	Job *Job `json:"job,omitempty" doc:"The last rebuild"`
}

// Status returns what serves.
func (s *Set) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Serving: s.serving.name, Previous: s.current.Previous, Outdated: append([]string{}, s.serving.projector.Outdated()...)}
	if s.job.ID != "" {
		j := s.job
		st.Job = &j
	}
	return st
}
