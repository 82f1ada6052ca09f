package stream

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
)

// serverLog passes on what the embedded server says, and keeps the two things that
// nothing else tells: why it could not start, and that it gave up writing. A stream that met
// a write error answers no publish any more and looks healthy from outside.
type serverLog struct {
	log   *slog.Logger
	fatal atomic.Pointer[string]
	write atomic.Pointer[error]
}

// Noticef logs at debug level: the server notices a lot.
func (s *serverLog) Noticef(format string, v ...any) { s.log.Debug(fmt.Sprintf(format, v...)) }

// Warnf logs a warning.
func (s *serverLog) Warnf(format string, v ...any) { s.log.Warn(fmt.Sprintf(format, v...)) }

// Fatalf logs an error. The server's own logger would end the process here; ours does not.
func (s *serverLog) Fatalf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	s.fatal.CompareAndSwap(nil, &text)
	s.log.Error(text)
}

// Errorf logs an error and remembers the first write that failed.
func (s *serverLog) Errorf(format string, v ...any) {
	text := fmt.Sprintf(format, v...)
	if strings.Contains(strings.ToLower(text), "critical write error") {
		err := errors.New(text)
		for _, arg := range v {
			if cause, ok := arg.(error); ok {
				err = fmt.Errorf("%s%w", strings.TrimSuffix(text, cause.Error()), cause)
			}
		}
		s.write.CompareAndSwap(nil, &err)
	}
	s.log.Error(text)
}

// Debugf and Tracef are never called: the server is told not to.
func (s *serverLog) Debugf(string, ...any) {}

// Tracef drops what it is given.
func (s *serverLog) Tracef(string, ...any) {}

// writeError returns the first write that failed since the start, nil if none did.
func (s *serverLog) writeError() error {
	if err := s.write.Load(); err != nil {
		return *err
	}
	return nil
}

// startError returns what kept the server from starting.
func (s *serverLog) startError() error {
	if text := s.fatal.Load(); text != nil {
		return errors.New(*text)
	}
	return errors.New("the server did not become ready")
}

// isFull says whether a failed write means no more than a full disk: it can then be
// repeated once there is space. After a failed fsync, or any other error, it must not be:
// nobody knows what is on the disk.
func isFull(err error) bool {
	var path *fs.PathError
	if errors.As(err, &path) && path.Op == "sync" {
		return false
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
