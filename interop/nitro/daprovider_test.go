// Package nitro calls the DA provider with go-ethereum's client, and decodes into types with the shape of those that
// nitro's daclient decodes into.
package nitro

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
	"holdfast.test/devnet"
)

type headerBytes struct {
	HeaderBytes hexutil.Bytes `json:"headerBytes,omitempty"`
}

type maxSize struct {
	MaxSize int `json:"maxSize"`
}

type stored struct {
	Certificate hexutil.Bytes `json:"serialized-da-cert,omitempty"`
}

// No tags, and bytes: Go reads base64 into them.
type payload struct {
	Payload []byte
}

type preimages struct {
	Preimages map[uint8]map[common.Hash][]byte
}

type both struct {
	Payload   []byte
	Preimages map[uint8]map[common.Hash][]byte
}

type proof struct {
	Proof hexutil.Bytes `json:"proof"`
}

type started struct {
	Id hexutil.Uint64 `json:"BatchId,omitempty"`
}

var (
	net    *devnet.Devnet
	client *rpc.Client
)

func TestMain(m *testing.M) {
	up, err := devnet.UpWithL1("nitro")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	net = up
	client, err = rpc.Dial(net.URL("nitro"))
	code := 1
	if err == nil {
		code = m.Run()
		client.Close()
	}
	net.Down()
	os.Exit(code)
}

func call[T any](method string, arguments ...any) (result T, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = client.CallContext(ctx, &result, "daprovider_"+method, arguments...)
	return
}

func noise(length int, seed int64) []byte {
	bytes := make([]byte, length)
	rand.New(rand.NewSource(seed)).Read(bytes)
	return bytes
}

func timeout() hexutil.Uint64 { return hexutil.Uint64(time.Now().Add(time.Hour).Unix()) }

func message(certificate []byte) hexutil.Bytes { return append(make([]byte, 40), certificate...) }

func TestANodeStartsWithTheHeaderBytesAndAPosterAsksForTheSize(t *testing.T) {
	supported, err := call[headerBytes]("getSupportedHeaderBytes")
	if err != nil || !bytes.Equal(supported.HeaderBytes, []byte{0x01}) {
		t.Fatalf("%x %v", supported.HeaderBytes, err)
	}
	size, err := call[maxSize]("getMaxMessageSize")
	if err != nil || size.MaxSize != 32<<20 {
		t.Fatalf("%d %v", size.MaxSize, err)
	}
}

func TestBatchesOfEveryRemainderModuloThreeComeBackTheSame(t *testing.T) {
	for _, length := range []int{1, 2, 3, 4, 5, 6, 1000, 1001, 1002, 1_000_000} {
		batch := noise(length, int64(length))
		put, err := call[stored]("store", hexutil.Bytes(batch), timeout())
		if err != nil {
			t.Fatal(err)
		}
		arguments := []any{hexutil.Uint64(7), common.Hash{}, message(put.Certificate)}
		read, err := call[payload]("recoverPayload", arguments...)
		if err != nil || !bytes.Equal(read.Payload, batch) {
			t.Fatalf("%d bytes: %d came back, %v", length, len(read.Payload), err)
		}
		hash := crypto.Keccak256Hash(put.Certificate)
		images, err := call[preimages]("collectPreimages", arguments...)
		if err != nil || !bytes.Equal(images.Preimages[3][hash], batch) {
			t.Fatalf("%d bytes: preimages %v", length, err)
		}
		all, err := call[both]("recoverPayloadAndPreimages", arguments...)
		if err != nil || !bytes.Equal(all.Payload, batch) || !bytes.Equal(all.Preimages[3][hash], batch) {
			t.Fatalf("%d bytes: both %v", length, err)
		}
		valid, err := call[proof]("generateCertificateValidityProof", put.Certificate)
		if err != nil || valid.Proof[0] != 1 {
			t.Fatalf("validity %x %v", valid.Proof, err)
		}
	}
}

