// Package deploytest runs what the deployment files say, without a container
// engine or systemd: the commands, flags, environment, mounts and health checks
// of docker-compose.yml, the entry point and build line of the Dockerfile, and
// the ExecStart and example configuration of docs/tidemark.service, as plain
// processes on loopback.
//
// Guarantee: each file brings up a Tidemark that takes a signed webhook, shows
// the state it implies, keeps it over a restart, and exits 0 on SIGTERM. Only
// paths, ports and host names are replaced, because processes share those.
//
// Tests alone; nothing imports this package.
package deploytest
