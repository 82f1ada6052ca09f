package peer

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Schema is the table a team would make: the webhook as it came, once.
const Schema = `
DROP TABLE IF EXISTS events;
CREATE TABLE events (
	seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	source      text NOT NULL,
	delivery_id text NOT NULL,
	received_at timestamptz NOT NULL DEFAULT now(),
	body        bytea NOT NULL,
	UNIQUE (source, delivery_id)
)`

const source = "makini"

// Each is the Store that inserts every webhook in a transaction of its own.
type Each struct{ pool *pgxpool.Pool }

// NewEach returns a Store on a pool.
func NewEach(pool *pgxpool.Pool) Each { return Each{pool} }

// Keep returns when the insert is committed. A webhook that is there already is kept once.
func (e Each) Keep(ctx context.Context, id string, body []byte) error {
	_, err := e.pool.Exec(ctx,
		`INSERT INTO events (source, delivery_id, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		source, id, body)
	return err
}

// DefaultPool is how many connections a pool of pgx has on this machine if nobody says how many.
func DefaultPool() (int, error) {
	config, err := pgxpool.ParseConfig("postgres://127.0.0.1:5432/postgres?sslmode=disable") // nothing is left to the environment
	if err != nil {
		return 0, fmt.Errorf("size of pgx's own pool: %w", err)
	}
	return int(config.MaxConns), nil
}

// Connect opens a pool of so many connections, all of them before it returns.
func Connect(ctx context.Context, dsn string, connections int) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("address of PostgreSQL: %w", err)
	}
	config.MaxConns, config.MinConns = int32(connections), int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	held := make([]*pgxpool.Conn, 0, connections)
	defer func() {
		for _, c := range held {
			c.Release()
		}
	}()
	for range connections {
		c, err := pool.Acquire(ctx)
		if err != nil {
			pool.Close()
			return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
		}
		held = append(held, c)
	}
	return pool, nil
}
