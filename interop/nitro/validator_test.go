package nitro

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"os"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/ethereum/go-ethereum/rpc"
)

// chain is the devnet's L1 with a validator on it.
type chain struct {
	t         *testing.T
	client    *rpc.Client
	validator common.Address
}

func (c chain) ask(result any, method string, arguments ...any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return c.client.CallContext(ctx, result, method, arguments...)
}

func dial(t *testing.T, url string) *rpc.Client {
	client, err := rpc.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// embedded is where the devnet's own chain is.
func embedded(t *testing.T) string {
	l1, _, _, err := net.Chain()
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + l1.Listen
}

// deploy creates the validator from its artifact on the chain at url, for the devnet's registry and the namespace of its gateway.
func deploy(t *testing.T, url string) chain {
	l1, namespace, _, err := net.Chain()
	if err != nil {
		t.Fatal(err)
	}
	c := chain{t: t, client: dial(t, url)}
	text, err := os.ReadFile("../../contracts/artifacts/NitroValidator.json")
	if err != nil {
		t.Fatal(err)
	}
	var artifact struct{ Bytecode hexutil.Bytes }
	if err := json.Unmarshal(text, &artifact); err != nil {
		t.Fatal(err)
	}
	code := append(artifact.Bytecode, common.LeftPadBytes(common.HexToAddress(l1.Registry).Bytes(), 32)...)
	code = append(code, common.HexToHash(namespace).Bytes()...)
	c.validator = c.create(code, 3_000_000)
	return c
}

// create creates a contract from its code and the arguments behind it.
func (c chain) create(code []byte, gas uint64) common.Address {
	t := c.t
	l1, _, secret, err := net.Chain()
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypto.HexToECDSA(secret)
	if err != nil {
		t.Fatal(err)
	}
	sender := crypto.PubkeyToAddress(key.PublicKey)
	var nonce hexutil.Uint64
	var price hexutil.Big
	if err := c.ask(&nonce, "eth_getTransactionCount", sender, "latest"); err != nil {
		t.Fatal(err)
	}
	if err := c.ask(&price, "eth_gasPrice"); err != nil {
		t.Fatal(err)
	}
	offer := new(big.Int).Mul(price.ToInt(), big.NewInt(4))
	// A transaction of before EIP-2718, signed as EIP-155 says.
	fields := []any{uint64(nonce), offer, gas, []byte{}, big.NewInt(0), code}
	unsigned, err := rlp.EncodeToBytes(append(fields, l1.ChainID, uint(0), uint(0)))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := crypto.Sign(crypto.Keccak256(unsigned), key)
	if err != nil {
		t.Fatal(err)
	}
	v := uint64(signature[64]) + 35 + 2*l1.ChainID
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:64])
	signed, err := rlp.EncodeToBytes(append(fields, v, r, s))
	if err != nil {
		t.Fatal(err)
	}
	var hash common.Hash
	if err := c.ask(&hash, "eth_sendRawTransaction", hexutil.Bytes(signed)); err != nil {
		t.Fatal(err)
	}
	var receipt *struct {
		Status          hexutil.Uint64
		ContractAddress common.Address
	}
	for deadline := time.Now().Add(time.Minute); receipt == nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the contract was never mined")
		}
		if err := c.ask(&receipt, "eth_getTransactionReceipt", hash); err != nil {
			t.Fatal(err)
		}
	}
	if receipt.Status != 1 {
		t.Fatal("the contract was not created")
	}
	return receipt.ContractAddress
}

// call calls the validator with words and one last argument of bytes; the words of what it returns, or an error.
func (c chain) call(function string, words [][]byte, last []byte) ([]byte, error) {
	input := crypto.Keccak256([]byte(function))[:4]
	for _, word := range words {
		input = append(input, common.LeftPadBytes(word, 32)...)
	}
	head := big.NewInt(int64(32 * (len(words) + 1)))
	input = append(input, common.LeftPadBytes(head.Bytes(), 32)...)
	input = append(input, common.LeftPadBytes(big.NewInt(int64(len(last))).Bytes(), 32)...)
	input = append(input, common.RightPadBytes(last, (len(last)+31)/32*32)...)
	var output hexutil.Bytes
	err := c.ask(&output, "eth_call", map[string]any{"to": c.validator, "input": hexutil.Bytes(input)}, "latest")
	return output, err
}

