// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IAvailability} from "../interfaces/IAvailability.sol";
import {Certify} from "./support/Certify.sol";
import {Fixture} from "./support/Fixture.sol";
import {Golden, Signed} from "./support/Golden.sol";
import {vm} from "./support/Vm.sol";

/// What calls may cost, as transactions of their own: by shard and by payload, good and bad. To the unit it stands in
/// gas-snapshot.txt.
/// forge-config: default.isolate = true
contract GasTest is Fixture {
    Signed private byShard;
    Signed private byPayload;

    function setUp() external {
        deploy();
        createNamespace();
        proposeCommittees(3);
        byShard = Golden.statement("n20");
        byPayload = Golden.statement("n7 by payload");
        vm.warp(during(3));
    }

    function test_a_good_certificate() external {
        bytes memory good = Certify.by(byShard, Certify.all(byShard));
        vm.assertLt(_judge(good), 152_750, "judge");
        vm.assertLt(_gas(abi.encodeCall(IAvailability.verify, (good, during(3)))), 152_900, "verify");
        vm.assertLt(_gas(abi.encodeCall(IAvailability.publish, (good))), 155_500, "publish");
        vm.warp(during(2));
        vm.assertLt(_judge(Certify.by(byPayload, 0x7f)), 153_500, "judge, by payload");
    }

    /// The first missing signature costs a little more than each other one, wherever they are.
    function test_missing_signatures() external {
        uint256 all = Certify.all(byShard);
        uint256 before = _judge(Certify.by(byShard, all));
        for (uint256 missing = 1; missing <= 3; ++missing) {
            all &= ~(1 << (missing * 6));
            uint256 used = _judge(Certify.by(byShard, all));
            // The signature's own bytes cost more or less: 12 for each that is zero.
            vm.assertLt(used - before, missing == 1 ? 1_174 : 1_024, "one more");
            before = used;
        }
    }

    function test_a_bad_certificate() external {
        bytes memory point = Certify.sum(byShard, 0x1ffff);
        vm.assertLt(_judge(Certify.with(byShard, 0xfffff, point)), 160_000, "of others");
        point[127] ^= 0x01;
        uint256 offCurve = _judge(Certify.with(byShard, 0x1ffff, point));
        vm.assertLt(offCurve, 260_000, "off the curve");
        vm.assertGt(offCurve, 220_000, "off the curve: what the pairing was given is gone");
    }

    function test_publishing_needs_no_gas_limit_of_twice_its_cost() external {
        bytes memory call = abi.encodeCall(IAvailability.publish, (Certify.by(byShard, Certify.all(byShard))));
        uint256 limit = 150_000;
        bool ok;
        while (!ok) {
            limit += 500;
            (ok,) = address(registry).call{gas: limit}(call);
        }
        // Without the transaction's own gas and its calldata, 27 thousand, which are not the call's to have.
        vm.assertLt(limit + 27_000, 260_000, "gas limit");
        vm.assertGt(limit, 160_000, "the pairing's gas is asked for before it is needed");
    }

    function _judge(bytes memory certificate) private returns (uint256) {
        return _gas(abi.encodeCall(IAvailability.judge, (certificate)));
    }

    function _gas(bytes memory call) private returns (uint256) {
        (bool ok,) = address(registry).call(call);
        vm.assertTrue(ok, "called");
        return vm.lastCallGas().gasTotalUsed;
    }
}
