// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Blob} from "../interfaces/Blob.sol";
import {IAvailability} from "../interfaces/IAvailability.sol";
import {Status} from "../interfaces/Status.sol";
import {IPubdataValidator, L1DAValidatorOutput} from "../validators/IPubdataValidator.sol";
import {Certify} from "./support/Certify.sol";
import {Golden} from "./support/Golden.sol";
import {Signing} from "./support/Signing.sol";
import {IPubdataErrors, Validators} from "./support/Validators.sol";
import {vm} from "./support/Vm.sol";

/// A batch of a chain of the ZK Stack, and the operators who would commit it without its data.
contract PubdataValidatorTest is Signing, Validators {
    bytes32 private constant STATE = keccak256("state differences");
    uint64 private constant EPOCH = 4;

    IPubdataValidator private validator;
    Blob private blob;
    bytes private certificate;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(4);
        vm.warp(during(EPOCH));
        validator = IPubdataValidator(create(COMPILED_PUBDATA, abi.encode(registry, namespace)));
        blob = opened(1).blob;
        certificate = certify(blob, EPOCH, 0xff);
    }

    function test_a_batch_whose_pubdata_is_certified() external {
        L1DAValidatorOutput memory output = validator.checkDA(271, 7, _committed(), _certified(certificate), 6);
        vm.assertEq(output.stateDiffHash, STATE, "state");
        vm.assertEq(output.blobsLinearHashes.length, 6, "as many as are asked for");
        vm.assertEq(output.blobsOpeningCommitments.length, 6, "as many as are asked for");
        for (uint256 i = 0; i < 6; ++i) {
            vm.assertEq(output.blobsLinearHashes[i], bytes32(0), "no blob");
            vm.assertEq(output.blobsOpeningCommitments[i], bytes32(0), "no blob");
        }
        vm.assertEq(validator.checkDA(271, 7, _committed(), _certified(certificate), 0).blobsLinearHashes.length, 0, "none");
    }

    function test_a_batch_whose_pubdata_is_in_a_published_checkpoint() external {
        (bytes memory encoded, bytes memory proof) = checkpoint(blobIdOf(blob), EPOCH, 0xff);
        bytes memory given = _inCheckpoint(blob, proof);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.UNKNOWN_CHECKPOINT));
        validator.checkDA(271, 7, _committed(), given, 6);
        registry.publishCheckpoint(encoded);
        vm.assertEq(validator.checkDA(271, 7, _committed(), given, 6).stateDiffHash, STATE, "state");

        // The fields of the blob are the operator's word until the id has them.
        Blob memory other = blob;
        other.payloadDigest = keccak256("withheld");
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, Status.NOT_INCLUDED));
        validator.checkDA(271, 7, _hash(STATE, other.payloadDigest), _inCheckpoint(other, proof), 6);
        other.payloadDigest = 0;
        (encoded, proof) = checkpoint(blobIdOf(other), EPOCH, 0xff);
        registry.publishCheckpoint(encoded);
        vm.expectRevert(abi.encodeWithSelector(IPubdataErrors.OtherPubdata.selector, bytes32(0)));
        validator.checkDA(271, 7, _hash(STATE, 0), _inCheckpoint(other, proof), 6);
    }

    /// An operator certifies one batch and executes another.
    function test_pubdata_that_was_not_executed() external {
        bytes32[3] memory outputs =
            [_hash(STATE, keccak256("executed")), _hash(keccak256("another state"), blob.payloadDigest), bytes32(0)];
        for (uint256 i = 0; i < outputs.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IPubdataErrors.OtherPubdata.selector, blob.payloadDigest));
            validator.checkDA(271, 7, outputs[i], _certified(certificate), 6);
        }
    }

    /// Nobody has hashed it: zero must not count as the digest that the chain's side happens to say.
    function test_a_certificate_by_shard_is_nobodys_keccak() external {
        Blob memory byShard = blob;
        byShard.payloadDigest = 0;
        bytes memory signed = certify(byShard, EPOCH, 0xff);
        vm.expectRevert(abi.encodeWithSelector(IPubdataErrors.OtherPubdata.selector, bytes32(0)));
        validator.checkDA(271, 7, _hash(STATE, 0), _certified(signed), 6);
    }

    function test_certificates_that_are_not_good_for_this_chain_now() external {
        _refused(certify(blob, EPOCH, 0x7f), Status.BELOW_THRESHOLD);
        _refused(Certify.edit(certificate, Certify.SIGNERS, abi.encode(uint256(0x1ff))), Status.BAD_SIGNATURE);
        _refused(Certify.slice(certificate, 0, 320), Status.MALFORMED);
        _refused("", Status.MALFORMED);
        // Good, and of another rollup: the registry knows that namespace, too.
        vm.warp(during(1) - 1);
        vm.prank(owner);
        registry.createNamespace(otherSalt, MIN_RETENTION, new address[](0));
        vm.warp(during(1));
        bytes memory others = Certify.by(Golden.statement("other namespace"), 0x1f);
        vm.expectRevert(abi.encodeWithSelector(IAvailability.WrongNamespace.selector, otherNamespace));
        validator.checkDA(271, 7, _committed(), _certified(others), 6);
        // What members may drop before the chain's users have had their time.
        vm.warp(retainUntil - MIN_RETENTION + 1);
        _refused(certificate, Status.RETENTION_TOO_SHORT);
    }

    function test_inputs_that_are_none() external {
        bytes[6] memory inputs = [
            bytes(""),
            abi.encodePacked(STATE),
            abi.encodePacked(STATE, uint8(0), certificate),
            abi.encodePacked(STATE, uint8(3), certificate),
            abi.encodePacked(STATE, uint8(2)),
            abi.encodePacked(STATE, uint8(2), new bytes(103))
        ];
        for (uint256 i = 0; i < inputs.length; ++i) {
            vm.expectRevert(abi.encodePacked(IPubdataErrors.BadInput.selector));
            validator.checkDA(271, 7, _committed(), inputs[i], 6);
        }
    }

    function testFuzz_no_noise_is_available(bytes calldata noise, bytes32 output) external {
        bytes[3] memory inputs = [
            bytes(noise), abi.encodePacked(STATE, uint8(1), noise), abi.encodePacked(STATE, uint8(2), blobIdOf(blob), noise)
        ];
        for (uint256 i = 0; i < inputs.length; ++i) {
            (bool ok,) = address(validator).call(abi.encodeCall(validator.checkDA, (271, 7, output, inputs[i], 6)));
            vm.assertFalse(ok, "noise");
        }
    }

    function _refused(bytes memory encoded, Status status) private {
        vm.expectRevert(abi.encodeWithSelector(IAvailability.NotAvailable.selector, status));
        validator.checkDA(271, 7, _committed(), _certified(encoded), 6);
    }

    function _committed() private view returns (bytes32) {
        return _hash(STATE, blob.payloadDigest);
    }

    function _hash(bytes32 state, bytes32 digest) private pure returns (bytes32) {
        return keccak256(bytes.concat(state, digest));
    }

    function _certified(bytes memory encoded) private pure returns (bytes memory) {
        return abi.encodePacked(STATE, uint8(1), encoded);
    }

    function _inCheckpoint(Blob memory b, bytes memory proof) private pure returns (bytes memory) {
        return abi.encodePacked(
            STATE,
            uint8(2),
            b.payloadLength,
            b.payloadDigest,
            b.originalShards,
            b.totalShards,
            b.shardsRoot,
            b.fingerprintsHash,
            proof
        );
    }
}
