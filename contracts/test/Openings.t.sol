// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../interfaces/Blob.sol";
import {Certify} from "./support/Certify.sol";
import {Golden} from "./support/Golden.sol";
import {Signing} from "./support/Signing.sol";
import {vm} from "./support/Vm.sol";

/// Leaves of a payload, opened against a blob id.
contract OpeningsTest is Signing {
    uint256 private constant VECTORS = 3;
    /// The vector with several leaves a shard, and a last shard that ends in padding.
    uint256 private constant LONG = 1;

    function setUp() external {
        deploy();
    }

    function test_every_leaf_opens_and_together_they_are_the_payload() external view {
        for (uint256 i = 0; i < VECTORS; ++i) {
            Opened memory o = opened(i);
            bytes memory payload;
            for (uint256 j = 0; j + 1 < o.leaves.length; ++j) {
                bool inPayload = o.offsets[j] < o.blob.payloadLength;
                vm.assertTrue(_opens(o, j) == inPayload, "a leaf of the payload");
                // Shards stand one after the other, and so do their leaves.
                if (inPayload) {
                    vm.assertEq(payload.length, o.offsets[j], "offset");
                    uint256 payloadBytes = _payloadBytes(o, j, o.offsets[j]);
                    payload = bytes.concat(payload, Certify.slice(o.leaves[j], 0, payloadBytes));
                }
            }
            vm.assertEq(payload.length, o.blob.payloadLength, "no byte of padding");
            vm.assertEq(keccak256(payload), o.blob.payloadDigest, "the payload that the digest names");
        }
    }

    /// Committed to under the same root, and still no part of the payload.
    function test_a_leaf_of_a_recovery_shard_does_not_open() external view {
        for (uint256 i = 0; i < VECTORS; ++i) {
            Opened memory o = opened(i);
            uint256 last = o.leaves.length - 1;
            vm.assertGt(o.offsets[last] + 1, o.blob.payloadLength, "past the payload");
            vm.assertFalse(_opens(o, last), "at its own place");
            for (uint256 j = 0; j < last; ++j) {
                o.offsets[last] = o.offsets[j];
                vm.assertFalse(_opens(o, last), "at the place of another");
            }
        }
    }

    function test_a_leaf_opens_nowhere_else() external view {
        Opened memory o = opened(LONG);
        for (uint256 j = 0; j < o.leaves.length; ++j) {
            for (uint256 k = 0; k < o.leaves.length; ++k) {
                if (j == k) continue;
                vm.assertFalse(_opensAt(o, j, o.offsets[k]), "the place of another leaf");
            }
        }
        uint256[8] memory offsets = [
            o.offsets[1] - 1,
            o.offsets[1] + 1,
            o.offsets[1] + 128,
            o.blob.payloadLength - 1,
            o.blob.payloadLength,
            uint256(type(uint32).max),
            1 << 128,
            type(uint256).max
        ];
        for (uint256 i = 0; i < offsets.length; ++i) {
            vm.assertFalse(_opensAt(o, 1, offsets[i]), "no place of a leaf");
        }
    }

    function testFuzz_one_bit_of_leaf_or_path(uint256 which, uint256 bit) external view {
        Opened memory o = opened(LONG);
        which %= 10;
        vm.assertTrue(_opens(o, which), "as it is");
        bytes memory leaf = o.leaves[which];
        o.leaves[which] = Certify.flip(leaf, bit % (leaf.length * 8));
        vm.assertFalse(_opens(o, which), "leaf");
        o.leaves[which] = leaf;
        o.paths[which] = Certify.flip(o.paths[which], bit % (o.paths[which].length * 8));
        vm.assertFalse(_opens(o, which), "path");
    }

    function test_paths_and_leaves_of_another_length() external view {
        Opened memory o = opened(LONG);
        (bytes memory leaf, bytes memory path) = (o.leaves[2], o.paths[2]);
        o.paths[2] = Certify.slice(path, 0, path.length - 32);
        vm.assertFalse(_opens(o, 2), "a step short");
        o.paths[2] = bytes.concat(path, new bytes(32));
        vm.assertFalse(_opens(o, 2), "a step long");
        o.paths[2] = "";
        vm.assertFalse(_opens(o, 2), "no path");
        o.paths[2] = path;
        o.leaves[2] = Certify.slice(leaf, 0, leaf.length - 1);
        vm.assertFalse(_opens(o, 2), "a byte short");
        o.leaves[2] = bytes.concat(leaf, hex"00");
        vm.assertFalse(_opens(o, 2), "a byte long");
        o.leaves[2] = "";
        vm.assertFalse(_opens(o, 2), "no leaf");
    }

    function testFuzz_every_field_of_the_blob_counts(uint256 field, uint256 value) external view {
        Opened memory o = opened(LONG);
        Blob memory b = o.blob;
        bytes32 before = keccak256(abi.encode(b));
        field %= 6;
        if (field == 0) b.payloadLength = uint32(value);
        if (field == 1) b.payloadDigest = bytes32(value);
        if (field == 2) b.originalShards = uint16(value % 8);
        if (field == 3) b.totalShards = uint16(value % 16);
        if (field == 4) b.shardsRoot = bytes32(value);
        if (field == 5) b.fingerprintsHash = bytes32(value);
        bool same = keccak256(abi.encode(b)) == before;
        vm.assertTrue(_opens(o, 3) == same, "another blob under the same id");
    }

    /// Shapes that no blob has give no answer but false, even under their own id.
    function testFuzz_no_shape_makes_it_revert(Blob calldata b, uint256 offset, bytes calldata leaf) external view {
        bytes32 blobId = blobIdOf(b);
        vm.assertFalse(_opensRaw(blobId, b, offset, leaf, new bytes32[](0)), "no path");
        vm.assertFalse(_opensRaw(blobId, b, offset % 4096, leaf, new bytes32[](7)), "some path");
        Blob memory changed = b;
        changed.originalShards = 0;
        vm.assertFalse(_opensRaw(blobIdOf(changed), changed, 0, leaf, new bytes32[](3)), "no shards");
        changed.originalShards = changed.totalShards;
        vm.assertFalse(_opensRaw(blobIdOf(changed), changed, 0, leaf, new bytes32[](3)), "no recovery");
    }

    /// Sound in all but its shape: one leaf that is its own shard and, hashed once more, the root over all shards.
    function test_a_code_without_recovery_shards_opens_nothing() external view {
        bytes memory leaf = new bytes(128);
        Blob memory b = _ofOneLeaf(leaf);
        b.totalShards = 1;
        b.shardsRoot = _leafHash(bytes.concat(_leafHash(leaf)));
        vm.assertFalse(_opensRaw(blobIdOf(b), b, 0, leaf, new bytes32[](0)), "no recovery shards");
    }

    /// Whoever commits can commit to anything: a leaf of a length that the shard does not have is no leaf of it.
    function test_a_leaf_of_another_length_opens_nothing_though_it_was_committed() external view {
        uint16[5] memory lengths = [128, 0, 127, 129, 4096];
        bytes32[] memory path = new bytes32[](1);
        path[0] = _leafHash("another shard");
        for (uint256 i = 0; i < lengths.length; ++i) {
            bytes memory leaf = new bytes(lengths[i]);
            Blob memory b = _ofOneLeaf(leaf);
            vm.assertTrue(_opensRaw(blobIdOf(b), b, 0, leaf, path) == (i == 0), "only as long as the shard");
        }
    }

    /// A blob of 100 bytes, so of shards of 128, of which the first is said to be this leaf.
    function _ofOneLeaf(bytes memory leaf) private pure returns (Blob memory) {
        bytes32 first = _leafHash(bytes.concat(_leafHash(leaf)));
        return Blob({
            payloadLength: 100,
            payloadDigest: keccak256("payload"),
            originalShards: 1,
            totalShards: 2,
            shardsRoot: sha256(bytes.concat(hex"01", first, _leafHash("another shard"))),
            fingerprintsHash: 0
        });
    }

    function _leafHash(bytes memory leaf) private pure returns (bytes32) {
        return sha256(bytes.concat(hex"00", leaf));
    }

    /// The openings of erasure.json, which the Rust tests read, where it gives the leaf.
    function test_the_openings_of_the_golden_codes() external view {
        string memory json = vm.readFile("../testdata/golden/erasure.json");
        uint256 seen;
        for (uint256 i = 0; i < 24; ++i) {
            string memory path = string.concat("[", vm.toString(i), "]");
            string memory first = string.concat(path, ".openings[0]");
            if (!vm.keyExistsJson(json, string.concat(first, ".leaf"))) continue;
            Blob memory b = Blob({
                payloadLength: uint32(vm.parseJsonUint(json, string.concat(path, ".payloadLength"))),
                payloadDigest: 0,
                originalShards: uint16(vm.parseJsonUint(json, string.concat(path, ".originalShards"))),
                totalShards: uint16(vm.parseJsonUint(json, string.concat(path, ".totalShards"))),
                shardsRoot: vm.parseJsonBytes32(json, string.concat(path, ".shardsRoot")),
                fingerprintsHash: vm.parseJsonBytes32(json, string.concat(path, ".fingerprintsHash"))
            });
            bytes memory leaf = vm.parseJsonBytes(json, string.concat(first, ".leaf"));
            // One leaf a shard: its path is the shard's.
            bytes32[] memory shardPath = vm.parseJsonBytes32Array(json, string.concat(first, ".shardPath"));
            bytes32 byShard = vm.parseJsonBytes32(json, string.concat(path, ".blobIdByShard"));
            bytes32 byPayload = vm.parseJsonBytes32(json, string.concat(path, ".blobIdByPayload"));
            uint256 expected = leaf.length < b.payloadLength ? leaf.length : b.payloadLength;
            vm.assertEq(registry.openCommittedLeaf(byShard, b, 0, leaf, shardPath), expected, "by shard: committed");
            vm.assertEq(registry.openPayload(byShard, b, 0, leaf, shardPath), 0, "by shard: no payload");
            vm.assertEq(registry.openCommittedLeaf(byPayload, b, 0, leaf, shardPath), 0, "the other id");
            b.payloadDigest = vm.parseJsonBytes32(json, string.concat(path, ".payloadDigestByPayload"));
            vm.assertEq(registry.openCommittedLeaf(byPayload, b, 0, leaf, shardPath), expected, "by payload: committed");
            vm.assertEq(registry.openPayload(byPayload, b, 0, leaf, shardPath), expected, "by payload: payload");
            ++seen;
        }
        vm.assertGt(seen, 5, "codes");
    }

    /// A disperser commits by shard to a root that no shard has. The leaf opens as what was committed, and not as payload.
    function test_a_leaf_by_shard_is_no_payload() external view {
        for (uint256 i = 0; i < VECTORS; ++i) {
            Opened memory o = opened(i);
            o.blob.payloadDigest = 0;
            o.blobId = blobIdOf(o.blob);
            vm.assertEq(_payloadBytes(o, 0, 0), 0, "openPayload");
            uint256 left = o.blob.payloadLength;
            uint256 expected = o.leaves[0].length < left ? o.leaves[0].length : left;
            vm.assertEq(
                registry.openCommittedLeaf(o.blobId, o.blob, 0, o.leaves[0], _path(o, 0)), expected, "openCommittedLeaf"
            );
        }
    }

    /// Both say how much of a leaf is payload: the last one of the last shard is padded.
    function test_padding_is_not_counted() external view {
        Opened memory o = opened(LONG);
        uint256 last;
        for (uint256 j = 0; j + 1 < o.leaves.length; ++j) {
            if (o.offsets[j] < o.blob.payloadLength && o.offsets[j] >= o.offsets[last]) last = j;
        }
        uint256 left = o.blob.payloadLength - o.offsets[last];
        vm.assertGt(o.leaves[last].length, left, "the leaf ends in padding");
        vm.assertEq(_payloadBytes(o, last, o.offsets[last]), left, "payload alone");
        vm.assertEq(_payloadBytes(o, 0, 0), 4096, "a whole leaf");
    }

    function _opens(Opened memory o, uint256 which) private view returns (bool) {
        return _opensAt(o, which, o.offsets[which]);
    }

    function _opensAt(Opened memory o, uint256 which, uint256 offset) private view returns (bool) {
        return _opensRaw(o.blobId, o.blob, offset, o.leaves[which], _path(o, which));
    }

    /// The blobs of the vectors are by payload, so that both functions say the same.
    function _opensRaw(bytes32 blobId, Blob memory b, uint256 offset, bytes memory leaf, bytes32[] memory path)
        private
        view
        returns (bool)
    {
        uint256 committed = registry.openCommittedLeaf(blobId, b, offset, leaf, path);
        uint256 payloadBytes = registry.openPayload(blobId, b, offset, leaf, path);
        vm.assertEq(payloadBytes, b.payloadDigest == 0 ? 0 : committed, "openPayload and openCommittedLeaf");
        return committed != 0;
    }

    function _payloadBytes(Opened memory o, uint256 which, uint256 offset) private view returns (uint256) {
        return registry.openPayload(o.blobId, o.blob, offset, o.leaves[which], _path(o, which));
    }

    function _path(Opened memory o, uint256 which) private pure returns (bytes32[] memory path) {
        bytes memory joined = o.paths[which];
        path = new bytes32[](joined.length / 32);
        for (uint256 i = 0; i < path.length; ++i) {
            path[i] = bytes32(Certify.slice(joined, 32 * i, 32 * i + 32));
        }
    }
}
