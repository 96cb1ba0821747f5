package devnet

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Memory is a gateway with the backend memory, and its faults.
type Memory struct {
	dir     string
	process *exec.Cmd
	listen  map[string]string
	log     bytes.Buffer
}

// StartMemory starts one that serves op and admin. More is added to its settings, and files to its folder.
func StartMemory(more string, files map[string]string) (*Memory, error) {
	binary := os.Getenv("HOLDFAST")
	if binary == "" {
		return nil, fmt.Errorf("HOLDFAST must name the holdfast binary (make interop sets it)")
	}
	dir, err := os.MkdirTemp("", "holdfast-interop")
	if err != nil {
		return nil, err
	}
	memory := &Memory{dir: dir, listen: map[string]string{}}
	settings := "backend = \"memory\"\n\n[cache]\nmemory_mib = 0\n\n[listen]\n"
	for _, key := range []string{"op", "admin", "metrics"} {
		address, err := free()
		if err != nil {
			return nil, err
		}
		memory.listen[key] = address
		settings += fmt.Sprintf("%s = %q\n", key, address)
	}
	files["gateway.toml"] = settings + "\n" + more
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	memory.process = exec.Command(binary, "--config", filepath.Join(dir, "gateway.toml"), "gateway", "run")
	memory.process.Stderr = &memory.log
	if err := memory.process.Start(); err != nil {
		return nil, err
	}
	ready := func() bool {
		response, err := http.Get("http://" + memory.listen["op"] + "/healthz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	}
	if !Eventually(time.Minute, ready) {
		memory.Stop()
		return nil, fmt.Errorf("the gateway does not serve: %s", memory.log.String())
	}
	return memory, nil
}

// Address is where it serves a protocol.
func (memory *Memory) Address(protocol string) string { return memory.listen[protocol] }

// Order has it answer with a fault until another is ordered: a JSON object.
func (memory *Memory) Order(faults string) error {
	request, err := http.NewRequest(http.MethodPut, "http://"+memory.listen["admin"]+"/faults", strings.NewReader(faults))
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}

// Taken is how many payloads have come in.
func (memory *Memory) Taken() int {
	response, err := http.Get("http://" + memory.listen["metrics"] + "/metrics")
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	const name = "holdfast_gateway_stage_seconds_count{stage=\"Body\"} "
	for line := range strings.Lines(string(text)) {
		if count, found := strings.CutPrefix(line, name); found {
			number, _ := strconv.Atoi(strings.TrimSpace(count))
			return number
		}
	}
	return 0
}

// Stop ends it.
func (memory *Memory) Stop() {
	_ = memory.process.Process.Kill()
	_ = memory.process.Wait()
	_ = os.RemoveAll(memory.dir)
}

func free() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
