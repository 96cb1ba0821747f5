package op

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
)

const (
	// Requests that the batcher has under way.
	concurrency = 8
	// Of which the settings give 512 MiB to payloads on their way and 256 MiB to the cache.
	memoryLimit = 2 << 30
)

// number is an environment variable's, or another where there is none.
func number(t *testing.T, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	parsed, err := strconv.Atoi(text)
	if err != nil || parsed < 1 {
		t.Fatalf("%s: expected a number above zero, got %q", variable, text)
	}
	return parsed
}

// Twelve hours of batches: of 10 MB, one every half hour, unless DRILL_BATCHES and DRILL_BYTES say otherwise (`make drill`: one every two
// minutes). Members are away, batches pile up, and when the members are back the batcher posts all of it in one go.
func TestABacklogOfTwelveHoursIsCertifiedInOneGoWithinBoundedMemory(t *testing.T) {
	batches, batchSize := number(t, "DRILL_BATCHES", 24), number(t, "DRILL_BYTES", 10_000_000)
	if err := net.Kill("m0", "m1"); err != nil {
		t.Fatal(err)
	}
	da, ctx := client(true), context.Background()
	if _, err := da.SetInput(ctx, noise(batchSize, 0)); err == nil {
		t.Fatal("a batch was certified below the quorum")
	}
	if err := net.Heal(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	places := make(chan struct{}, concurrency)
	var group sync.WaitGroup
	for number := range batches {
		places <- struct{}{}
		group.Add(1)
		go func() {
			defer func() { <-places; group.Done() }()
			batch := noise(batchSize, int64(number))
			// As op-batcher does: the same frame again until it is taken.
			for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
				commitment, err := da.SetInput(ctx, batch)
				if err == nil {
					if !bytes.Equal(commitment.Encode()[2:], crypto.Keccak256(batch)) {
						t.Errorf("batch %d: commitment %x", number, commitment.Encode())
					}
					return
				}
				if time.Now().After(deadline) {
					t.Errorf("batch %d: %v", number, err)
					return
				}
			}
		}()
	}
	group.Wait()
	peak, err := net.GatewayPeak()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d batches of %d bytes in %v; the gateway had at most %d MiB", batches, batchSize, time.Since(begun), peak>>20)
	if peak > memoryLimit {
		t.Fatalf("the gateway had %d MiB", peak>>20)
	}
}
