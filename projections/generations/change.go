package generations

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-dev/tidemark/ingest/providers"
	"github.com/tidemark-dev/tidemark/projections"
)

// Policy is what is done where other definitions are in force than those that the
// serving generation was made with, or code of another version. It serves in any case, and says so.
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

// Who reads new events until a rebuild: at a start the definitions in force, for the
// former ones are not at hand any more.
const (
	atStart    = "definitions have changed: the projections made with the former ones go on serving; "
	whileItRan = "definitions have changed: the projections made with the former ones go on serving, and read new events by them; "
	otherCode  = "this version makes other projections of the same events: those that an earlier one made go on serving; "
)

// outdated begins a rebuild, by the policy, where other definitions are in force
// than the serving generation has, or other code makes projections. It reports whether it did. The serving
// generation's projector must not be in use.
func (s *Set) outdated(serves string) (begun bool) {
	s.mu.Lock()
	changed, gone, policy := s.outdatedNow(), s.unconfigured(), s.o.OnChange
	versions := projections.OtherVersions(s.serving.versions)
	declined := (len(changed) == 0 || maps.Equal(s.current.Declined, digests(s.definitions))) &&
		(len(versions) == 0 || maps.Equal(s.current.DeclinedProjections, projections.Versions()))
	// A refold takes events as they were read, so no source loses anything by it.
	refold := len(changed) == 0 && slices.Equal(versions, projections.OtherFolds(s.serving.versions))
	busy := s.job.State.unfinished()
	if busy && len(changed)+len(versions) > 0 && s.job.leavesOutdated() {
		s.reconsider = serves
	}
	log, told := s.toldOf(changed, versions, serves)
	s.mu.Unlock()
	if len(changed)+len(versions) == 0 {
		return false
	}
	r := Request{Refold: refold, Reason: reason(changed, versions)}
	switch {
	case busy:
		log.Warn(told + "a rebuild is under way: tidemark rebuild status")
		return false
	case declined:
		log.Warn(told + "a rebuild with the new ones was cancelled or rolled back, so none is begun; to begin one: tidemark rebuild")
		return false
	case policy == Off:
		log.Warn(told + "to make new ones: tidemark rebuild")
		return false
	case len(gone) > 0 && !refold:
		r.Review = true
		log.Warn(told+"new ones are made in the background and wait for review, for sources that are no longer configured would lose their connections", slog.Any("not_configured", gone))
	case policy == ReviewFirst:
		r.Review = true
		log.Warn(told + "new ones are made in the background and wait for review: tidemark rebuild status")
	default:
		log.Warn(told + "new ones are made in the background and take over when they are complete")
	}
	_, err := s.start(r, true)
	if errors.Is(err, ErrBusy) {
		s.mu.Lock()
		s.reconsider = serves // a rollback, or somebody was faster, who reads by the same ones
		s.mu.Unlock()
		return true
	}
	if err != nil {
		s.o.Logger.Error("the rebuild could not be begun", slog.Any("error", err))
	}
	return err == nil
}

// asks lets a rebuild that the policy began wait for review where the policy has become one that does not let it take
// over by itself. One that has become less strict leaves it as it was begun. One that has other definitions than those in
// force is given up instead, and what is outdated is looked at once more.
func (s *Set) asks(id string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := &s.job
	if j.ID != id || !j.Automatic || j.Request.Review || s.o.OnChange != ReviewFirst && s.o.OnChange != Off {
		return false, nil
	}
	j.State, j.Request.Review = Review, true
	if gaveUp, _ := s.giveUp(); gaveUp { // it could only go on to take over
		s.reconsider = whileItRan
		return true, nil
	}
	s.o.Logger.Warn("the policy on changed definitions was changed while the rebuild was under way: it waits for review: tidemark rebuild status",
		slog.Any("rebuild", j.ID), slog.Any("policy", s.o.OnChange))
	return true, s.save()
}

// toldOf is a logger that names what is outdated, and how to begin its sentence. s.mu is held.
func (s *Set) toldOf(changed, versions []string, serves string) (*slog.Logger, string) {
	log, now := s.o.Logger, projections.Versions()
	if len(changed) > 0 {
		log = log.With(slog.Any("sources", changed))
	} else {
		serves = otherCode
	}
	if len(versions) > 0 {
		told := make([]string, len(versions))
		for i, name := range versions {
			told[i] = fmt.Sprintf("%s %d -> %d", name, s.serving.versions[name], now[name])
		}
		log = log.With(slog.Any("projections", told))
	}
	return log, serves
}

