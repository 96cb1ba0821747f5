package nitro

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rpc"
)

// From nitro's contracts, state/Instructions.sol and state/Value.sol.
const (
	validateCertificate uint16 = 0x8019
	readPreimage        uint16 = 0x8020
	// The preimage type of a DA provider's certificates.
	customDA = 3
	i32      = 0
	running  = 0
)

// The structures of nitro's one-step proofs as its contracts name their fields.
type (
	value struct {
		ValueType uint8
		Contents  *big.Int
	}
	valueArray struct{ Inner []value }
	valueStack struct {
		Proved        valueArray
		RemainingHash [32]byte
	}
	multiStack struct{ InactiveStackHash, RemainingHash [32]byte }
	stackFrame struct {
		ReturnPc              value
		LocalsMerkleRoot      [32]byte
		CallerModule          uint32
		CallerModuleInternals uint32
	}
	frameStack struct {
		Proved        []stackFrame
		RemainingHash [32]byte
	}
	machine struct {
		Status                             uint8
		ValueStack                         valueStack
		ValueMultiStack                    multiStack
		InternalStack                      valueStack
		FrameStack                         frameStack
		FrameMultiStack                    multiStack
		GlobalStateHash                    [32]byte
		ModuleIdx, FunctionIdx, FunctionPc uint32
		RecoveryPc, ModulesRoot            [32]byte
	}
	moduleMemory struct {
		Size, MaxSize uint64
		MerkleRoot    [32]byte
	}
	module struct {
		GlobalsMerkleRoot                                [32]byte
		ModuleMemory                                     moduleMemory
		TablesMerkleRoot, FunctionsMerkleRoot, ExtraHash [32]byte
		InternalsOffset                                  uint32
	}
	instruction struct {
		Opcode       uint16
		ArgumentData *big.Int
	}
	executionContext struct {
		MaxInboxMessagesRead  *big.Int
		Bridge                common.Address
		InitialWasmModuleRoot [32]byte
	}
)

// prover is nitro's OneStepProverHostIo with our validator, from the package that nitro's chains are deployed from.
type prover struct {
	chain
	address common.Address
	abi     abi.ABI
}

