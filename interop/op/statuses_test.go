package op

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	altda "github.com/ethereum-optimism/optimism/op-alt-da"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/crypto"
	"holdfast.test/devnet"
)

func memory(t *testing.T, more string, files map[string]string) *devnet.Memory {
	if files == nil {
		files = map[string]string{}
	}
	started, err := devnet.StartMemory(more, files)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(started.Stop)
	return started
}

func clientAt(url string, generic bool) *altda.DAClient {
	return altda.CLIConfig{
		Enabled:      true,
		DAServerURL:  url,
		VerifyOnRead: true,
		GenericDA:    generic,
		PutTimeout:   time.Minute,
		GetTimeout:   time.Minute,
	}.NewDAClient()
}

// status of the request that the client makes, without its client.
func status(t *testing.T, method, url string, body []byte) *http.Response {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response
}

// Every status of the table that a fault can be ordered for, as the client and the derivation take it.
func TestEveryStatusIsTakenAsItIsMeant(t *testing.T) {
	gateway := memory(t, "", nil)
	url, ctx, block := "http://"+gateway.Address("op"), context.Background(), eth.L1BlockRef{Number: 1}
	for seed, generic := range []bool{false, true} {
		da := clientAt(url, generic)
		// Bytes that are stored already are taken whatever the quorum.
		input := noise(2000, int64(42+seed))
		order := func(faults string) {
			t.Helper()
			if err := gateway.Order(faults); err != nil {
				t.Fatal(err)
			}
		}
		order(`{"putUnavailable": true}`)
		if _, err := da.SetInput(ctx, input); err == nil {
			t.Fatal("below the quorum a PUT fails")
		}
		response := status(t, http.MethodPost, url+"/put", input)
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Fatalf("expected 503 with Retry-After, got %v", response.Status)
		}
		order(`{}`)
		commitment, err := da.SetInput(ctx, input)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range []struct {
			order    string
			status   int
			notFound bool
		}{
			{`{}`, http.StatusOK, false},
			{`{"getUnavailable": true}`, http.StatusServiceUnavailable, false},
			{`{"getExpired": true}`, http.StatusGone, false},
			{`{"getNotFound": true}`, http.StatusNotFound, true},
		} {
			order(fault.order)
			got := status(t, http.MethodGet, url+"/get/"+hexOf(commitment), nil)
			if got.StatusCode != fault.status {
				t.Fatalf("%s: expected %d, got %s", fault.order, fault.status, got.Status)
			}
			read, err := da.GetInput(ctx, commitment)
			if fault.status == http.StatusOK {
				if err != nil || !bytes.Equal(read, input) {
					t.Fatalf("%d bytes, %v", len(read), err)
				}
				continue
			}
			if errors.Is(err, altda.ErrNotFound) != fault.notFound || err == nil {
				t.Fatalf("%s: the client says %v", fault.order, err)
			}
			// Only what is certainly not there may begin to count towards the end of a node.
			_, err = derivationOf(da, generic).GetInput(ctx, l1{}, commitment, block)
			if errors.Is(err, altda.ErrPendingChallenge) != fault.notFound || errors.Is(err, altda.ErrMissingPastWindow) {
				t.Fatalf("%s: the derivation says %v", fault.order, err)
			}
		}
		order(`{}`)
	}
	// What is malformed is 400 and never 404, whatever the reason.
	for _, path := range []string{"/get/0x", "/get/0x00", "/get/0x01ff", "/get/zz", "/get/0x02" + strings.Repeat("ab", 32), "/rollup/get/0x00"} {
		if got := status(t, http.MethodGet, url+path, nil); got.StatusCode != http.StatusBadRequest {
			t.Fatalf("%s: expected 400, got %s", path, got.Status)
		}
	}
	too_large := noise(32<<20+1, 1)
	if _, err := clientAt(url, true).SetInput(ctx, too_large); err == nil {
		t.Fatal("a payload above the committee's limit was taken")
	}
	if got := status(t, http.MethodPost, url+"/put", too_large); got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Fatalf("expected 413, got %s", got.Status)
	}
}

