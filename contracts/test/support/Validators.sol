// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What `NitroValidator` reverts with.
interface INitroErrors {
    error NoCertificate();
    error OtherCertificate(bytes32 got);
    error InvalidCertificate();
    error BadOffset(uint256 offset);
    error BadOpening();
}

/// What `PubdataValidator` reverts with.
interface IPubdataErrors {
    error BadInput();
    error OtherPubdata(bytes32 payloadDigest);
}

/// Where the compiled validators are.
abstract contract Validators {
    string internal constant COMPILED_NITRO = "target/forge/out/NitroValidator.sol/NitroValidator.json";
    string internal constant COMPILED_PUBDATA = "target/forge/out/PubdataValidator.sol/PubdataValidator.json";
}