// withCertificate is a proof as Nitro's machine puts it together.
func withCertificate(certificate, rest []byte) []byte {
	proof := binary.BigEndian.AppendUint64(nil, uint64(len(certificate)))
	return append(append(proof, certificate...), rest...)
}

func (c chain) valid(certificate, claim []byte) bool {
	output, err := c.call("validateCertificate(bytes)", nil, withCertificate(certificate, claim))
	if err != nil || len(output) != 32 {
		c.t.Fatalf("a validator never reverts on a certificate: %x %v", output, err)
	}
	return output[31] == 1
}

func (c chain) read(certificate []byte, offset uint64, opening []byte) ([]byte, error) {
	hash, place := crypto.Keccak256(certificate), new(big.Int).SetUint64(offset).Bytes()
	output, err := c.call("validateReadPreimage(bytes32,uint256,bytes)", [][]byte{hash, place}, withCertificate(certificate, opening))
	if err != nil {
		return nil, err
	}
	length := new(big.Int).SetBytes(output[32:64]).Uint64()
	return output[64 : 64+length], nil
}

func TestTheContractReadsWhatTheGatewayOpensAndAgreesOnWhatIsValid(t *testing.T) {
	c := deploy(t, embedded(t))
	batch := noise(1_000_001, 11)
	put, err := call[stored]("store", hexutil.Bytes(batch), timeout())
	if err != nil {
		t.Fatal(err)
	}
	certificate := put.Certificate
	last := uint64(len(batch)) / 32 * 32
	for _, offset := range []uint64{0, 32, 4064, 4096, 499_968, 500_000, 500_032, 500_064, 777_760, last} {
		opened, err := call[proof]("generateReadPreimageProof", hexutil.Uint64(offset), certificate)
		if err != nil {
			t.Fatal(err)
		}
		if len(opened.Proof) > 1+4096+32*32 {
			t.Fatalf("%d bytes are more than a leaf and its path", len(opened.Proof))
		}
		word, err := c.read(certificate, offset, opened.Proof)
		if err != nil || !bytes.Equal(word, batch[offset:min(offset+32, uint64(len(batch)))]) {
			t.Fatalf("offset %d: %x %v", offset, word, err)
		}
		// The same opening is none of another word in another leaf, and a bent one is none at all.
		other := (offset + 8192) % last / 32 * 32
		if word, err := c.read(certificate, other, opened.Proof); err == nil {
			t.Fatalf("the leaf of %d opened %d: %x", offset, other, word)
		}
		bent := bytes.Clone(opened.Proof)
		bent[len(bent)/2] ^= 1
		if word, err := c.read(certificate, offset, bent); err == nil {
			t.Fatalf("offset %d: a bent opening opened %x", offset, word)
		}
	}
	past, err := call[proof]("generateReadPreimageProof", hexutil.Uint64(last+32), certificate)
	if err != nil || len(past.Proof) != 0 {
		t.Fatalf("past the end: %x %v", past.Proof, err)
	}
	if word, err := c.read(certificate, last+32, nil); err != nil || len(word) != 0 {
		t.Fatalf("past the end: %x %v", word, err)
	}

	// The gateway's claim and the contract's verdict are the same for every certificate, or a chain would halt on it.
	judged := [][]byte{certificate}
	for _, at := range []int{0, 1, 2, 3, 42, 48, 52, 82, 115, 147, 155, 170, 194, 200, 260, 322} {
		bent := bytes.Clone(certificate)
		bent[at] ^= 1
		judged = append(judged, bent)
	}
	judged = append(judged, certificate[:322], append(bytes.Clone(certificate), 0), []byte{0x01}, []byte{0x01, 0x48})
	for number, each := range judged {
		claim, err := call[proof]("generateCertificateValidityProof", hexutil.Bytes(each))
		if err != nil {
			t.Fatalf("certificate %d: %v", number, err)
		}
		if valid := c.valid(each, claim.Proof); valid != (claim.Proof[0] == 1) || valid != (number == 0) {
			t.Fatalf("certificate %d: the gateway claims %d, the contract says %v", number, claim.Proof[0], valid)
		}
	}
}
