package peer

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Grouped is the Store that does with PostgreSQL what Tidemark does with its
// log: all webhooks that wait while an insert is under way share the next. No
// target speaks of it; it shows how much of the difference is the grouping.
type Grouped struct {
	pool    *pgxpool.Pool
	waiting chan waiter
}

type waiter struct {
	id   string
	body []byte
	done chan error
}

// maxGroup bounds the rows of one insert.
const maxGroup = 1_000

// NewGrouped returns a Store on a pool. Its Run must be running.
func NewGrouped(pool *pgxpool.Pool) *Grouped {
	return &Grouped{pool: pool, waiting: make(chan waiter, maxGroup)}
}

// Keep returns when the insert that carries the webhook is committed.
func (g *Grouped) Keep(ctx context.Context, id string, body []byte) error {
	w := waiter{id, body, make(chan error, 1)}
	select {
	case g.waiting <- w:
	case <-ctx.Done():
		return ctx.Err()
	}
	// The body is the caller's until the insert is over: no leaving early.
	return <-w.done
}

// Run inserts one group after the other until ctx ends.
func (g *Grouped) Run(ctx context.Context) error {
	var group []waiter
	for {
		group = group[:0]
		select {
		case w := <-g.waiting:
			group = append(group, w)
		case <-ctx.Done():
			return nil
		}
		for len(group) < maxGroup && len(g.waiting) > 0 {
			group = append(group, <-g.waiting)
		}
		err := g.insert(ctx, group)
		for _, w := range group {
			w.done <- err
		}
	}
}

func (g *Grouped) insert(ctx context.Context, group []waiter) error {
	ids, bodies := make([]string, len(group)), make([][]byte, len(group))
	for i, w := range group {
		ids[i], bodies[i] = w.id, w.body
	}
	_, err := g.pool.Exec(ctx,
		`INSERT INTO events (source, delivery_id, body) SELECT $1, * FROM unnest($2::text[], $3::bytea[]) ON CONFLICT DO NOTHING`,
		source, ids, bodies)
	return err
}
