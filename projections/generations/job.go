package generations

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// Errors of steering a rebuild.
var (
	// ErrBusy means a rebuild is under way or waits for a decision.
	ErrBusy = errors.New("a rebuild is under way")
	// ErrNoJob means there is no rebuild of that id.
	ErrNoJob = errors.New("no such rebuild")
	// ErrState means that the rebuild is not in a state that the call applies to.
	ErrState = errors.New("the rebuild is past that, or not there yet")
	// ErrNoPrevious means there is no generation to roll back to.
	ErrNoPrevious = errors.New("no earlier generation is kept")
)

// State is how far a rebuild has come.
type State string

// The states of a rebuild.
const (
	Building  State = "building"  // reading the log, or the local history
	Comparing State = "comparing" // holding the new generation to the serving one
	Review    State = "review"    // waiting for promote or cancel
	Promoting State = "promoting" // about to take over
	Promoted  State = "promoted"
	Reported  State = "reported" // a dry run that came to its end
	Cancelled State = "cancelled"
	Failed    State = "failed"
)

// Ended reports whether the rebuild has come to its end, whichever.
func (s State) Ended() bool { return !s.unfinished() }

func (s State) unfinished() bool {
	return s == Building || s == Comparing || s == Review || s == Promoting
}

// Request asks for a rebuild.
type Request struct {
	// DryRun only reports; Review waits for Promote or Cancel after the report.
	DryRun bool `json:"dry_run,omitempty" doc:"Only report what would change"`
	Review bool `json:"review,omitempty" doc:"Wait for promote or cancel after the report"`
	// Refold makes the generation from the local history, without the log: after a bug
	// in a fold, not in a mapping.
	Refold bool `json:"refold,omitempty" doc:"Fold the local history again instead of reading the log"`
	// Verify compares bytes with the serving generation and promotes nothing.
	Verify bool `json:"verify,omitempty" doc:"Compare every row with the serving generation, byte for byte"`
	// Reason is words for people.
	Reason string `json:"reason,omitempty" maxLength:"200"`
}

// Job is a rebuild, as it is kept across restarts.
type Job struct {
	ID         string  `json:"id"`
	Request    Request `json:"request"`
	Generation string  `json:"generation" doc:"Name of the generation that is made"`
	// Automatic is set where the policy began it: the policy that is in force when it comes to taking over
	// decides then whether it waits for review.
	Automatic bool `json:"automatic,omitempty" doc:"Begun by rebuild.on_definition_change, which is looked at once more before it takes over"`
	// Definitions holds the digest of each source's definition that it is made with.
	Definitions map[string]string `json:"definitions,omitempty" doc:"Digest of each source's definition that it is made with"`
	// Projections holds the version of each projection that it is made by.
	Projections map[string]int `json:"projections,omitempty" doc:"Version of each projection that it is made by"`
	State       State          `json:"state" enum:"building,comparing,review,promoting,promoted,reported,cancelled,failed"`
	Paused      bool           `json:"paused"`
	StartedAt   time.Time      `json:"started_at"`
	EndedAt     time.Time      `json:"ended_at,omitzero"`
	// Progress is of the phase at hand, EtaSeconds what is left of it by its rate so far.
	Progress   *rebuild.Progress `json:"progress,omitempty"`
	EtaSeconds *float64          `json:"eta_seconds,omitempty"`
	// Result accounts for every event of the log.
	Result *rebuild.Result `json:"result,omitempty"`
	// Report is what the new generation says differently, nil before it is known.
	Report *rebuild.Report `json:"report,omitempty"`
	// Uncompared is why there is no Report of a rebuild that took over all the same: what
	// served was damaged.
	Uncompared string `json:"uncompared,omitempty" doc:"Why it took over without a report: what served was damaged"`
	// Verified is the outcome of a verification.
	Verified *Verified `json:"verified,omitempty"`
	Error    string    `json:"error,omitempty"`
	// Integrity is set where Error is damage to the log or a rebuild that is incomplete.
	Integrity bool `json:"integrity,omitempty"`
}

// Verified is the outcome of comparing a generation made anew with the serving one.
type Verified struct {
	Equal bool `json:"equal"`
	// Outdated names sources whose definition has changed since the serving generation was
	// made: then a difference is to be expected, and is no damage.
	Outdated []string `json:"outdated,omitempty"`
	// OutdatedProjections names projections that another version of the code made likewise.
	OutdatedProjections []string `json:"outdated_projections,omitempty"`
	// Serving and Scratch sum up the two at the same position.
	Serving rebuild.Sum `json:"serving"`
	Scratch rebuild.Sum `json:"scratch"`
	// First is the first row in which they differ.
	First string `json:"first_difference,omitempty" doc:"The first row in which they differ; the first of the two is the serving one"`
}

func (s *Set) loadJob() error {
	b, err := os.ReadFile(s.path(jobFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.job)
	}
	if err != nil {
		s.o.Logger.Warn("the last rebuild's state cannot be read; if one was under way it has to be begun again", slog.Any("file", s.path(jobFile)), slog.Any("error", err))
		s.job = Job{}
	}
	if s.job.State.unfinished() {
		s.wake()
	}
	return nil
}

// save keeps the job across a restart. s.mu is held.
func (s *Set) save() error {
	j := s.job
	j.Progress, j.EtaSeconds = nil, nil
	if err := writeFile(s.path(jobFile), j); err != nil {
		return fmt.Errorf("keep the rebuild's state: %w", err)
	}
	return nil
}

func (s *Set) wake() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

// Start begins a rebuild. It returns ErrBusy, with the job at hand, while
// another has not come to its end.
func (s *Set) Start(r Request) (Job, error) { return s.start(r, false) }

// start is Start, and for the policy where automatic says so.
func (s *Set) start(r Request, automatic bool) (Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job.State.unfinished() || s.rollingBack {
		return s.job, ErrBusy
	}
	now := s.o.Now().UTC()
	name, by := s.nextName(), projections.Versions()
	if r.Refold {
		by = projections.Refolded(s.serving.versions)
	}
	s.jobBy = s.expected(r)
	s.job = Job{ID: "rb-" + name[1:], Request: r, Automatic: automatic, Generation: name, State: Building, StartedAt: now, Definitions: digests(s.jobBy), Projections: by}
	if err := s.save(); err != nil {
		return s.job, err
	}
	s.wake()
	return s.job, nil
}

// Job returns the rebuild of that id, or the last one for "last", or ErrNoJob.
func (s *Set) Job(id string) (Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job.ID == "" || id != "last" && id != s.job.ID {
		return Job{}, fmt.Errorf("%w: %q", ErrNoJob, id)
	}
	return s.job, nil
}

// update changes the job of that id, keeps it, and returns it. One that was given
// up, and has another in its place by now, is not touched any more.
func (s *Set) update(id string, f func(*Job)) (Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job.ID != id {
		return Job{ID: id, State: Cancelled}, nil
	}
	f(&s.job)
	return s.job, s.save()
}

// steer is update for a job of that id that is in one of the states. It returns
// ErrNoJob or ErrState, with the job as it is.
func (s *Set) steer(id string, states []State, f func(*Job)) (Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job.ID == "" || id != "last" && id != s.job.ID {
		return Job{}, fmt.Errorf("%w: %q", ErrNoJob, id)
	}
	if !slices.Contains(states, s.job.State) {
		return s.job, fmt.Errorf("%w: rebuild %s is %s", ErrState, s.job.ID, s.job.State)
	}
	f(&s.job)
	return s.job, s.save()
}
