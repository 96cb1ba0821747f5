// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// So that the validators are compiled as their artifacts are. No test imports this file, nor what it imports: it would be
// compiled as tests are, and there would be two of it.
import {NitroValidator} from "../validators/NitroValidator.sol";
import {PubdataValidator} from "../validators/PubdataValidator.sol";
