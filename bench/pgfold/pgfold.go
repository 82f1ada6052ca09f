// Package pgfold has PostgreSQL compute the states of all connections from the
// observations of a history: by set-based SQL throughout, and with the fold row by row in PL/pgSQL.
//
// Guarantee: PostgreSQL is given an advantage wherever the two cannot be made equal. It is handed
// the mapped observations, so it parses no JSON; they are in a table, vacuumed, analysed and checkpointed
// before the clock starts; and all it makes is one row a connection, where Tidemark makes timelines, summaries and
// indexes. What it makes is logged and synced when the clock stops, and is judged by the oracle's digest.
package pgfold

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-dev/tidemark/bench/oracle"
	"github.com/tidemark-dev/tidemark/bench/postgres"
)

// The ways to fold.
const (
	Set  = "set"
	Rows = "rows"
)

var (
	//go:embed load.sql
	loadSQL string
	//go:embed set.sql
	setSQL string
	//go:embed rows.sql
	rowsSQL string
	//go:embed export.sql
	exportSQL string
)

// Result is what PostgreSQL did.
type Result struct {
	// Load is how long COPY took, with the commit.
	Load  time.Duration `json:"load_ns"`
	Folds []Fold        `json:"folds"`
}

// Fold is one fold of all events.
type Fold struct {
	Way  string        `json:"way"`
	Took time.Duration `json:"took_ns"`
	// States is the digest of what came of it.
	States string `json:"states"`
}

// Run starts a cluster in dir, which must not exist, loads the observations in the file and folds
// them in each of the ways.
func Run(ctx context.Context, bin, dir, observations string, ways ...string) (r Result, err error) {
	cluster, err := postgres.Start(ctx, bin, dir, postgres.Tuned)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, cluster.Stop()) }()
	conn, err := pgx.Connect(ctx, cluster.DSN)
	if err != nil {
		return r, err
	}
	defer conn.Close(ctx)
	if r.Load, err = load(ctx, conn, observations); err != nil {
		return r, fmt.Errorf("load: %w", err)
	}
	for _, way := range ways {
		fold, err := foldBy(ctx, conn, way)
		if err != nil {
			return r, fmt.Errorf("fold by %s: %w", way, err)
		}
		r.Folds = append(r.Folds, fold)
	}
	return r, nil
}

// load makes the table and fills it in one transaction: it is synced, and not logged as well.
func load(ctx context.Context, conn *pgx.Conn, observations string) (time.Duration, error) {
	file, err := os.Open(observations)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	start := time.Now()
	if err := run(ctx, conn, "BEGIN", loadSQL); err != nil {
		return 0, err
	}
	if _, err := conn.PgConn().CopyFrom(ctx, file, "COPY events FROM STDIN WITH (FREEZE)"); err != nil {
		return 0, err
	}
	if err := run(ctx, conn, "COMMIT"); err != nil {
		return 0, err
	}
	took := time.Since(start)
	return took, run(ctx, conn, "VACUUM ANALYZE events", session)
}

// session is what somebody would set who folds a table of millions on a machine of this size.
const session = `SET work_mem = '1GB'; SET hash_mem_multiplier = 2; SET maintenance_work_mem = '1GB'; SET max_parallel_workers_per_gather = 2`

func foldBy(ctx context.Context, conn *pgx.Conn, way string) (Fold, error) {
	f := Fold{Way: way}
	sql, ok := map[string]string{Set: setSQL, Rows: rowsSQL}[way]
	if !ok {
		return f, fmt.Errorf("no way %q", way)
	}
	if err := run(ctx, conn, "DROP TABLE IF EXISTS states, named, again, ordered, latest, other, folded", "CHECKPOINT"); err != nil {
		return f, err
	}
	start := time.Now()
	if err := run(ctx, conn, "BEGIN", sql, "COMMIT"); err != nil {
		return f, err
	}
	f.Took = time.Since(start)
	digest := oracle.NewDigest()
	_, err := conn.PgConn().CopyTo(ctx, digest, exportSQL)
	f.States = digest.String()
	return f, err
}

// run runs scripts, each of one or more statements.
func run(ctx context.Context, conn *pgx.Conn, scripts ...string) error {
	for _, sql := range scripts {
		if _, err := conn.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}
