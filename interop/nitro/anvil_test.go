package nitro

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// anvil starts Foundry's node as a fork of the devnet's chain: the same registry, executed by another EVM. It is the one that `npm ci`
// in contracts/ installs; the binary, since killing the script of that name would leave it alive.
func anvil(t *testing.T) string {
	program := fmt.Sprintf("../../contracts/node_modules/@foundry-rs/anvil-%s-%s/bin/anvil", runtime.GOOS, runtime.GOARCH)
	if _, err := os.Stat(program); err != nil {
		t.Skipf("SKIPPED: no anvil (`make node` installs it): %v", err)
	}
	process := exec.Command(program, "--host", "127.0.0.1", "--port", "0", "--hardfork", "prague", "--fork-url", embedded(t), "--no-storage-caching")
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	listening := make(chan string, 1)
	go func() {
		// Reads on to the end, or anvil would stop at a full pipe.
		for lines := bufio.NewScanner(output); lines.Scan(); {
			if address, found := strings.CutPrefix(lines.Text(), "Listening on "); found {
				listening <- "http://" + address
			}
		}
	}()
	select {
	case url := <-listening:
		return url
	case <-time.After(time.Minute):
		t.Fatal("anvil never listened")
		return ""
	}
}
