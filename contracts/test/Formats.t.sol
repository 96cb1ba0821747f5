// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Status} from "../interfaces/Status.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// Certificates of another form than signers sign, and of other parameters than their epoch's. A form that is well is
/// only ever refused for what was signed.
contract FormatsTest is Fixture {
    uint64 private constant HOUR = 3600;

    Signed private what;
    bytes private byShard;
    bytes private byPayload;
    uint64 private wholeUntil;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(2);
        what = Golden.statement("n7");
        byShard = Certify.by(what, 0x6f);
        byPayload = Certify.by(Golden.statement("n7 by payload"), 0x3f);
        wholeUntil = uint64(bytes8(Certify.slice(byPayload, Certify.WHOLE_UNTIL, Certify.RETAIN_UNTIL)));
        vm.warp(during(2));
        expect(byShard, Status.OK, "as signed");
        expect(byPayload, Status.OK, "as signed");
    }

    function test_times_off_the_hourly_grid() external view {
        uint64[6] memory off = [uint64(1), 59, 60, 1800, HOUR - 1, HOUR + 1];
        for (uint256 i = 0; i < off.length; ++i) {
            _is(_retain(byShard, retainUntil + off[i]), Status.MALFORMED, "retainUntil");
            _is(_whole(byPayload, wholeUntil - off[i]), Status.MALFORMED, "wholeUntil");
        }
        // On the grid it is another statement.
        _is(_retain(byShard, retainUntil + HOUR), Status.BAD_SIGNATURE, "retainUntil");
        _is(_whole(byPayload, wholeUntil - HOUR), Status.BAD_SIGNATURE, "wholeUntil");
        _is(_retain(byShard, type(uint64).max / HOUR * HOUR), Status.BAD_SIGNATURE, "the last hour of all");
        _is(_retain(byShard, type(uint64).max), Status.MALFORMED, "the last second of all");
    }

    function test_whole_until_is_at_most_retain_until() external view {
        _is(_whole(byPayload, retainUntil), Status.BAD_SIGNATURE, "the same");
        _is(_whole(byPayload, retainUntil + HOUR), Status.MALFORMED, "an hour later");
        _is(_whole(byPayload, type(uint64).max / HOUR * HOUR), Status.MALFORMED, "the last hour of all");
    }

    function test_whole_until_is_zero_exactly_by_shard() external view {
        _is(_whole(byShard, HOUR), Status.MALFORMED, "by shard, kept whole");
        _is(_whole(byPayload, 0), Status.MALFORMED, "by payload, never whole");
        _is(Certify.edit(byPayload, 45, new bytes(32)), Status.MALFORMED, "the digest taken away");
        _is(Certify.edit(byShard, 45, abi.encode(1)), Status.MALFORMED, "a digest put in");
        _is(Certify.edit(byPayload, 45, abi.encode(1)), Status.BAD_SIGNATURE, "another digest");
        _is(Certify.edit(byPayload, 45, abi.encode(1 << 255)), Status.BAD_SIGNATURE, "another digest");
    }

    function test_payload_lengths() external view {
        uint32 most = 32 << 20;
        _is(_length(0), Status.MALFORMED, "empty");
        _is(_length(1), Status.BAD_SIGNATURE, "the shortest");
        _is(_length(most), Status.BAD_SIGNATURE, "the longest");
        _is(_length(most + 1), Status.WRONG_PARAMETERS, "longer than the epoch allows");
        _is(_length(type(uint32).max), Status.WRONG_PARAMETERS, "longer than the epoch allows");
    }

    function test_versions_and_lengths() external view {
        for (uint256 version = 0; version < 256; ++version) {
            if (version != 1) _is(Certify.edit(byShard, 0, abi.encodePacked(uint8(version))), Status.MALFORMED, "version");
        }
        for (uint256 length = 0; length < 2 * 321; ++length) {
            if (length == 321) continue;
            bytes memory other = length < 321
                ? Certify.slice(byShard, 0, length)
                : bytes.concat(byShard, Certify.slice(byShard, 0, length - 321));
            _is(other, Status.MALFORMED, "length");
        }
    }

    function test_codes_of_another_committee() external view {
        for (uint16 k = 0; k < 9; ++k) {
            if (k == 2) continue;
            bytes memory other = Certify.edit(byShard, Certify.ORIGINAL_SHARDS, abi.encodePacked(k));
            _is(other, Status.WRONG_PARAMETERS, "k");
        }
        // Of fewer slots than signed, a signer does not exist.
        for (uint16 n = 0; n < 12; ++n) {
            if (n == 7) continue;
            bytes memory other = Certify.edit(byShard, Certify.TOTAL_SHARDS, abi.encodePacked(n));
            _is(other, n < 7 ? Status.MALFORMED : Status.WRONG_PARAMETERS, "n");
        }
    }

    function test_signers_past_the_last_slot() external view {
        bytes memory signature = Certify.sum(what, 0x6f);
        for (uint256 slot = 7; slot < 256; ++slot) {
            _is(Certify.with(what, 0x6f | 1 << slot, signature), Status.MALFORMED, "no such slot");
        }
    }

    function test_points_that_are_not_canonical() external view {
        bytes memory p =
            hex"1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
        uint256 at_ = Certify.SIGNATURE;
        // Either coordinate the modulus itself, one less, and with a bit in the 16 bytes before it.
        for (uint256 c = 0; c < 2; ++c) {
            uint256 place = at_ + 64 * c;
            _is(Certify.edit(byShard, place + 16, p), Status.MALFORMED, "the modulus");
            bytes memory less = bytes.concat(p);
            less[47] = 0xaa;
            _is(Certify.edit(byShard, place + 16, less), Status.BAD_SIGNATURE, "one less");
            for (uint256 i = 0; i < 16; ++i) {
                bytes memory high = bytes.concat(byShard);
                high[place + i] = 0x01;
                _is(high, Status.MALFORMED, "a bit too high");
            }
        }
        _is(Certify.edit(byShard, at_, new bytes(128)), Status.MALFORMED, "infinity");
        // A coordinate of zero alone is no infinity.
        _is(Certify.edit(byShard, at_, new bytes(64)), Status.BAD_SIGNATURE, "x is zero");
        _is(Certify.edit(byShard, at_ + 64, new bytes(64)), Status.BAD_SIGNATURE, "y is zero");
    }

    function _is(bytes memory certificate, Status expected, string memory what_) private view {
        expect(certificate, expected, what_);
        expectGenuine(certificate, expected, what_);
    }

    function _retain(bytes memory certificate, uint64 time) private pure returns (bytes memory) {
        return Certify.edit(certificate, Certify.RETAIN_UNTIL, abi.encodePacked(time));
    }

    function _whole(bytes memory certificate, uint64 time) private pure returns (bytes memory) {
        return Certify.edit(certificate, Certify.WHOLE_UNTIL, abi.encodePacked(time));
    }

    function _length(uint32 length) private view returns (bytes memory) {
        return Certify.edit(byShard, Certify.PAYLOAD_LENGTH, abi.encodePacked(length));
    }
}