// reason says in words for people why a rebuild begins by itself.
func reason(changed, versions []string) string {
	var why []string
	if len(changed) > 0 {
		why = append(why, "changed definitions: "+strings.Join(changed, ", "))
	}
	if len(versions) > 0 {
		why = append(why, "another version of "+strings.Join(versions, ", "))
	}
	if r := strings.Join(why, "; "); len(r) <= 200 {
		return r
	}
	why[0] = "changed definitions"
	return strings.Join(why, "; ")
}

// leavesOutdated reports whether what serves may still be outdated when the job, which goes on, came to its end.
func (j *Job) leavesOutdated() bool {
	return j.Request.DryRun || j.Request.Verify || j.Request.Refold || j.State == Promoting
}

// outdatedNow names the sources whose events the serving generation reads, or has
// read, by another definition than the one in force. s.mu is held.
func (s *Set) outdatedNow() []string {
	out := append([]string{}, s.serving.outdated...)
	for source, d := range s.definitions {
		if by := s.serving.definitions[source]; by != nil && by.Digest() != d.Digest() {
			out = append(out, source)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// unconfigured names the sources that the serving generation has connections of
// and no definition is in force for. s.mu is held.
func (s *Set) unconfigured() []string {
	var gone []string
	for source, n := range s.serving.projector.Stats().BySource {
		if s.definitions[source] == nil && n > 0 {
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
	case s.job.State != Promoting && !s.job.Request.Refold && !maps.Equal(s.job.Definitions, digests(s.definitions)):
		s.o.Logger.Warn("the rebuild under way is given up: it was begun with other definitions", slog.Any("rebuild", s.job.ID))
		s.job.State, s.job.Error = Cancelled, "the definitions changed while it was under way"
	case s.job.State != Promoting && len(s.job.otherVersions()) > 0:
		s.o.Logger.Warn("the rebuild under way is given up: it was begun by another version of the program", slog.Any("rebuild", s.job.ID), slog.Any("projections", s.job.otherVersions()))
		s.job.State, s.job.Error = Cancelled, "the program changed while it was under way"
	default:
		return
	}
	s.ended()
}

// giveUpRefold ends a refold that the last run left unfinished, where the generation cannot be used that it is to
// fold: its files are the same. Nobody else has s yet.
func (s *Set) giveUpRefold() {
	if s.job.State.unfinished() && s.job.Request.Refold {
		s.o.Logger.Warn("the rebuild under way is given up: the projections that it folds again cannot be used", slog.Any("rebuild", s.job.ID))
		s.job.State, s.job.Error = Cancelled, "the projections that it folds again cannot be used"
		s.ended()
	}
}

// otherVersions names the projections that the job was begun to make by another version of the code.
func (j *Job) otherVersions() []string {
	if j.Request.Refold {
		return projections.OtherFolds(j.Projections)
	}
	return projections.OtherVersions(j.Projections)
}

// ended notes when the job came to its end. s.mu is held, or nobody else has s yet.
func (s *Set) ended() {
	s.job.EndedAt, s.job.Paused = s.o.Now().UTC(), false
	if err := s.save(); err != nil {
		s.o.Logger.Warn("the rebuild's end could not be kept", slog.Any("error", err))
	}
}

// Definitions are those that the serving generation reads events by, by source: those
// in force but for what Status calls outdated. They must not be changed.
func (s *Set) Definitions() map[string]*providers.Definition {
	s.front.Lock()
	defer s.front.Unlock()
	return s.serving.definitions
}

// Defined are those in force, by source: what a rebuild that begins now reads events by. They must not be changed.
func (s *Set) Defined() map[string]*providers.Definition {
	s.front.Lock()
	defer s.front.Unlock()
	return s.definitions
}

// Status is what serves, and what could.
type Status struct {
	// Serving and Previous are names of generations; Previous is "" where there is none to roll back to.
	Serving  string `json:"serving"`
	Previous string `json:"previous,omitempty" doc:"What a rollback goes back to; left out where there is none"`
	// Outdated names sources whose definition has changed since Serving was made.
	Outdated []string `json:"outdated" nullable:"false" doc:"Sources whose definition has changed since the serving generation was made"`
	// OutdatedProjections names projections that another version of the code made.
	OutdatedProjections []string `json:"outdated_projections" nullable:"false" doc:"Projections that were made by another version of the program: only a rebuild makes them by this one"`
	// Job is the last rebuild, nil where there was none.
	Job *Job `json:"job,omitempty" doc:"The last rebuild"`
}

// Status returns what serves.
func (s *Set) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Serving: s.serving.name, Previous: s.current.Previous, Outdated: s.outdatedNow(),
		OutdatedProjections: projections.OtherVersions(s.serving.versions)}
	if s.job.ID != "" {
		j := s.job
		st.Job = &j
	}
	return st
}