func TestABadCertificateIsClaimedInvalidAndDropsItsBatch(t *testing.T) {
	put, err := call[stored]("store", hexutil.Bytes(noise(500, 1)), timeout())
	if err != nil {
		t.Fatal(err)
	}
	bent := slices.Clone(put.Certificate)
	bent[60] ^= 1
	claim, err := call[proof]("generateCertificateValidityProof", bent)
	if err != nil || claim.Proof[0] != 0 {
		t.Fatalf("validity %x %v", claim.Proof, err)
	}
	_, err = call[payload]("recoverPayload", hexutil.Uint64(7), common.Hash{}, message(bent))
	if err == nil || !strings.Contains(err.Error(), "certificate validation failed") {
		t.Fatalf("got %v", err)
	}
	for _, short := range []hexutil.Bytes{{}, make([]byte, 40), message([]byte{0x80, 1})} {
		_, err = call[payload]("recoverPayload", hexutil.Uint64(7), common.Hash{}, short)
		if err == nil || strings.Contains(err.Error(), "certificate validation failed") {
			t.Fatalf("got %v", err)
		}
	}
}

func sign(bytes []byte, numbers ...uint64) hexutil.Bytes {
	var fields []byte
	for _, number := range numbers {
		fields = binary.BigEndian.AppendUint64(fields, number)
	}
	return crypto.Keccak256(bytes, fields)
}

func start(total, size, until uint64) (uint64, error) {
	now, count := uint64(time.Now().Unix()), (total+size-1)/size
	begun, err := call[started]("startChunkedStore", hexutil.Uint64(now), hexutil.Uint64(count), hexutil.Uint64(size),
		hexutil.Uint64(total), hexutil.Uint64(until), sign(nil, now, count, size, total, until))
	return uint64(begun.Id), err
}

func send(id, number uint64, chunk []byte) error {
	_, err := call[any]("sendChunk", hexutil.Uint64(id), hexutil.Uint64(number), hexutil.Bytes(chunk), sign(chunk, id, number))
	return err
}

func TestAStreamInParallelWithDuplicatesIsTheBatchAndAConflictEndsIt(t *testing.T) {
	const size = 250_000
	batch := noise(3_000_001, 2)
	id, err := start(uint64(len(batch)), size, uint64(timeout()))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 2 {
		number := uint64(0)
		for chunk := range slices.Chunk(batch, size) {
			group.Add(1)
			go func(number uint64) {
				defer group.Done()
				if err := send(id, number, chunk); err != nil {
					t.Errorf("chunk %d: %v", number, err)
				}
			}(number)
			number++
		}
	}
	group.Wait()
	put, err := call[stored]("commitChunkedStore", hexutil.Uint64(id), sign(nil, id))
	if err != nil {
		t.Fatal(err)
	}
	read, err := call[payload]("recoverPayload", hexutil.Uint64(7), common.Hash{}, message(put.Certificate))
	if err != nil || !bytes.Equal(read.Payload, batch) {
		t.Fatalf("%d bytes came back, %v", len(read.Payload), err)
	}

	id, err = start(10, 5, uint64(timeout())+1)
	if err != nil {
		t.Fatal(err)
	}
	if err := send(id, 0, []byte("abcde")); err != nil {
		t.Fatal(err)
	}
	if err := send(id, 0, []byte("abcdX")); err == nil {
		t.Fatal("a conflicting chunk was taken")
	}
	if err := send(id, 1, []byte("fghij")); err == nil {
		t.Fatal("the stream went on after a conflict")
	}
}

func TestAPosterIsSentElsewhereBelowTheQuorumAndTooLargeIsSaid(t *testing.T) {
	_, err := call[stored]("store", hexutil.Bytes(noise(32<<20+1, 3)), timeout())
	if err == nil || !strings.Contains(err.Error(), "message too large for current DA backend") {
		t.Fatalf("got %v", err)
	}
	if err := net.Kill("m0", "m1"); err != nil {
		t.Fatal(err)
	}
	_, err = call[stored]("store", hexutil.Bytes(noise(100, 4)), timeout())
	if err == nil || !strings.Contains(err.Error(), "DA provider requests fallback to next writer") {
		t.Fatalf("got %v", err)
	}
	if err := net.Heal(); err != nil {
		t.Fatal(err)
	}
}
