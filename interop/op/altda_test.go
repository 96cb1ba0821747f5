// Package op runs the client of op-batcher and op-node, and the logic with which op-node derives from it.
package op

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	altda "github.com/ethereum-optimism/optimism/op-alt-da"
	optypes "github.com/ethereum-optimism/optimism/op-core/types"
	"github.com/ethereum-optimism/optimism/op-service/eth"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"holdfast.test/devnet"
)

const window = 6

var net *devnet.Devnet

func TestMain(m *testing.M) {
	started, err := devnet.Up("op,http")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	net = started
	code := m.Run()
	net.Down()
	os.Exit(code)
}

func client(generic bool) *altda.DAClient {
	return altda.CLIConfig{
		Enabled:      true,
		DAServerURL:  net.URL("op"),
		VerifyOnRead: true,
		GenericDA:    generic,
		PutTimeout:   time.Minute,
		GetTimeout:   time.Minute,
	}.NewDAClient()
}

// hexOf is how the client names a commitment in a URL.
func hexOf(commitment altda.CommitmentData) string { return fmt.Sprintf("0x%x", commitment.Encode()) }

func noise(length int, seed int64) []byte {
	bytes := make([]byte, length)
	rand.New(rand.NewSource(seed)).Read(bytes)
	return bytes
}

func TestPutAndGetInBothModesAtEverySize(t *testing.T) {
	for _, generic := range []bool{false, true} {
		for _, size := range []int{1, 130_672, 1_000_000, 16 << 20} {
			t.Run(fmt.Sprintf("generic=%v/%d", generic, size), func(t *testing.T) {
				input := noise(size, int64(size))
				commitment, err := client(generic).SetInput(context.Background(), input)
				if err != nil {
					t.Fatal(err)
				}
				expected := append([]byte{0x00}, crypto.Keccak256(input)...)
				if generic {
					expected = append([]byte{0x01, 0xff}, crypto.Keccak256(input)...)
				}
				if !bytes.Equal(commitment.Encode(), expected) {
					t.Fatalf("expected commitment %x, got %x", expected, commitment.Encode())
				}
				again, err := client(generic).SetInput(context.Background(), input)
				if err != nil || !bytes.Equal(again.Encode(), expected) {
					t.Fatalf("the same input again: %v %v", again, err)
				}
				read, err := client(generic).GetInput(context.Background(), commitment)
				if err != nil || !bytes.Equal(read, input) {
					t.Fatalf("read %d bytes back: %v", len(read), err)
				}
			})
		}
	}
}

func TestABodyThatDoesNotHashToItsCommitmentIsRefusedAndNotStored(t *testing.T) {
	input := noise(1000, 7)
	other := altda.NewKeccak256Commitment(noise(1000, 8))
	url := fmt.Sprintf("%s/put/0x%x", net.URL("op"), other.Encode())
	response, err := http.Post(url, "application/octet-stream", bytes.NewReader(input))
	if err != nil || response.StatusCode != http.StatusBadRequest {
		t.Fatalf("expected 400, got %v %v", response, err)
	}
	if _, err := client(false).GetInput(context.Background(), other); !errors.Is(err, altda.ErrNotFound) {
		t.Fatalf("expected not found, got %v", err)
	}
}

// l1 is a chain without challenges.
type l1 struct{}

func (l1) InfoAndTxsByHash(context.Context, common.Hash) (eth.BlockInfo, types.Transactions, error) {
	return nil, nil, errors.New("not asked for")
}

func (l1) FetchReceipts(context.Context, common.Hash) (eth.BlockInfo, optypes.Receipts, error) {
	return nil, nil, nil
}

func (l1) L1BlockRefByNumber(_ context.Context, number uint64) (eth.L1BlockRef, error) {
	return eth.L1BlockRef{Number: number}, nil
}

func derivation(generic bool) *altda.DA { return derivationOf(client(generic), generic) }

func derivationOf(client *altda.DAClient, generic bool) *altda.DA {
	kind := altda.Keccak256CommitmentType
	if generic {
		kind = altda.GenericCommitmentType
	}
	config := altda.Config{CommitmentType: kind, ChallengeWindow: window, ResolveWindow: window}
	return altda.NewAltDAWithStorage(log.NewLogger(log.DiscardHandler()), config, client, &altda.NoopMetrics{})
}

