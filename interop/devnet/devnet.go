// Package devnet starts a Holdfast devnet with a gateway for the tests of one process.
package devnet

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Devnet is a committee of seven processes, a gateway, and no L1, in a temporary folder.
type Devnet struct {
	dir    string
	binary string
	listen map[string]string
}

type state struct {
	Gateway struct {
		Listens []struct {
			Protocol string
			Address  string
		}
		Process struct{ Pid int }
	}
}

// Up starts a devnet whose gateway serves the given protocols. HOLDFAST names the binary.
func Up(protocols string) (*Devnet, error) {
	binary := os.Getenv("HOLDFAST")
	if binary == "" {
		return nil, fmt.Errorf("HOLDFAST must name the holdfast binary (make interop sets it)")
	}
	dir, err := os.MkdirTemp("", "holdfast-interop")
	if err != nil {
		return nil, err
	}
	net := &Devnet{dir: filepath.Join(dir, "devnet"), binary: binary, listen: map[string]string{}}
	if err := net.Run("devnet", "up", "--l1", "none", "--gateway", protocols, "--dir", net.dir); err != nil {
		net.Down()
		return nil, err
	}
	read, err := net.state()
	if err != nil {
		net.Down()
		return nil, err
	}
	for _, listen := range read.Gateway.Listens {
		net.listen[listen.Protocol] = "http://" + listen.Address
	}
	return net, nil
}

// URL is where the gateway serves a protocol.
func (net *Devnet) URL(protocol string) string { return net.listen[protocol] }

// Kill kills members, or starts them again with Heal.
func (net *Devnet) Kill(members ...string) error {
	for _, member := range members {
		if err := net.Run("devnet", "fault", member, "crash", "--dir", net.dir); err != nil {
			return err
		}
	}
	return nil
}

// Heal starts every member that is down.
func (net *Devnet) Heal() error { return net.Run("devnet", "heal", "--dir", net.dir) }

// KillGateway ends the gateway as a power cut would.
func (net *Devnet) KillGateway() error {
	read, err := net.state()
	if err != nil {
		return err
	}
	return syscall.Kill(read.Gateway.Process.Pid, syscall.SIGKILL)
}

// Restart stops everything and starts it again on its data.
func (net *Devnet) Restart() error {
	if err := net.Run("devnet", "down", "--dir", net.dir); err != nil {
		return err
	}
	return net.Run("devnet", "up", "--dir", net.dir)
}

// Down stops everything and removes the folder.
func (net *Devnet) Down() {
	if err := net.Run("devnet", "down", "--remove", "--dir", net.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = os.RemoveAll(filepath.Dir(net.dir))
}

// Run runs a command of the binary, free of the caller's settings.
func (net *Devnet) Run(arguments ...string) error {
	command := exec.Command(net.binary, arguments...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "HOLDFAST_") {
			command.Env = append(command.Env, variable)
		}
	}
	output, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("holdfast %s: %w\n%s", strings.Join(arguments, " "), err, output)
	}
	return nil
}

// Eventually waits until a condition holds.
func Eventually(limit time.Duration, holds func() bool) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return true
		}
	}
	return false
}

func (net *Devnet) state() (*state, error) {
	bytes, err := os.ReadFile(filepath.Join(net.dir, "devnet.json"))
	if err != nil {
		return nil, err
	}
	read := &state{}
	return read, json.Unmarshal(bytes, read)
}
