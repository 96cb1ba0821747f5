package op

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	altda "github.com/ethereum-optimism/optimism/op-alt-da"
)

// What the client of the forks (Layr Labs', and Celo's after it) makes of an answer. Written from its behaviour: its module is in no
// checksum database, so that it cannot be taken from the module proxy as the stock client is.
var (
	errDown     = errors.New("the batcher posts to Ethereum instead")
	errNotFound = errors.New("not found")
)

// errDropped is a commitment that derivation passes over for good.
type errDropped struct{ status int }

func (err errDropped) Error() string { return fmt.Sprintf("dropped with status %d", err.status) }

// forkGet asks as the fork's derivation does, with the block that the commitment stands in.
func forkGet(url, commitment string, block uint64) ([]byte, error) {
	response, err := http.Get(fmt.Sprintf("%s/get/%s?l1_inclusion_block_number=%d", url, commitment, block))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	switch response.StatusCode {
	case http.StatusOK:
		return body, nil
	case http.StatusNotFound:
		return nil, errNotFound
	case http.StatusTeapot:
		var reason struct {
			StatusCode int
			Msg        string
		}
		decoder := json.NewDecoder(bytes.NewReader(body))
		decoder.DisallowUnknownFields()
		// The fork's client panics on what it cannot read, and on any other number.
		if err := decoder.Decode(&reason); err != nil || reason.StatusCode < 1 || reason.StatusCode > 4 {
			panic(fmt.Sprintf("the fork would panic: %s", body))
		}
		return nil, errDropped{reason.StatusCode}
	default:
		return nil, fmt.Errorf("temporary: %s", response.Status)
	}
}

// forkPut posts as the fork's batcher does.
func forkPut(url string, input []byte) ([]byte, error) {
	response, err := http.Post(url+"/put", "application/octet-stream", bytes.NewReader(input))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
		return io.ReadAll(response.Body)
	case http.StatusServiceUnavailable:
		return nil, errDown
	default:
		return nil, fmt.Errorf("tried again: %s", response.Status)
	}
}

func TestAForkDropsWhatIsInvalidForEverAndNothingElse(t *testing.T) {
	gateway := memory(t, "[op]\ninvalid = \"forks\"\ncommitment = \"certificate\"\n", nil)
	url := "http://" + gateway.Address("op")
	order := func(faults string) {
		t.Helper()
		if err := gateway.Order(faults); err != nil {
			t.Fatal(err)
		}
	}
	order(`{"putUnavailable": true}`)
	if _, err := forkPut(url, noise(1000, 1)); !errors.Is(err, errDown) {
		t.Fatalf("below the quorum the fork fails over: %v", err)
	}
	order(`{}`)
	raw, err := forkPut(url, noise(1000, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := altda.DecodeCommitmentData(raw); err != nil {
		t.Fatal(err)
	}
	commitment := fmt.Sprintf("0x%x", raw)
	if read, err := forkGet(url, commitment, 7); err != nil || !bytes.Equal(read, noise(1000, 1)) {
		t.Fatalf("%d bytes, %v", len(read), err)
	}
	bent := bytes.Clone(raw)
	bent[60] ^= 1
	for path, status := range map[string]int{fmt.Sprintf("0x%x", bent): 3, "0x01ff0102": 1, "0x02": 1, "zz": 1} {
		var dropped errDropped
		if _, err := forkGet(url, path, 7); !errors.As(err, &dropped) || dropped.status != status {
			t.Fatalf("%s: expected to be dropped with status %d, got %v", path, status, err)
		}
	}
	if _, err := forkGet(url, "0x01ff"+strings.Repeat("ab", 32), 7); !errors.Is(err, errNotFound) {
		t.Fatalf("what was never stored is not found: %v", err)
	}
	// Whatever passes is neither dropped nor not found.
	for _, faults := range []string{`{"getUnavailable": true}`, `{"getExpired": true}`} {
		order(faults)
		_, err := forkGet(url, commitment, 7)
		if err == nil || errors.Is(err, errNotFound) || errors.As(err, new(errDropped)) {
			t.Fatalf("%s: %v", faults, err)
		}
	}
	order(`{}`)
	if read, err := forkGet(url, commitment, 0); err != nil || len(read) != 1000 {
		t.Fatalf("%d bytes, %v", len(read), err)
	}
}

// Every byte of a 418, as it goes over the line.
func TestTheBytesOfA418(t *testing.T) {
	gateway := memory(t, "[op]\ninvalid = \"forks\"\n", nil)
	response, err := http.Get("http://" + gateway.Address("op") + "/get/0x0000?l1_inclusion_block_number=7")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	const expected = `{"Msg":"not a commitment: keccak: expected 33 bytes, got 2","StatusCode":1}`
	if string(body) != expected || response.StatusCode != http.StatusTeapot {
		t.Fatalf("%s %s", response.Status, body)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Retry-After": ""} {
		if response.Header.Get(name) != value {
			t.Fatalf("%s: %q", name, response.Header.Get(name))
		}
	}
}
