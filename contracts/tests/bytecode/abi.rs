//! The contracts' interfaces, written down a second time: a change of the ABI shows here.

alloy::sol! {
    #[derive(Debug)]
    struct Epoch {
        uint16 originalShards;
        uint16 totalShards;
        uint16 threshold;
        uint32 maxPayload;
        uint64 activeFrom;
        uint64 activeUntil;
        uint64 revokedAt;
        bool cancelled;
        address keys;
    }

    #[derive(Debug)]
    interface Registry {
        function registerKey(bytes pk, bytes pop) external returns (bytes32 keyId);
        function keyAccount(bytes32 keyId) external view returns (address);
        function setEndpoint(bytes32 keyId, string endpoint) external;
        function endpointOf(bytes32 keyId) external view returns (string);

        function proposeEpoch(bytes32[] keyIds, uint16 originalShards, uint16 threshold, uint32 maxPayload, uint64 activeFrom)
            external returns (uint64 epoch);
        function cancelEpoch(uint64 epoch) external;
        function revokeEpoch(uint64 epoch) external;
        function epochCount() external view returns (uint64);
        function getEpoch(uint64 epoch) external view returns (Epoch memory);
        function epochKeys(uint64 epoch) external view returns (bytes32[] memory keyIds);
        function slotKeys(uint64 epoch) external view returns (bytes memory keys);
        function activeEpoch(uint64 atTime) external view returns (uint64 epoch);

        function createNamespace(bytes32 salt, uint64 minRetention, address[] dispersers) external returns (bytes32 namespace);
        function setDisperser(bytes32 namespace, address disperser, bool allowed) external;
        function namespaceOf(bytes32 namespace) external view returns (address owner, uint64 minRetention);
        function isDisperser(bytes32 namespace, address disperser) external view returns (bool);
        function dispersersOf(bytes32 namespace) external view returns (address[] memory);

        function domainSeparator() external view returns (bytes32);
        function verify(bytes certificate, uint64 atTime) external view returns (uint8);
        function verifySignature(bytes certificate) external view returns (uint8);
        function publish(bytes certificate) external;

        event KeyRegistered(bytes32 indexed keyId, address indexed account, bytes compressedKey);
        event Published(
            bytes32 indexed blobId,
            bytes32 indexed namespace,
            bytes32 indexed payloadDigest,
            uint64 epoch,
            uint64 retainUntil
        );

        error BadLength();
        error PointAtInfinity();
        error BadProofOfPossession();
        error KeyAlreadyRegistered(bytes32 keyId);
        error UnknownKey(bytes32 keyId);
        error NotKeyAccount(address account);
        error EndpointTooLong(uint256 length);
        error ZeroGovernance();
        error NotGovernance(address sender);
        error NotGuardian(address sender);
        error BadParameters(uint256 originalShards, uint256 totalShards, uint256 threshold, uint256 maxPayload);
        error DuplicateKey(bytes32 keyId);
        error AggregateIsIdentity();
        error ActiveTooEarly(uint64 activeFrom, uint64 earliest);
        error UnknownEpoch(uint64 epoch);
        error AlreadyActive(uint64 epoch);
        error NotYetActive(uint64 epoch);
        error AlreadyCancelled(uint64 epoch);
        error AlreadyRevoked(uint64 epoch);
        error NamespaceExists(bytes32 namespace);
        error NotNamespaceOwner(address owner);
        error ZeroDisperser();
        error TooManyDispersers();
        error RetentionTooLong(uint64 minRetention);
        error NotAvailable(uint8 status);
        error PrecompileFailed();
        error InsufficientGas();
    }

    interface Consumer {
        function recorded() external view returns (uint256);
        function record(address registry, bytes certificate, uint64 atTime) external;
        function tryRecord(address registry, bytes certificate, uint64 atTime) external;
    }

    interface Harness {
        function hashToG1(bytes message, bytes dst) external view returns (bytes memory);
        function add(bytes a, bytes b) external view returns (bytes memory);
        function negate(bytes a) external pure returns (bytes memory);
        function compress(bytes a) external pure returns (bytes memory);
    }
}
