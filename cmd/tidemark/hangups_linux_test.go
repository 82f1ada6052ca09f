package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// terminal is a pseudo-terminal: what is on the person's side of it, and its other end.
func terminal(t *testing.T) (person, other *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	var unlock, number int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCSPTLCK: &unlock, syscall.TIOCGPTN: &number} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Skipf("there are no pseudo-terminals here: %v", errno)
		}
	}
	other, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	return person, other
}

// A server that was started in a terminal does not outlive it, though it catches the
// signal that tells of its end.
func TestAServerEndsWithItsTerminal(t *testing.T) {
	// Under nohup it would outlive the terminal on purpose. What is caught is not ignored by whoever is started.
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGHUP)
	defer signal.Stop(caught)
	person, other := terminal(t)
	cmd := exec.Command(programPath(t), "serve", "--listen", "127.0.0.1:0")
	cmd.Dir, cmd.Stdin, cmd.Stderr = t.TempDir(), other, other
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	var said []byte
	for limit := time.Now().Add(patience); !bytes.Contains(said, []byte("listening on ")); {
		b := make([]byte, 4096)
		n, err := person.Read(b)
		if said = append(said, b[:n]...); err != nil || time.Now().After(limit) {
			t.Fatalf("it does not listen (%v): %s", err, said)
		}
	}
	// Somebody's signal alone does not end it.
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(patience); !bytes.Contains(said, []byte("nothing that can be changed")); {
		b := make([]byte, 4096)
		n, err := person.Read(b)
		if said = append(said, b[:n]...); err != nil || time.Now().After(limit) {
			t.Fatalf("it does not answer a signal (%v): %s", err, said)
		}
	}
	if err := person.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it ends with %v: %s", err, said)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Fatal("it outlives its terminal")
	}
}