func deployProver(t *testing.T, url string) prover {
	c := deploy(t, url)
	const artifact = "node_modules/@arbitrum/nitro-contracts/build/contracts/src/osp/OneStepProverHostIo.sol/OneStepProverHostIo.json"
	text, err := os.ReadFile(artifact)
	if err != nil {
		t.Fatalf("nitro's contracts are missing (`npm ci --ignore-scripts` in interop/nitro gets them, as `make interop` does): %v", err)
	}
	var read struct {
		Abi      json.RawMessage
		Bytecode hexutil.Bytes
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	parsed, err := abi.JSON(bytes.NewReader(read.Abi))
	if err != nil {
		t.Fatal(err)
	}
	code := append(read.Bytecode, common.LeftPadBytes(c.validator.Bytes(), 32)...)
	return prover{chain: c, address: c.create(code, 8_000_000), abi: parsed}
}

func memoryLeaf(contents [32]byte) [32]byte {
	return crypto.Keccak256Hash([]byte("Memory leaf:"), contents[:])
}

func memoryRoot(first, second [32]byte) [32]byte {
	left, right := memoryLeaf(first), memoryLeaf(second)
	return crypto.Keccak256Hash([]byte("Memory merkle tree:"), left[:], right[:])
}

// step executes one instruction of a machine that has the certificate's hash at byte 0 of a memory of two words, and `stack` on
// its stack. It gives the number that is on the stack then, and checks that the memory is what nitro's machine would have: the
// same, but for the first bytes of the first word, which are `read`.
func (p prover) step(opcode uint16, argument int64, certificate []byte, stack []uint32, proof, read []byte) (uint32, error) {
	p.t.Helper()
	hash, other := crypto.Keccak256Hash(certificate), [32]byte{31: 7}
	var values []value
	for _, number := range stack {
		values = append(values, value{i32, new(big.Int).SetUint64(uint64(number))})
	}
	before := machine{Status: running, ValueStack: valueStack{Proved: valueArray{values}}}
	memory := module{ModuleMemory: moduleMemory{Size: 64, MaxSize: 1, MerkleRoot: memoryRoot(hash, other)}}
	sibling := memoryLeaf(other)
	ofMemory := append(append(hash.Bytes(), 1), sibling[:]...)
	context := executionContext{MaxInboxMessagesRead: new(big.Int)}
	input, err := p.abi.Pack("executeOneStep", context, before, memory, instruction{opcode, big.NewInt(argument)}, append(ofMemory, proof...))
	if err != nil {
		p.t.Fatal(err)
	}
	var output hexutil.Bytes
	call := map[string]any{"to": p.address, "input": hexutil.Bytes(input)}
	if err := p.ask(&output, "eth_call", call, "latest"); err != nil {
		return 0, err
	}
	unpacked, err := p.abi.Unpack("executeOneStep", output)
	if err != nil {
		p.t.Fatal(err)
	}
	after := *abi.ConvertType(unpacked[0], new(machine)).(*machine)
	memory = *abi.ConvertType(unpacked[1], new(module)).(*module)
	left := after.ValueStack.Proved.Inner
	if after.Status != running || len(left) != 1 || left[0].ValueType != i32 {
		p.t.Fatalf("the machine is %d with a stack of %v", after.Status, left)
	}
	word := [32]byte(hash)
	copy(word[:], read)
	if memory.ModuleMemory.MerkleRoot != memoryRoot(word, other) {
		p.t.Fatalf("the memory is not what was read: %x", read)
	}
	return uint32(left[0].Contents.Uint64()), nil
}

// refusal is the reason with which a contract has reverted.
func refusal(err error) string {
	var withData rpc.DataError
	if errors.As(err, &withData) {
		if text, ok := withData.ErrorData().(string); ok {
			if data, err := hexutil.Decode(text); err == nil {
				if reason, err := abi.UnpackRevert(data); err == nil {
					return reason
				}
			}
		}
	}
	return err.Error()
}

// Nitro's own prover has our validator open batches and judge certificates: an assertion about them can be defended, and a lie
// about them cannot.
func TestNitrosOneStepProverReadsBatchesAndJudgesCertificatesByOurValidator(t *testing.T) {
	for name, start := range map[string]func(*testing.T) string{"embedded": embedded, "anvil": anvil} {
		t.Run(name, func(t *testing.T) { prove(t, deployProver(t, start(t))) })
	}
}

func prove(t *testing.T, p prover) {
	batch := noise(1_000_001, 21)
	put, err := call[stored]("store", hexutil.Bytes(batch), timeout())
	if err != nil {
		t.Fatal(err)
	}
	certificate, last := put.Certificate, uint64(len(batch))/32*32
	const ofCertificate = 0

	for _, offset := range []uint64{0, 32, 4064, 4096, 499_968, 500_000, 500_032, 777_760, last} {
		opened, err := call[proof]("generateReadPreimageProof", hexutil.Uint64(offset), certificate)
		if err != nil {
			t.Fatal(err)
		}
		expected := batch[offset:min(offset+32, uint64(len(batch)))]
		stack := []uint32{0, uint32(offset)}
		custom := append([]byte{ofCertificate}, withCertificate(certificate, opened.Proof)...)
		read, err := p.step(readPreimage, customDA, certificate, stack, custom, expected)
		if err != nil || int(read) != len(expected) {
			t.Fatalf("offset %d: %d bytes, %v", offset, read, err)
		}
		bent := bytes.Clone(custom)
		bent[len(bent)/2] ^= 1
		if read, err := p.step(readPreimage, customDA, certificate, stack, bent, expected); err == nil {
			t.Fatalf("offset %d: a bent opening was proven: %d", offset, read)
		}
		elsewhere := []uint32{0, uint32((offset + 8192) % last / 32 * 32)}
		if read, err := p.step(readPreimage, customDA, certificate, elsewhere, custom, expected); err == nil {
			t.Fatalf("the opening of %d was proven elsewhere: %d", offset, read)
		}
	}
	// Of a certificate that the machine has not asked for nothing is read.
	another, err := call[stored]("store", hexutil.Bytes(noise(100, 22)), timeout())
	if err != nil {
		t.Fatal(err)
	}
	opened, err := call[proof]("generateReadPreimageProof", hexutil.Uint64(0), another.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	custom := append([]byte{ofCertificate}, withCertificate(another.Certificate, opened.Proof)...)
	_, err = p.step(readPreimage, customDA, certificate, []uint32{0, 0}, custom, nil)
	if err == nil || !strings.Contains(refusal(err), "WRONG_CERTIFICATE_HASH") {
		t.Fatalf("another certificate: %v", err)
	}
	// The read behind the end gives no bytes, which this prover takes from nobody.
	custom = append([]byte{ofCertificate}, withCertificate(certificate, nil)...)
	_, err = p.step(readPreimage, customDA, certificate, []uint32{0, uint32(last + 32)}, custom, nil)
	if err == nil || !strings.Contains(refusal(err), "INVALID_CUSTOM_DA_RESPONSE") {
		t.Fatalf("past the end: %v", err)
	}

	// What is valid is proven so, what is not is proven not to be, and neither claim can be turned round.
	judged := [][]byte{certificate}
	for _, at := range []int{0, 1, 2, 42, 52, 82, 115, 155, 200, 322} {
		bent := bytes.Clone(certificate)
		bent[at] ^= 1
		judged = append(judged, bent)
	}
	judged = append(judged, certificate[:322], append(bytes.Clone(certificate), 0), []byte{0x01})
	for number, each := range judged {
		claim, err := call[proof]("generateCertificateValidityProof", hexutil.Bytes(each))
		if err != nil {
			t.Fatal(err)
		}
		valid := uint32(0)
		if number == 0 {
			valid = 1
		}
		stack := []uint32{0, customDA}
		found, err := p.step(validateCertificate, 0, each, stack, withCertificate(each, claim.Proof), nil)
		if err != nil || found != valid {
			t.Fatalf("certificate %d: the prover finds %d, %v", number, found, err)
		}
		lie := append([]byte{claim.Proof[0] ^ 1}, claim.Proof[1:]...)
		_, err = p.step(validateCertificate, 0, each, stack, withCertificate(each, lie), nil)
		if reason := map[uint32]string{0: "CLAIMED_VALID_BUT_INVALID", 1: "CLAIMED_INVALID_BUT_VALID"}[valid]; err == nil || !strings.Contains(refusal(err), reason) {
			t.Fatalf("certificate %d: the lie was answered %v", number, err)
		}
	}
}