// A gateway that has enough to do says when to come again, and the batcher that comes again is served.
func TestABusyGatewayIs429WithRetryAfterAndTheRetryIsTaken(t *testing.T) {
	gateway := memory(t, "[limits]\nputs = 1\nqueue_deadline = \"100ms\"\n", nil)
	url, ctx := "http://"+gateway.Address("op"), context.Background()
	for seed, generic := range []bool{false, true} {
		da := clientAt(url, generic)
		first, second := noise(2000, int64(70+seed)), noise(2000, int64(80+seed))
		if err := gateway.Order(`{"latencyMs": 3000}`); err != nil {
			t.Fatal(err)
		}
		taken, begun := gateway.Taken(), make(chan error, 1)
		go func() {
			_, err := da.SetInput(ctx, first)
			begun <- err
		}()
		if !devnet.Eventually(time.Minute, func() bool { return gateway.Taken() > taken }) {
			t.Fatal("the first never arrived")
		}
		if _, err := da.SetInput(ctx, second); err == nil || !strings.Contains(err.Error(), "429") {
			t.Fatalf("expected the client to say 429, got %v", err)
		}
		path := "/put"
		if !generic {
			path += "/" + hexOf(altda.NewKeccak256Commitment(second))
		}
		response := status(t, http.MethodPost, url+path, second)
		wait, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if response.StatusCode != http.StatusTooManyRequests || err != nil || wait < 1 || wait > 10 {
			t.Fatalf("%s, to come again after %q", response.Status, response.Header.Get("Retry-After"))
		}
		// As it was told, until it is its turn; stock op-batcher does the same without being told.
		served := devnet.Eventually(time.Minute, func() bool {
			time.Sleep(time.Duration(wait) * time.Second)
			_, err := da.SetInput(ctx, second)
			return err == nil
		})
		if err := <-begun; err != nil || !served {
			t.Fatalf("the first: %v, the second was served: %v", err, served)
		}
		if err := gateway.Order(`{}`); err != nil {
			t.Fatal(err)
		}
		for _, input := range [][]byte{first, second} {
			commitment, err := da.SetInput(ctx, input)
			if err != nil {
				t.Fatal(err)
			}
			if read, err := da.GetInput(ctx, commitment); err != nil || !bytes.Equal(read, input) {
				t.Fatalf("%d bytes, %v", len(read), err)
			}
		}
	}
}

// A batcher's user and password stand in the URL, which is all that its client can be told.
func TestCredentialsInTheUrlAreEnoughToWriteAndNoneAreNeededToRead(t *testing.T) {
	gateway := memory(t, "[auth]\nwrite_file = \"writers\"\n", map[string]string{"writers": "basic batcher:secret\n"})
	address, ctx := gateway.Address("op"), context.Background()
	for _, refused := range []string{"http://" + address, "http://batcher:wrong@" + address} {
		if _, err := clientAt(refused, true).SetInput(ctx, noise(10, 1)); err == nil {
			t.Fatalf("%s wrote", refused)
		}
	}
	commitment, err := clientAt("http://batcher:secret@"+address, true).SetInput(ctx, noise(10, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := clientAt("http://"+address, true).GetInput(ctx, commitment); err != nil {
		t.Fatal(err)
	}
}

// What a stock batcher with several requests at once does: it posts commitments in the order in which replies come.
func TestRepliesAreReleasedInTheOrderOfTheirRequests(t *testing.T) {
	gateway := memory(t, "[op]\nin_order = true\nin_order_wait = \"30s\"\nin_order_gap = \"250ms\"\n", nil)
	da, ctx := clientAt("http://"+gateway.Address("op"), true), context.Background()
	// The first takes longest: without order all the others would be before it.
	sizes := []int{24 << 20, 1000, 4 << 20, 100, 100, 1 << 20, 100, 100}
	var lock sync.Mutex
	var order []int
	var group sync.WaitGroup
	for number, size := range sizes {
		input := noise(size, int64(number))
		group.Add(1)
		go func() {
			defer group.Done()
			commitment, err := da.SetInput(ctx, input)
			lock.Lock()
			defer lock.Unlock()
			order = append(order, number)
			if err != nil || !bytes.Equal(commitment.Encode()[2:], crypto.Keccak256(input)) {
				t.Errorf("put %d: %v", number, err)
			}
		}()
		// Each has arrived before the next one is sent.
		if !devnet.Eventually(time.Minute, func() bool { return gateway.Taken() > number }) {
			t.Fatal("a payload never arrived")
		}
	}
	group.Wait()
	for number, finished := range order {
		if number != finished {
			t.Fatalf("replies came in the order %v", order)
		}
	}
}
