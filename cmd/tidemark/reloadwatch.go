package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/tidemark-dev/tidemark/internal/config"
)

// lookAgain is after how many looks files that are wrong are read again although none of
// those that are known has changed: what was missing may be another file.
const lookAgain = 5

// lookout tells by their content when files have changed. Nobody has to write them in a
// way of his own: replaced, renamed or written in place, they count once they are
// the same at two looks, so that a half-written file is not read.
type lookout struct {
	seen, read [sha256.Size]byte
	looks      int // since they were read last
}

// due looks at the files and reports whether to read them. In its first look everything
// is new: files may have changed since the start read them.
func (w *lookout) due(files []string, wrong bool) bool {
	now := summed(files)
	w.looks++
	quiet := now == w.seen
	w.seen = now
	if !quiet || now == w.read && !(wrong && w.looks >= lookAgain) {
		return false
	}
	w.read, w.looks = now, 0
	return true
}

// readAll notes that the files are read now, whatever they hold.
func (w *lookout) readAll(files []string) {
	w.seen = summed(files)
	w.read, w.looks = w.seen, 0
}

// summed is a digest of what files hold.
func summed(files []string) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, path := range files {
		content := fileSum(path)
		_, _ = fmt.Fprintf(h, "%q %x\n", path, content) // a hash takes everything
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// fileSum is a digest of what a file holds, and nil of one that cannot be read, or that can be read but once.
func fileSum(path string) []byte {
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, 8<<20)); err != nil { // no file of ours may be larger
		return nil
	}
	return h.Sum(nil)
}

// watched are the files that a configuration and its sources were read from, sorted.
func watched(cfg *config.Config, sources []source) []string {
	files := append([]string{cfg.File}, cfg.Files...)
	if cfg.File == "" {
		files[0] = config.FileName // there may be one now
	}
	for _, s := range sources {
		files = append(files, s.def.Files()...)
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// readableAgain says which file of a configuration cannot be read a second time: a pipe
// is empty then, and an empty configuration is a valid one.
func readableAgain(cfg *config.Config) error {
	for _, path := range append([]string{cfg.File}, cfg.Files...) {
		if path == "" {
			continue
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // whoever reads it says more
		}
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is no regular file, which could be read a second time: a change needs a restart", path)
		}
	}
	return nil
}
