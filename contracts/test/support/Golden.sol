// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {vm} from "./Vm.sol";

/// A key with its proof of possession, both in EIP-2537 layout.
struct Member {
    bytes compressedKey;
    bytes key;
    bytes proof;
}

struct Committee {
    uint64 epoch;
    uint16 originalShards;
    uint16 totalShards;
    uint16 threshold;
    uint32 maxPayload;
    Member[] members;
}

/// A statement or a checkpoint: the L1 encoding up to the signers, and what each slot signed.
struct Signed {
    bytes head;
    bytes32 digest;
    bytes[] signatures;
}

/// The golden vectors in testdata/golden, which the Rust tests read too.
library Golden {
    function certificates() internal view returns (string memory) {
        return vm.readFile("../testdata/golden/certificate.json");
    }

    /// What is signed for the tests here, by the committees of `certificates`.
    function signed() internal view returns (string memory) {
        return vm.readFile("../testdata/golden/foundry.json");
    }

    /// Committee number `index`, from 0, of certificate.json.
    function committee(string memory json, uint256 index) internal pure returns (Committee memory c) {
        string memory path = string.concat(".committees[", vm.toString(index), "].");
        c.epoch = uint64(vm.parseJsonUint(json, string.concat(path, "epoch")));
        c.originalShards = uint16(vm.parseJsonUint(json, string.concat(path, "originalShards")));
        c.totalShards = uint16(vm.parseJsonUint(json, string.concat(path, "totalShards")));
        c.threshold = uint16(vm.parseJsonUint(json, string.concat(path, "threshold")));
        c.maxPayload = uint32(vm.parseJsonUint(json, string.concat(path, "maxPayload")));
        c.members = new Member[](c.totalShards);
        for (uint256 slot = 0; slot < c.totalShards; ++slot) {
            c.members[slot] = member(json, string.concat(path, "members[", vm.toString(slot), "]"));
        }
    }

    function member(string memory json, string memory path) internal pure returns (Member memory) {
        return Member({
            compressedKey: vm.parseJsonBytes(json, string.concat(path, ".publicKey")),
            key: vm.parseJsonBytes(json, string.concat(path, ".publicKeyEip2537")),
            proof: vm.parseJsonBytes(json, string.concat(path, ".proofOfPossessionEip2537"))
        });
    }

    /// The members of the first committee with proofs for the second registry of the deployer.
    function membersOfOtherRegistry() internal view returns (Member[] memory members) {
        members = committee(certificates(), 0).members;
        bytes[] memory proofs = vm.parseJsonBytesArray(signed(), ".otherRegistryProofs");
        for (uint256 slot = 0; slot < members.length; ++slot) {
            members[slot].proof = proofs[slot];
        }
    }

    /// A statement of foundry.json.
    function statement(string memory name) internal view returns (Signed memory) {
        return _signed(signed(), string.concat(".statements['", name, "']"));
    }

    /// A checkpoint of foundry.json.
    function checkpoint(string memory name) internal view returns (Signed memory) {
        return _signed(signed(), string.concat(".checkpoints['", name, "']"));
    }

    function _signed(string memory json, string memory path) private pure returns (Signed memory) {
        return Signed({
            head: vm.parseJsonBytes(json, string.concat(path, ".head")),
            digest: vm.parseJsonBytes32(json, string.concat(path, ".digest")),
            signatures: vm.parseJsonBytesArray(json, string.concat(path, ".signatures"))
        });
    }
}
