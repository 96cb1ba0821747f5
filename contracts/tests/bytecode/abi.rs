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
        uint64 acceptedUntil;
        uint64 revokedAt;
        bool cancelled;
        address keys;
    }

    #[derive(Debug)]
    struct Slot {
        bytes32 keyId;
        address account;
        string endpoint;
        bytes32 tlsPin;
    }

    #[derive(Debug)]
    struct NamespaceInfo {
        address owner;
        uint64 existsFrom;
        uint64 minRetention;
        uint64 nextMinRetention;
        uint64 nextFrom;
        uint64 holdUntil;
        address[] dispersers;
    }

    #[derive(Debug)]
    struct Blob {
        uint32 payloadLength;
        bytes32 payloadDigest;
        uint16 originalShards;
        uint16 totalShards;
        bytes32 shardsRoot;
        bytes32 fingerprintsHash;
    }

    #[derive(Debug)]
    interface Registry {
        function registerKey(bytes key, bytes proof) external returns (bytes32 keyId);
        function keyAccount(bytes32 keyId) external view returns (address);
        function setEndpoint(bytes32 keyId, string endpoint, bytes32 tlsPin) external;
        function endpointOf(bytes32 keyId) external view returns (string endpoint, bytes32 tlsPin);

        function proposeEpoch(bytes keys, address[] accounts, uint16 originalShards, uint16 threshold, uint32 maxPayload, uint64 activeFrom)
            external returns (uint64 epoch);
        function cancelFrom(uint64 epoch) external;
        function revokeEpoch(uint64 epoch) external;
        function epochCount() external view returns (uint64);
        function getEpoch(uint64 epoch) external view returns (Epoch memory);
        function slotsOf(uint64 epoch) external view returns (Slot[] memory slots);
        function slotKeys(uint64 epoch) external view returns (bytes memory keys);
        function activeEpoch(uint64 atTime) external view returns (uint64 epoch);

        function createNamespace(bytes32 salt, uint64 minRetention, address[] dispersers) external returns (bytes32 namespace);
        function setDisperser(bytes32 namespace, address disperser, bool allowed) external;
        function setMinRetention(bytes32 namespace, uint64 minRetention) external;
        function holdNamespace(bytes32 namespace, uint64 until) external;
        function namespaceOf(bytes32 namespace) external view returns (NamespaceInfo memory);

        function governance() external view returns (address);
        function guardian() external view returns (address);
        function delay() external view returns (uint64);
        function overlap() external view returns (uint64);
        function domainSeparator() external view returns (bytes32);
        function version() external pure returns (string);
        function supportsInterface(bytes4 interfaceId) external pure returns (bool);
        function eip712Domain() external view returns (
            bytes1 fields, string name, string version_, uint256 chainId, address verifyingContract, bytes32 salt,
            uint256[] extensions
        );

        function judge(bytes certificate) external view
            returns (uint8 status, bytes32 namespace, bytes32 blobId, bytes32 payloadDigest);
        function requireAvailable(bytes certificate, bytes32 namespace) external view
            returns (bytes32 blobId, bytes32 payloadDigest);
        function verify(bytes certificate, uint64 atTime) external view returns (uint8);
        function verifySignature(bytes certificate) external view returns (uint8);
        function publish(bytes certificate) external returns (bytes32 blobId);

        function judgeCheckpoint(bytes checkpoint) external view
            returns (uint8 status, bytes32 namespace, bytes32 checkpointId, bytes32 blobsRoot);
        function judgeInCheckpoint(bytes32 blobId, bytes proof) external view returns (uint8 status, bytes32 namespace);
        function requireInCheckpoint(bytes32 blobId, bytes proof, bytes32 namespace) external view;
        function verifyCheckpoint(bytes checkpoint, uint64 atTime) external view returns (uint8);
        function verifyInCheckpoint(bytes32 blobId, bytes proof, uint64 atTime) external view returns (uint8);
        function publishCheckpoint(bytes checkpoint) external returns (bytes32 checkpointId);
        function checkpointPublishedAt(bytes32 checkpointId) external view returns (uint64);
        function openPayload(bytes32 blobId, Blob blob, uint256 offset, bytes leaf, bytes32[] path)
            external view returns (uint256 payloadBytes);
        function openCommittedLeaf(bytes32 blobId, Blob blob, uint256 offset, bytes leaf, bytes32[] path)
            external view returns (uint256 payloadBytes);

        event KeyRegistered(bytes32 indexed keyId, address indexed account, bytes compressedKey);
        event Published(
            bytes32 indexed blobId,
            bytes32 indexed namespace,
            bytes32 indexed payloadDigest,
            address publisher,
            bytes32 statementDigest,
            uint64 epoch,
            uint64 retainUntil
        );

        event CheckpointPublished(
            bytes32 indexed checkpointId,
            bytes32 indexed namespace,
            bytes32 indexed blobsRoot,
            address publisher,
            uint64 epoch,
            uint32 count,
            uint64 retainUntil
        );
        event EndpointSet(bytes32 indexed keyId, string endpoint, bytes32 tlsPin);
        event NamespaceHeld(bytes32 indexed namespace, uint64 until);
        event MinRetentionSet(bytes32 indexed namespace, uint64 minRetention, uint64 from);
        event MinRetentionWithdrawn(bytes32 indexed namespace, uint64 minRetention);

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
        error NotGuardianOrGovernance(address sender);
        error TooManyProposals();
        error CreateFailed();
        error OverlapTooLong(uint64 overlap);
        error WrongNamespace(bytes32 namespace);
        error BadParameters(uint256 originalShards, uint256 totalShards, uint256 threshold, uint256 maxPayload);
        error DuplicateKey(bytes32 keyId);
        error AggregateIsIdentity();
        error ActiveTooEarly(uint64 activeFrom, uint64 earliest);
        error UnknownEpoch(uint64 epoch);
        error AlreadyActive(uint64 epoch);
        error NotYetActive(uint64 epoch);
        error AlreadyCancelled(uint64 epoch);
        error AlreadyRevoked(uint64 epoch);
        error ActiveTooLate(uint64 activeFrom, uint64 latest);
        error DelayTooLong(uint64 delay);
        error NamespaceExists(bytes32 namespace);
        error UnknownNamespace(bytes32 namespace);
        error HoldTooShort(uint64 until, uint64 earliest);
        error HoldTooLong(uint64 until, uint64 latest);
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
        function recordCheckpoint(address registry, bytes checkpoint, uint64 atTime) external;
        function tryRecordInCheckpoint(address registry, bytes32 blobId, bytes proof, uint64 atTime) external;
        function tryRecordOpening(
            address registry,
            uint256 gasLimit,
            bytes32 blobId,
            Blob blob,
            uint256 offset,
            bytes leaf,
            bytes32[] path
        ) external;
    }

    interface Harness {
        function hashToG1(bytes message, bytes dst) external view returns (bytes memory);
        function reduce(uint256 hi, uint256 lo) external pure returns (uint256, uint256);
        function add(bytes a, bytes b) external view returns (bytes memory);
        function negate(bytes a) external pure returns (bytes memory);
        function compress(bytes a) external pure returns (bytes memory);
    }
}
