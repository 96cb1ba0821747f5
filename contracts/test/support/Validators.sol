// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// So that the validators are compiled as their artifacts are, and not only as the tests that name them.
import {NitroValidator} from "../../validators/NitroValidator.sol";
import {PubdataValidator} from "../../validators/PubdataValidator.sol";

/// Where the compiled validators are.
abstract contract Validators {
    string internal constant COMPILED_NITRO = "target/forge/out/NitroValidator.sol/NitroValidator.json";
    string internal constant COMPILED_PUBDATA = "target/forge/out/PubdataValidator.sol/PubdataValidator.json";

    function asNitro(address deployed) internal pure returns (NitroValidator) {
        return NitroValidator(deployed);
    }

    function asPubdata(address deployed) internal pure returns (PubdataValidator) {
        return PubdataValidator(deployed);
    }
}
