// Package devnet starts a Holdfast devnet with a gateway for the tests of one process.
package devnet

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Devnet is a committee of seven processes and a gateway, with or without an L1, in a temporary folder.
type Devnet struct {
	dir    string
	binary string
	listen map[string]string
}

type state struct {
	Namespace string
	L1        *L1
	Members   []struct {
		Process *struct{ Pid int }
	}
	Gateway struct {
		Listens []struct {
			Protocol string
			Address  string
		}
		Process struct{ Pid int }
	}
}

// L1 is the devnet's own chain.
type L1 struct {
	Listen   string
	ChainID  uint64 `json:"chainId"`
	Registry string
}

// Up starts a devnet without an L1 whose gateway serves the given protocols. HOLDFAST names the binary.
func Up(protocols string) (*Devnet, error) { return up(protocols, "--l1", "none") }

// UpWithL1 is Up with the devnet's own chain and a registry on it.
func UpWithL1(protocols string) (*Devnet, error) { return up(protocols) }

func up(protocols string, options ...string) (*Devnet, error) {
	binary := os.Getenv("HOLDFAST")
	if binary == "" {
		return nil, fmt.Errorf("HOLDFAST must name the holdfast binary (make interop sets it)")
	}
	dir, err := os.MkdirTemp("", "holdfast-interop")
	if err != nil {
		return nil, err
	}
	net := &Devnet{dir: filepath.Join(dir, "devnet"), binary: binary, listen: map[string]string{}}
	arguments := append([]string{"devnet", "up", "--gateway", protocols, "--dir", net.dir}, options...)
	if err := net.Run(arguments...); err != nil {
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

// Chain is the devnet's L1, the namespace of its gateway, and the key of an account that has ether there, in hex.
func (net *Devnet) Chain() (l1 L1, namespace, key string, err error) {
	read, err := net.state()
	if err != nil {
		return
	}
	if read.L1 == nil {
		err = fmt.Errorf("this devnet has no L1")
		return
	}
	text, err := os.ReadFile(filepath.Join(net.dir, "l1.key"))
	return *read.L1, read.Namespace, strings.TrimPrefix(strings.TrimSpace(string(text)), "0x"), err
}

// Kill kills members, or starts them again with Heal.
func (net *Devnet) Kill(members ...string) error {
	for _, member := range members {
		if err := net.Run("devnet", "fault", member, "crash", "--dir", net.dir); err != nil {
			return err
		}
	}
	return nil
}

// Slow lets a member run for a tenth of the time, until the returned function is called.
func (net *Devnet) Slow(slot int) (end func(), err error) {
	read, err := net.state()
	if err != nil {
		return nil, err
	}
	if slot >= len(read.Members) || read.Members[slot].Process == nil {
		return nil, fmt.Errorf("m%d does not run", slot)
	}
	pid, stop, ended := read.Members[slot].Process.Pid, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			syscall.Kill(pid, syscall.SIGSTOP)
			select {
			case <-stop:
				syscall.Kill(pid, syscall.SIGCONT)
				return
			case <-time.After(450 * time.Millisecond):
			}
			syscall.Kill(pid, syscall.SIGCONT)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return func() { close(stop); <-ended }, nil
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

// GatewayPeak is the most memory that the gateway has had in RAM, in bytes.
func (net *Devnet) GatewayPeak() (uint64, error) {
	read, err := net.state()
	if err != nil {
		return 0, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", read.Gateway.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmHWM:"); found {
			kibibytes, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kibibytes << 10, err
		}
	}
	return 0, fmt.Errorf("the system does not say how much memory a process has")
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
