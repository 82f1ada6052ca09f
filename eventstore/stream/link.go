package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tidemark-dev/tidemark/eventstore"
)

const (
	// headerReserve is what a message takes beside the group: the NATS headers.
	headerReserve = 256
	// lateAcks is how many acknowledgements of publishes given up may lie about
	// until the next publish reads past them.
	lateAcks = 1024
	// writeTimeout bounds a write to the connection, during which it is locked.
	writeTimeout = 5 * time.Second
	// sayAgain is when an error of the connection that goes on is logged again.
	sayAgain = time.Minute
)

// errUnlinked is the cause while there is no connection.
var errUnlinked = errors.New("not connected to the server")

// link is one connection to one server: what a restart of the embedded server
// replaces as a whole. An external server's link lives as long as the log; it goes
// down and comes up again by itself, and each time counts an epoch.
type link struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	server *embedded // nil for an external server

	// Publishes ask for their acknowledgement under inbox + "." + the group's id, and all
	// come in by one subscription: an acknowledgement that is late counts as well.
	inbox string
	acks  chan *nats.Msg

	// up is false while the connection is known to be down. It is kept by callbacks, because
	// asking the connection itself can wait for a write that hangs.
	up    atomic.Bool
	epoch atomic.Uint64
	// down is why a server did not let us in again, nil where none said so.
	down atomic.Pointer[error]
	// maxMessage is the largest group the server takes.
	maxMessage int
}

// dial connects to the server and calls changed whenever the connection goes down
// or comes up.
func dial(o Options, server *embedded, changed func()) (*link, error) {
	l := &link{server: server, acks: make(chan *nats.Msg, lateAcks)}
	log := o.Logger.With(slog.Any("component", "nats"))
	var said string // last, by the handler of errors
	var saidAt time.Time
	options := []nats.Option{
		nats.Name("tidemark"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1), // a publish while disconnected fails; nothing piles up
		nats.FlusherTimeout(writeTimeout),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			l.up.Store(false)
			l.epoch.Add(1)
			changed()
			if err != nil {
				log.Warn("connection to the log's server lost", slog.Any("error", err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			l.down.Store(nil)
			l.up.Store(true)
			changed()
			log.Info("connection to the log's server is back")
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !l.up.Load() {
				l.down.Store(&err) // as it is: anybody may read it at /readyz, and no paths
			}
			// A server that turns us away does so at each try, several times a second.
			if now := o.Now(); err.Error() != said || now.Sub(saidAt) > sayAgain {
				said, saidAt = err.Error(), now
				inFull := err
				if !l.up.Load() {
					inFull = o.turnedAway(err)
				}
				log.Warn("connection to the log's server", slog.Any("error", inFull))
			}
		}),
	}
	if server != nil {
		options = append(options, nats.InProcessServer(server.srv), nats.ReconnectWait(50*time.Millisecond))
	} else {
		options = append(options, external(o)...)
	}
	all, err := settings(o, options)
	if err != nil {
		return nil, err
	}
	if l.nc, err = all.Connect(); err != nil {
		return nil, o.turnedAway(err)
	}
	l.up.Store(true)
	if err := l.subscribe(); err != nil {
		l.nc.Close()
		return nil, err
	}
	return l, nil
}

// subscribe opens the way for acknowledgements and for JetStream's API.
func (l *link) subscribe() (err error) {
	if l.js, err = jetstream.New(l.nc); err != nil {
		return err
	}
	l.maxMessage = int(l.nc.MaxPayload()) - headerReserve
	l.inbox = l.nc.NewInbox()
	_, err = l.nc.ChanSubscribe(l.inbox+".*", l.acks)
	return err
}

// replySubject is where the acknowledgement of the group is to come.
func (l *link) replySubject(id string) string { return l.inbox + "." + id }

// isReplyTo says whether an acknowledgement is of the group.
func (l *link) isReplyTo(m *nats.Msg, id string) bool { return strings.HasSuffix(m.Subject, id) }

// unlinked is an ErrUnavailable that says why there is no connection.
func (l *link) unlinked() error {
	if l != nil {
		if why := l.down.Load(); why != nil {
			return fmt.Errorf("%w: %w: %w", eventstore.ErrUnavailable, errUnlinked, *why)
		}
	}
	return fmt.Errorf("%w: %w", eventstore.ErrUnavailable, errUnlinked)
}

// stopped is an ErrUnavailable once the embedded server has given up writing.
func (l *link) stopped() error {
	if l.server == nil {
		return nil
	}
	if err := l.server.log.writeError(); err != nil {
		return fmt.Errorf("%w: the server stopped writing: %w", eventstore.ErrUnavailable, err)
	}
	return nil
}

// close ends the connection and the embedded server behind it.
func (l *link) close() {
	l.up.Store(false)
	l.epoch.Add(1)
	l.nc.Close()
	if l.server != nil {
		l.server.stop()
	}
}

// where names the server for people.
func (o Options) where() string {
	if o.embedded() {
		return "embedded server on " + o.Dir
	}
	names, err := hosts(o.URL)
	if err != nil {
		return "external server"
	}
	return "external server " + strings.Join(names, ", ")
}

// connect starts the embedded server or dials the external one, and sees that the
// streams are there and safe. Only the first connect of a new log may create them.
func (l *Log) connect(ctx context.Context, first bool) (*link, error) {
	var server *embedded
	if l.opts.embedded() {
		err := l.inspect()
		if err != nil {
			return nil, err
		}
		if server, err = startEmbedded(l.opts.Dir, l.opts.NoSync, l.maxStore, l.opts.Logger); err != nil {
			return nil, err
		}
	}
	lk, err := dial(l.opts, server, l.changed.fire)
	if err != nil {
		if server != nil {
			server.stop()
		}
		return nil, err
	}
	if err := l.prepare(ctx, lk, first); err != nil {
		err = l.opts.unprepared(lk, err)
		lk.close()
		return nil, fmt.Errorf("%s: %w", l.opts.where(), err)
	}
	return lk, nil
}
