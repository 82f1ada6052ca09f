// Package postgres runs a PostgreSQL cluster of the benchmark's own: initdb
// into a fresh directory, one postmaster on a free loopback port, and the end
// of both.
//
// Guarantee: fsync and synchronous_commit are on and are read back from the
// running server. The postmaster ends with Stop, and if the benchmark dies
// without calling it the kernel sends it the signal for an immediate shutdown.
// PostgreSQL refuses to run as root, so for root it runs as another user.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Settings are what a cluster is started with beyond the defaults.
type Settings map[string]string

// Stock is PostgreSQL as it is installed.
var Stock = Settings{}

// Tuned is what a team would set for many small durable inserts on a machine
// of this size.
var Tuned = Settings{
	"shared_buffers":               "4GB",
	"effective_cache_size":         "12GB",
	"max_wal_size":                 "8GB",
	"min_wal_size":                 "2GB",
	"wal_buffers":                  "64MB",
	"checkpoint_timeout":           "30min",
	"checkpoint_completion_target": "0.9",
	"wal_level":                    "minimal",
	"max_wal_senders":              "0",
	"random_page_cost":             "1.1",
}

// durable is what both must have, whatever a default may become.
var durable = Settings{"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}

// Cluster is a running PostgreSQL.
type Cluster struct {
	// DSN is where a client connects: TCP on loopback.
	DSN  string
	dir  string
	cmd  *exec.Cmd
	over chan struct{}
	err  error
}

// Start makes a cluster in dir, which must not exist, and starts it. bin holds
// initdb and postgres. Whatever fails, nothing is left running.
func Start(ctx context.Context, bin, dir string, settings Settings) (*Cluster, error) {
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	if err := makeDir(dir, owner); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", dir, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions")
	initdb.Dir, initdb.SysProcAttr = dir, &syscall.SysProcAttr{Credential: owner}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		DSN:  fmt.Sprintf("postgres://bench@127.0.0.1:%d/postgres?sslmode=disable", port),
		dir:  dir,
		over: make(chan struct{}),
	}
	if err := c.launch(bin, port, owner, settings); err != nil {
		return nil, err
	}
	if err := c.wait(ctx); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *Cluster) launch(bin string, port int, owner *syscall.Credential, settings Settings) error {
	arguments := []string{"-D", c.dir, "-p", strconv.Itoa(port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300"}
	for _, set := range []Settings{settings, durable} {
		for name, value := range set {
			arguments = append(arguments, "-c", name+"="+value)
		}
	}
	log, err := os.Create(c.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd = exec.Command(filepath.Join(bin, "postgres"), arguments...)
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = c.dir, log, log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("starting postgres: %w", err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.over)
	}()
	return nil
}

// logFile is beside the data directory: initdb wants that one empty.
func (c *Cluster) logFile() string { return c.dir + ".log" }

// wait returns when the server takes connections and is as durable as it must be.
func (c *Cluster) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.DSN)
		if err == nil {
			defer conn.Close(ctx)
			return checkDurable(ctx, conn)
		}
		select {
		case <-tick.C:
		case <-c.over:
			said, _ := os.ReadFile(c.logFile())
			return fmt.Errorf("postgres ended at its start: %v\n%s", c.err, said)
		case <-ctx.Done():
			return fmt.Errorf("postgres takes no connection: %w", err)
		}
	}
}

func checkDurable(ctx context.Context, conn *pgx.Conn) error {
	for name, want := range durable {
		var got string
		if err := conn.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&got); err != nil {
			return fmt.Errorf("reading back %s: %w", name, err)
		}
		if got != want {
			return fmt.Errorf("postgres runs with %s = %s, not %s: not comparable", name, got, want)
		}
	}
	return nil
}

// Exec runs statements, one transaction each call.
func (c *Cluster) Exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, c.DSN)
	if err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// Count returns the number a query gives.
func (c *Cluster) Count(ctx context.Context, sql string) (int, error) {
	conn, err := pgx.Connect(ctx, c.DSN)
	if err != nil {
		return 0, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	var n int
	return n, conn.QueryRow(ctx, sql).Scan(&n)
}

// PID returns the id of the postmaster; its backends are its children.
func (c *Cluster) PID() int { return c.cmd.Process.Pid }

// Stop shuts the cluster down, gently for ten seconds and then at once, and
// removes its directory.
func (c *Cluster) Stop() error {
	for _, step := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		c.cmd.Process.Signal(step)
		select {
		case <-c.over:
			return errors.Join(os.RemoveAll(c.dir), os.Remove(c.logFile()))
		case <-time.After(10 * time.Second):
		}
	}
	return fmt.Errorf("postgres (process %d) does not stop", c.cmd.Process.Pid)
}

// unprivileged returns whom PostgreSQL is to run as: nil for "as we are".
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
}

func makeDir(dir string, owner *syscall.Credential) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if owner == nil {
		return nil
	}
	return os.Chown(dir, int(owner.Uid), int(owner.Gid))
}

// freePort returns a port that was free a moment ago.
func freePort() (int, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
