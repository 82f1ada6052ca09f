package generations

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tidemark-dev/tidemark/projections/kv"
)

// DamagedMark is the suffix of a file beside a directory that was found damaged:
// it is not opened again, and says why.
const DamagedMark = ".damaged"

// keptDamaged is how many damaged generations are left that nothing refers to: enough to
// look into what happened, and no more, so that a disk that damages one after the
// other is not filled with them.
const keptDamaged = 1

// marked is a kv.ErrDamaged for a generation that was found damaged before.
func (s *Set) marked(name string) error {
	_, err := os.Stat(s.path(name + DamagedMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(fmt.Errorf("%w: %s was found damaged earlier", kv.ErrDamaged, s.path(name)), err)
}

// mark notes that a generation is damaged.
func (s *Set) mark(name string, cause error) error {
	if err := os.WriteFile(s.path(name+DamagedMark), []byte(cause.Error()+"\n"), 0o600); err != nil {
		return fmt.Errorf("mark the projections in %s as damaged (%s): %w", s.path(name), cause.Error(), err)
	}
	return nil
}

// owner is the generation to which a file belongs that a refold cannot read, as err says: files that the copy in
// dir shares with the one in from are damaged in both.
func owner(dir, from string, err error) string {
	var damaged *kv.DamagedFile
	if !errors.As(err, &damaged) {
		return dir
	}
	one, errOne := os.Stat(damaged.Path)
	other, errOther := os.Stat(filepath.Join(from, filepath.Base(damaged.Path)))
	if errOne != nil || errOther != nil || !os.SameFile(one, other) {
		return dir
	}
	return from
}

// leave keeps the newest of the damaged generations that nothing refers to, and says
// so once a run; older ones are removed. s.mu is held.
func (s *Set) leave(names []string) {
	for i, name := range names {
		log := s.o.Logger.With(slog.String("path", s.path(name)), slog.Int64("bytes", size(s.path(name))))
		if i < len(names)-keptDamaged {
			// The mark goes last: without it the rest of a removal cut short would be taken for whole.
			if err := errors.Join(os.RemoveAll(s.path(name)), os.Remove(s.path(name+DamagedMark))); err != nil {
				log.Warn("damaged projections could not be removed", slog.Any("error", err))
				continue
			}
			log.Info("damaged projections were removed: newer ones are left to look at")
			continue
		}
		if !s.left[name] {
			log.Warn("damaged projections are left for whoever wants to look into the damage (the disk: dmesg, smartctl); nothing needs them: " +
				"to have their space back, delete the directory and the file of its name that ends in " + DamagedMark)
			s.left[name] = true
		}
	}
}

// size is how many bytes the files of a directory take, as far as it can be read.
func size(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil // a damaged directory need not be readable
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}

// Damaged tells the Set that a read of the serving generation found damage (an error
// that is a kv.ErrDamaged; others say nothing). Err names it from then on, the next start does
// not open the directory again, and a new generation is begun from the log, which takes
// over without being compared. That is done once a run: damage that comes back has a cause that a
// rebuild does not mend. Safe for concurrent use.
func (s *Set) Damaged(err error) {
	if !errors.Is(err, kv.ErrDamaged) {
		return
	}
	s.mu.Lock()
	g := s.serving
	first := g.damage == nil
	if first {
		s.front.Lock()
		g.damage = fmt.Errorf("%s: %w", s.path(g.name), err)
		s.front.Unlock()
	}
	s.mu.Unlock()
	if !first {
		return
	}
	s.o.Logger.Error("the projections that serve are damaged; the log gives everything back", slog.String("path", s.path(g.name)), slog.Any("error", err))
	if err := s.mark(g.name, err); err != nil {
		s.o.Logger.Warn("the next start may open the damaged projections again", slog.Any("error", err))
	}
	s.heal()
}

// damage is why the serving generation cannot be trusted, nil while it can.
func (s *Set) damage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.serving.damage
}

// heal begins the rebuild that replaces a damaged generation, unless another is under way.
func (s *Set) heal() {
	s.mu.Lock()
	due := s.serving.damage != nil && !s.healed && !s.job.State.unfinished() && !s.rollingBack
	s.healed = s.healed || due
	s.mu.Unlock()
	if !due {
		return
	}
	if _, err := s.Start(Request{Reason: "the projections are damaged"}); err != nil && !errors.Is(err, ErrBusy) {
		s.o.Logger.Error("the rebuild could not be begun: tidemark rebuild", slog.Any("error", err))
	}
}
