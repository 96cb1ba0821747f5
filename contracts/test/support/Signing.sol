// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../../interfaces/Blob.sol";
import {BlsHarness} from "../BlsHarness.sol";
import {Certify} from "./Certify.sol";
import {Fixture} from "./Fixture.sol";
import {Golden} from "./Golden.sol";
import {vm} from "./Vm.sol";

/// Certificates and checkpoints of any blob, signed with the golden committees' secret keys by the precompile G1MSM.
abstract contract Signing is Fixture {
    bytes32 private constant BLOB_TYPE = keccak256(
        "Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );
    bytes32 private constant AVAILABILITY_TYPE = keccak256(
        "Availability(bytes32 namespace,uint64 epoch,Blob blob,uint64 wholeUntil,uint64 retainUntil)Blob(uint32 payloadLength,bytes32 payloadDigest,uint16 originalShards,uint16 totalShards,bytes32 shardsRoot,bytes32 fingerprintsHash)"
    );
    bytes32 private constant CHECKPOINT_TYPE =
        keccak256("Checkpoint(bytes32 namespace,uint64 epoch,bytes32 blobsRoot,uint32 count,uint64 retainUntil)");
    bytes private constant TAG = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_POP_";

    BlsHarness private harness;

    /// A blob that is opened in foundry.json, with every leaf of its shards and one of another.
    struct Opened {
        bytes32 blobId;
        Blob blob;
        uint256[] offsets;
        bytes[] leaves;
        bytes[] paths;
    }

    function opened(uint256 index) internal view returns (Opened memory o) {
        string memory json = Golden.signed();
        string memory path = string.concat(".openings[", vm.toString(index), "]");
        o.blob = Blob({
            payloadLength: uint32(vm.parseJsonUint(json, string.concat(path, ".payloadLength"))),
            payloadDigest: vm.parseJsonBytes32(json, string.concat(path, ".payloadDigest")),
            originalShards: uint16(vm.parseJsonUint(json, string.concat(path, ".originalShards"))),
            totalShards: uint16(vm.parseJsonUint(json, string.concat(path, ".totalShards"))),
            shardsRoot: vm.parseJsonBytes32(json, string.concat(path, ".shardsRoot")),
            fingerprintsHash: vm.parseJsonBytes32(json, string.concat(path, ".fingerprintsHash"))
        });
        o.blobId = vm.parseJsonBytes32(json, string.concat(path, ".blobId"));
        o.offsets = vm.parseJsonUintArray(json, string.concat(path, ".offsets"));
        o.leaves = vm.parseJsonBytesArray(json, string.concat(path, ".leaves"));
        o.paths = vm.parseJsonBytesArray(json, string.concat(path, ".paths"));
        vm.assertGt(o.leaves.length, 2, "leaves");
    }

    function blobIdOf(Blob memory blob) internal pure returns (bytes32) {
        return keccak256(abi.encode(BLOB_TYPE, blob));
    }

    /// A certificate in the L1 encoding, of an epoch's committee in the test's namespace.
    function certify(Blob memory blob, uint64 epoch, uint256 signers) internal returns (bytes memory) {
        uint64 wholeUntil = blob.payloadDigest == 0 ? 0 : retainUntil;
        bytes32 content =
            keccak256(abi.encode(AVAILABILITY_TYPE, namespace, epoch, blobIdOf(blob), wholeUntil, retainUntil));
        bytes memory head = abi.encodePacked(
            uint8(1),
            namespace,
            epoch,
            blob.payloadLength,
            blob.payloadDigest,
            blob.originalShards,
            blob.totalShards,
            blob.shardsRoot,
            blob.fingerprintsHash
        );
        return bytes.concat(head, bytes8(wholeUntil), bytes8(retainUntil), bytes32(signers), sign(content, epoch, signers));
    }

    /// A checkpoint of one blob, in the L1 encoding, and the proof that the blob is in it.
    function checkpoint(bytes32 blobId, uint64 epoch, uint256 signers)
        internal
        returns (bytes memory encoded, bytes memory proof)
    {
        bytes32 root = sha256(abi.encodePacked(uint8(0), blobId));
        bytes32 content = keccak256(abi.encode(CHECKPOINT_TYPE, namespace, epoch, root, uint32(1), retainUntil));
        bytes memory head = abi.encodePacked(uint8(0xc1), namespace, epoch, root, uint32(1), retainUntil);
        encoded = bytes.concat(head, bytes32(signers), sign(content, epoch, signers));
        proof = bytes.concat(head, bytes4(0));
    }

    /// The sum of these slots' signatures over a struct of the registry's domain.
    function sign(bytes32 content, uint64 epoch, uint256 signers) private returns (bytes memory total) {
        if (address(harness) == address(0)) harness = BlsHarness(create(COMPILED_HARNESS, ""));
        bytes32 digest = keccak256(abi.encodePacked(bytes2(0x1901), registry.domainSeparator(), content));
        bytes memory point = harness.hashToG1(abi.encodePacked(digest), TAG);
        string memory json = Golden.certificates();
        string memory members = string.concat(".committees[", vm.toString(epoch - 1), "].members[");
        total = new bytes(128);
        for (uint256 slot = 0; signers >> slot != 0; ++slot) {
            if (signers >> slot & 1 == 0) continue;
            bytes32 secret = vm.parseJsonBytes32(json, string.concat(members, vm.toString(slot), "].secretKey"));
            (bool ok, bytes memory signature) = address(0x0c).staticcall(bytes.concat(point, secret));
            require(ok && signature.length == 128, "G1MSM");
            total = Certify.add(total, signature);
        }
    }
}