func TestWhatWasNeverStoredIsPendingAndThenCriticalAndWhatIsThereIsDerived(t *testing.T) {
	for _, generic := range []bool{false, true} {
		var missing altda.CommitmentData = altda.NewKeccak256Commitment(noise(99, 1))
		if generic {
			missing = altda.NewGenericCommitment(append([]byte{0xff}, crypto.Keccak256(noise(99, 1))...))
		}
		da, ctx, block := derivation(generic), context.Background(), eth.L1BlockRef{Number: 1}
		pending := 0
		for {
			_, err := da.GetInput(ctx, l1{}, missing, block)
			if errors.Is(err, altda.ErrMissingPastWindow) {
				break
			}
			if !errors.Is(err, altda.ErrPendingChallenge) {
				t.Fatalf("expected pending, got %v", err)
			}
			pending++
			if pending > 3*window {
				t.Fatal("never critical")
			}
		}
		if pending < window {
			t.Fatalf("critical after %d looks, expected at least %d", pending, window)
		}
		input := noise(5000, 2)
		commitment, err := client(generic).SetInput(ctx, input)
		if err != nil {
			t.Fatal(err)
		}
		derived, err := derivation(generic).GetInput(ctx, l1{}, commitment, block)
		if err != nil || !bytes.Equal(derived, input) {
			t.Fatalf("derived %d bytes: %v", len(derived), err)
		}
	}
}

func TestTwelvePutsAtOnceWithASlowMember(t *testing.T) {
	end, err := net.Slow(3)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	twelvePutsAtOnce(t, 2000)
}

func TestTwelvePutsAtOnceWithAMemberDown(t *testing.T) {
	if err := net.Kill("m3"); err != nil {
		t.Fatal(err)
	}
	twelvePutsAtOnce(t, 1000)
	if err := net.Heal(); err != nil {
		t.Fatal(err)
	}
}

func twelvePutsAtOnce(t *testing.T, seed int) {
	var group sync.WaitGroup
	for number := range 12 {
		group.Add(1)
		go func() {
			defer group.Done()
			input := noise(120_000, int64(seed+number))
			commitment, err := client(true).SetInput(context.Background(), input)
			if err != nil {
				t.Errorf("put %d: %v", number, err)
				return
			}
			read, err := client(true).GetInput(context.Background(), commitment)
			if err != nil || !bytes.Equal(read, input) {
				t.Errorf("get %d: %d bytes, %v", number, len(read), err)
			}
		}()
	}
	group.Wait()
}

func TestBelowTheQuorumAPutIs503AndAGetOfWhatMayExistIsNeverNotFound(t *testing.T) {
	input := noise(50_000, 3)
	stored, err := client(true).SetInput(context.Background(), input)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Kill("m0", "m1"); err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(net.URL("op")+"/put", "application/octet-stream", bytes.NewReader(noise(10, 4)))
	if err != nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Fatalf("expected 503 with Retry-After, got %v %v", response, err)
	}
	text, _ := io.ReadAll(response.Body)
	t.Logf("%s", text)
	if read, err := client(true).GetInput(context.Background(), stored); err != nil || !bytes.Equal(read, input) {
		t.Fatalf("five members suffice to read: %v", err)
	}
	never := altda.NewGenericCommitment(append([]byte{0xff}, crypto.Keccak256(noise(10, 5))...))
	// Five of seven say no; six are needed to be certain.
	if _, err := client(true).GetInput(context.Background(), never); err == nil || errors.Is(err, altda.ErrNotFound) {
		t.Fatalf("expected a temporary error, got %v", err)
	}
	if _, err := derivation(true).GetInput(context.Background(), l1{}, never, eth.L1BlockRef{Number: 1}); err == nil ||
		errors.Is(err, altda.ErrPendingChallenge) || errors.Is(err, altda.ErrMissingPastWindow) {
		t.Fatalf("expected a temporary error, got %v", err)
	}
	if err := net.Heal(); err != nil {
		t.Fatal(err)
	}
	if !devnet.Eventually(30*time.Second, func() bool {
		_, err := client(true).GetInput(context.Background(), never)
		return errors.Is(err, altda.ErrNotFound)
	}) {
		t.Fatal("with all members back it is certain")
	}
}

func TestAGatewayThatDiedBetweenPutAndGetHasLostNothing(t *testing.T) {
	input := noise(700_000, 6)
	commitment, err := client(true).SetInput(context.Background(), input)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.KillGateway(); err != nil {
		t.Fatal(err)
	}
	if err := net.Restart(); err != nil {
		t.Fatal(err)
	}
	read, err := client(true).GetInput(context.Background(), commitment)
	if err != nil || !bytes.Equal(read, input) {
		t.Fatalf("read %d bytes back: %v", len(read), err)
	}
	again, err := client(true).SetInput(context.Background(), input)
	if err != nil || !bytes.Equal(again.Encode(), commitment.Encode()) {
		t.Fatalf("the same input again: %v %v", again, err)
	}
}
