package generations

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tidemark-dev/tidemark/eventstore"
	"github.com/tidemark-dev/tidemark/projections"
	"github.com/tidemark-dev/tidemark/projections/kv"
	"github.com/tidemark-dev/tidemark/projections/rebuild"
)

// runJobs carries out rebuilds, one at a time, until ctx ends. A job that ctx
// ends goes on at the next start.
func (s *Set) runJobs(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.work:
		}
		j, err := s.Job("last")
		if err != nil || !j.State.unfinished() {
			continue
		}
		if err := s.carryOut(ctx, j.ID); err != nil && ctx.Err() == nil {
			s.fail(j.ID, err)
		}
		s.heal()
		s.reconsidered(ctx)
	}
}

// fail notes that the job came to its end by err, unless it was cancelled.
func (s *Set) fail(id string, err error) {
	_, kept := s.update(id, func(j *Job) {
		if j.State.unfinished() {
			j.State, j.Error, j.EndedAt = Failed, err.Error(), s.o.Now().UTC()
			j.Integrity = errors.Is(err, eventstore.ErrIntegrity) || errors.Is(err, rebuild.ErrIncomplete) || errors.Is(err, kv.ErrDamaged)
			s.o.Logger.Error("the rebuild failed; the serving projections are untouched", slog.Any("rebuild", j.ID), slog.Any("error", err))
		}
	})
	if kept != nil {
		s.o.Logger.Error("the rebuild's end could not be kept", slog.Any("error", kept))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tidy()
}

// carryOut takes the job of that id from where it stands to its end.
func (s *Set) carryOut(ctx context.Context, id string) error {
	ctx, decision := s.control.begin(ctx)
	defer s.control.end()
	j := s.taken()
	if j.ID != id || !j.State.unfinished() {
		return nil // given up meanwhile; one in its place has its own turn
	}
	over := func() {}
	if s.o.Beside != nil {
		over = sync.OnceFunc(s.o.Beside())
	}
	defer over()
	builds := j.State == Building || j.State == Comparing
	var written *rebuild.Written
	if builds {
		var err error
		if written, err = s.build(ctx, j); err != nil {
			return err
		}
	}
	g, err := s.openTo(j.Generation, builds, j.Request.DryRun || j.Request.Verify)
	if err != nil {
		return err
	}
	promoted := false
	defer func() {
		if !promoted {
			if err := g.close(); err != nil {
				s.o.Logger.Warn("a new generation did not close", slog.Any("error", err))
			}
		}
		s.mu.Lock()
		s.tidy()
		s.mu.Unlock()
	}()
	if builds {
		if j, err = s.compare(ctx, j, g, written); err != nil || !j.State.unfinished() {
			return err
		}
	}
	for waits := j.State == Review; !promoted; promoted = !waits {
		if waits {
			over()
			select {
			case <-decision:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if waits, err = s.promote(ctx, id, g); err != nil {
			return err
		}
	}
	_, err = s.update(id, func(j *Job) { j.State, j.EndedAt = Promoted, s.o.Now().UTC() })
	s.o.Logger.Info("a new generation serves", slog.Any("generation", g.name))
	return err
}

// promote lets the job's generation take over, unless it is to wait for review by now.
func (s *Set) promote(ctx context.Context, id string, g *generation) (waits bool, err error) {
	err = s.takeTurn(ctx, func(ctx context.Context) (err error) {
		if waits, err = s.asks(id); waits || err != nil {
			return err
		}
		return s.takeOver(ctx, g, nil)
	})
	return waits, err
}

// taken is the job as a carrier takes it up: what is steered from here on reaches the carrier.
func (s *Set) taken() Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.control.pause(s.job.Paused)
	return s.job
}

// gate lets the job at hand wait while it is paused, and ends it where the disk gets full.
func (s *Set) gate(ctx context.Context) error {
	if err := s.control.gate(ctx); err != nil {
		return err
	}
	if s.o.Room == nil {
		return nil
	}
	if err := s.o.Room(); err != nil {
		return fmt.Errorf("ended before it fills the disk: %w", err)
	}
	return nil
}

// build makes the generation's directory, from the log or from the local history. For a job that verifies it
// returns what was written, if one run wrote all of it.
func (s *Set) build(ctx context.Context, j Job) (*rebuild.Written, error) {
	s.mu.Lock()
	by := s.jobBy
	s.mu.Unlock()
	o := s.besideServing()
	o.Dir, o.KV, o.Log, o.Definitions, o.Sum = s.path(j.Generation), s.o.KV, s.o.Log, by, j.Request.Verify
	o.Gate, o.Progress = s.gate, func(p rebuild.Progress) { s.progress(j.ID, p) }
	if err := s.marked(j.Generation); err != nil {
		return nil, err
	}
	o.KV.Fatal = func(err error) { s.o.Fatal(o.Dir, err) }
	var result rebuild.Result
	var err error
	if j.Request.Refold {
		result, err = s.refold(ctx, o)
	} else {
		if result, err = rebuild.Build(ctx, o); errors.Is(err, kv.ErrDamaged) {
			err = errors.Join(err, s.mark(j.Generation, err))
		}
	}
	if err != nil {
		return nil, err
	}
	written := result.Written
	result.Written = nil // not for as long as the job is known
	_, err = s.update(j.ID, func(j *Job) {
		if j.State == Building {
			j.State, j.Result = Comparing, &result
		}
	})
	return written, err
}

// besideServing is how a rebuild computes here.
func (s *Set) besideServing() rebuild.Options {
	return rebuild.Options{Workers: s.o.Cores, Cores: s.o.Cores, Aside: s.o.Aside, Rest: s.o.Rest, Now: s.o.Now}
}

// refold makes the directory from a copy of the serving generation. Rows that cannot be read are the serving one's; a
// copy that does not open is damaged itself.
func (s *Set) refold(ctx context.Context, o rebuild.Options) (rebuild.Result, error) {
	from := s.hold()
	defer from.release()
	o.KV.Fatal = func(err error) { s.o.Fatal(owner(o.Dir, s.path(from.name), err), err) }
	result, err := rebuild.Refold(ctx, from.db, o)
	if !errors.Is(err, kv.ErrDamaged) {
		return result, err
	}
	db, failed := kv.Open(o.Dir, o.KV)
	if failed != nil {
		return result, errors.Join(err, s.mark(filepath.Base(o.Dir), err))
	}
	s.Damaged(err) // a rebuild from the log follows this one
	return result, errors.Join(err, db.Close())
}

func (s *Set) progress(id string, p rebuild.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.job.ID != id {
		return
	}
	s.job.Progress, s.job.EtaSeconds = &p, nil
	if p.Total > p.Done && p.Done > 0 && p.Rate > 0 && p.Events > 0 {
		perUnit := float64(p.Events) / float64(p.Done)
		eta := float64(p.Total-p.Done) * perUnit / p.Rate
		s.job.EtaSeconds = &eta
	}
}

// compare holds the new generation to the serving one at one position, and
// decides what is next. A serving one that is damaged is not held to, but replaced.
func (s *Set) compare(ctx context.Context, j Job, g *generation, written *rebuild.Written) (Job, error) {
	compared, err := s.compared(ctx, j, g, written)
	if s.damage() == nil && errors.Is(err, kv.ErrDamaged) {
		if whole := s.readable(ctx, g); whole != nil {
			if errors.Is(whole, kv.ErrDamaged) { // it is the new one
				whole = errors.Join(whole, s.mark(g.name, whole))
			}
			return j, whole
		}
		s.Damaged(err)
	}
	if err == nil || s.damage() == nil || j.Request.DryRun || j.Request.Verify || ctx.Err() != nil {
		return compared, err
	}
	return s.update(j.ID, func(j *Job) {
		if j.State.unfinished() {
			j.State, j.Uncompared = Promoting, s.serving.damage.Error()
			if j.Request.Review {
				j.State = Review
			}
		}
	})
}

// readable reads every row of a generation.
func (s *Set) readable(ctx context.Context, g *generation) error {
	v, err := projections.NewView(g.db)
	if err != nil {
		return err
	}
	_, err = rebuild.DigestBeside(ctx, v, s.besideServing())
	return errors.Join(err, v.Close())
}

func (s *Set) compared(ctx context.Context, j Job, g *generation, written *rebuild.Written) (Job, error) {
	old, err := s.viewAtOrBehind(ctx, g.projector.Checkpoint().Position)
	if err != nil {
		return j, err
	}
	defer func() { _ = old.Close() }()
	if err := catchUp(ctx, s.o.Log, g.projector, old.Checkpoint().Position); err != nil {
		return j, err
	}
	view, err := projections.NewView(g.db)
	if err != nil {
		return j, err
	}
	defer func() { _ = view.Close() }()
	var verified *Verified
	if j.Request.Verify {
		if verified, err = s.verify(ctx, old, view, written); err != nil {
			return j, err
		}
		s.mu.Lock()
		verified.Outdated, verified.OutdatedProjections = s.serving.outdated, projections.OtherVersions(s.serving.versions)
		s.mu.Unlock()
	}
	report, err := s.report(ctx, j, g, old, view)
	if err != nil {
		return j, err
	}
	return s.update(j.ID, func(j *Job) {
		if !j.State.unfinished() {
			return
		}
		j.Report, j.Verified = &report, verified
		j.Integrity = verified != nil && !verified.Equal && len(verified.Outdated)+len(verified.OutdatedProjections) == 0
		switch {
		case j.Request.DryRun || j.Request.Verify:
			j.State, j.EndedAt = Reported, s.o.Now().UTC()
		case j.Request.Review:
			j.State = Review
		default:
			j.State = Promoting
		}
	})
}

// viewAtOrBehind waits until the serving generation has reached a position and
// returns a view of it.
func (s *Set) viewAtOrBehind(ctx context.Context, position uint64) (*projections.View, error) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := s.View()
		if err != nil {
			return nil, err
		}
		if v.Checkpoint().Position >= position {
			return v, nil
		}
		_ = v.Close()
		if err := s.Err(); err != nil && !errors.Is(err, eventstore.ErrUnavailable) {
			return nil, fmt.Errorf("the serving projections stand still before position %d, so there is nothing to compare with: %w", position, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// report writes every difference to the job's file and sums them up.
func (s *Set) report(ctx context.Context, j Job, g *generation, old, view *projections.View) (rebuild.Report, error) {
	dir := s.path(reportDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return rebuild.Report{}, err
	}
	path := filepath.Join(dir, j.ID+".jsonl")
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return rebuild.Report{}, err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	made, _, err := projections.LoadGeneration(old.Rows())
	if err != nil {
		return rebuild.Report{}, errors.Join(err, f.Close())
	}
	report, err := rebuild.DiffBeside(ctx, old, view, s.besideServing(), func(c *rebuild.Change) error {
		if err := s.gate(ctx); err != nil {
			return err
		}
		if d := g.definitions[c.Source]; d != nil && d.Hides() && d.Digest() != made.Definitions[c.Source] {
			c.Hush() // the old one showed what this one hides, perhaps
		}
		return enc.Encode(c)
	})
	if err = errors.Join(err, w.Flush(), f.Sync(), f.Close()); err != nil {
		return report, err
	}
	return report, os.Rename(path+".new", path)
}

// verify holds the serving generation to the scratch one. That is as it was written, unless it had to catch
// up; where the two differ it is read all the same, so that no difference is found but in rows that are there.
func (s *Set) verify(ctx context.Context, serving, scratch *projections.View, written *rebuild.Written) (*Verified, error) {
	a, err := rebuild.DigestBeside(ctx, serving, s.besideServing())
	if err != nil {
		return nil, err
	}
	b, known := written.Digest(scratch)
	if !known || a.SHA256 != b.SHA256 {
		if b, err = rebuild.DigestBeside(ctx, scratch, s.besideServing()); err != nil {
			return nil, err
		}
	}
	v := &Verified{Equal: a.SHA256 == b.SHA256, Serving: a, Scratch: b}
	if !v.Equal {
		d, err := rebuild.FirstDifference(ctx, serving, scratch, a, b, s.besideServing())
		if err != nil {
			return nil, err
		}
		if d != nil {
			v.First = d.String()
		}
	}
	return v, nil
}
