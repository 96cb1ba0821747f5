//! Calls of the registry as data: to send, or for others to sign, such as a Safe or a hardware wallet.

use alloy::{
    primitives::{B256, Bytes},
    sol_types::SolCall,
};
use holdfast_certificate::{Address, CommitteeParameters, Namespace, PublicKey};

use crate::{
    bindings::CommitteeRegistry::{
        cancelFromCall, createNamespaceCall, holdNamespaceCall, proposeEpochCall, revokeEpochCall, setDisperserCall,
        setEndpointCall, setMinRetentionCall,
    },
    convert::{address_out, function_name, key_id},
};

/// A call of the registry that changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryCall {
    /// By governance: the next epoch.
    ProposeEpoch {
        /// The members, in slot order: each key with the account that it belongs to.
        members: Vec<(PublicKey, Address)>,
        /// What the epoch fixes.
        parameters: CommitteeParameters,
        /// Unix seconds; `None` is as soon as the delay allows.
        active_from: Option<u64>,
    },
    /// By guardian or governance: takes a proposal back, and all that were made after it.
    CancelFrom {
        /// The first proposal to take back.
        epoch: u64,
    },
    /// By the guardian: from now on and for ever.
    RevokeEpoch {
        /// The epoch.
        epoch: u64,
    },
    /// Creates the sender's namespace `keccak256(abi.encode(sender, salt))`.
    CreateNamespace {
        /// Tells the sender's namespaces apart.
        salt: [u8; 32],
        /// Seconds.
        min_retention: u64,
        /// Who may disperse in it.
        dispersers: Vec<Address>,
    },
    /// By the namespace's owner.
    SetDisperser {
        /// The namespace.
        namespace: Namespace,
        /// The account whose signature members take a blob from.
        disperser: Address,
        /// Allowed, or no longer.
        allowed: bool,
    },
    /// By the namespace's owner: a raise after an hour, a lowering after the registry's delay. The value in force withdraws
    /// a change that is pending.
    SetMinRetention {
        /// The namespace.
        namespace: Namespace,
        /// Seconds.
        min_retention: u64,
    },
    /// By the guardian: members drop nothing of the namespace before then.
    HoldNamespace {
        /// The namespace.
        namespace: Namespace,
        /// Unix seconds.
        until: u64,
    },
    /// By the account that registered the key: where its member is reached.
    SetEndpoint {
        /// The member's key.
        key: PublicKey,
        /// A URL of at most 255 bytes.
        endpoint: String,
        /// SHA-256 of the public key (DER SubjectPublicKeyInfo) of its TLS certificate; `None` for any.
        tls_pin: Option<[u8; 32]>,
    },
}

/// One argument of a call, as a person or a wallet reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name in the contract.
    pub name: &'static str,
    /// Its Solidity type.
    pub kind: &'static str,
    /// Numbers in decimal, bytes in hex, arrays as `[a,b]`.
    pub value: String,
}

impl RegistryCall {
    /// The contract function's name.
    #[must_use]
    pub fn function(&self) -> &'static str {
        function_name(match self {
            Self::ProposeEpoch { .. } => proposeEpochCall::SIGNATURE,
            Self::CancelFrom { .. } => cancelFromCall::SIGNATURE,
            Self::RevokeEpoch { .. } => revokeEpochCall::SIGNATURE,
            Self::CreateNamespace { .. } => createNamespaceCall::SIGNATURE,
            Self::SetDisperser { .. } => setDisperserCall::SIGNATURE,
            Self::SetMinRetention { .. } => setMinRetentionCall::SIGNATURE,
            Self::HoldNamespace { .. } => holdNamespaceCall::SIGNATURE,
            Self::SetEndpoint { .. } => setEndpointCall::SIGNATURE,
        })
    }

    /// The transaction's input: selector and arguments in the ABI's encoding.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        match self {
            Self::ProposeEpoch { members, parameters, active_from } => proposeEpochCall {
                keys: Bytes::from(keys_of(members)),
                accounts: members.iter().map(|(_, account)| address_out(*account)).collect(),
                originalShards: parameters.original_shards(),
                threshold: parameters.threshold(),
                maxPayload: parameters.max_payload(),
                activeFrom: active_from.unwrap_or(0),
            }
            .abi_encode(),
            Self::CancelFrom { epoch } => cancelFromCall { epoch: *epoch }.abi_encode(),
            Self::RevokeEpoch { epoch } => revokeEpochCall { epoch: *epoch }.abi_encode(),
            Self::CreateNamespace { salt, min_retention, dispersers } => createNamespaceCall {
                salt: B256::from(*salt),
                minRetention: *min_retention,
                dispersers: dispersers.iter().copied().map(address_out).collect(),
            }
            .abi_encode(),
            Self::SetDisperser { namespace, disperser, allowed } => setDisperserCall {
                namespace: B256::from(namespace.to_bytes()),
                disperser: address_out(*disperser),
                allowed: *allowed,
            }
            .abi_encode(),
            Self::SetMinRetention { namespace, min_retention } => {
                setMinRetentionCall { namespace: B256::from(namespace.to_bytes()), minRetention: *min_retention }
                    .abi_encode()
            }
            Self::HoldNamespace { namespace, until } => {
                holdNamespaceCall { namespace: B256::from(namespace.to_bytes()), until: *until }.abi_encode()
            }
            Self::SetEndpoint { key, endpoint, tls_pin } => setEndpointCall {
                keyId: key_id(key),
                endpoint: endpoint.clone(),
                tlsPin: B256::from(tls_pin.unwrap_or_default()),
            }
            .abi_encode(),
        }
    }

    /// The arguments, in the order of the contract.
    #[must_use]
    pub fn arguments(&self) -> Vec<Argument> {
        let argument = |name, kind, value: String| Argument { name, kind, value };
        match self {
            Self::ProposeEpoch { members, parameters, active_from } => vec![
                argument("keys", "bytes", format!("0x{}", hex::encode(keys_of(members)))),
                argument("accounts", "address[]", list(members.iter().map(|(_, account)| account))),
                argument("originalShards", "uint16", parameters.original_shards().to_string()),
                argument("threshold", "uint16", parameters.threshold().to_string()),
                argument("maxPayload", "uint32", parameters.max_payload().to_string()),
                argument("activeFrom", "uint64", active_from.unwrap_or(0).to_string()),
            ],
            Self::CancelFrom { epoch } | Self::RevokeEpoch { epoch } => {
                vec![argument("epoch", "uint64", epoch.to_string())]
            }
            Self::CreateNamespace { salt, min_retention, dispersers } => vec![
                argument("salt", "bytes32", format!("0x{}", hex::encode(salt))),
                argument("minRetention", "uint64", min_retention.to_string()),
                argument("dispersers", "address[]", list(dispersers)),
            ],
            Self::SetDisperser { namespace, disperser, allowed } => vec![
                argument("namespace", "bytes32", namespace.to_string()),
                argument("disperser", "address", disperser.to_string()),
                argument("allowed", "bool", allowed.to_string()),
            ],
            Self::SetMinRetention { namespace, min_retention } => vec![
                argument("namespace", "bytes32", namespace.to_string()),
                argument("minRetention", "uint64", min_retention.to_string()),
            ],
            Self::HoldNamespace { namespace, until } => vec![
                argument("namespace", "bytes32", namespace.to_string()),
                argument("until", "uint64", until.to_string()),
            ],
            Self::SetEndpoint { key, endpoint, tls_pin } => vec![
                argument("keyId", "bytes32", key.id().to_string()),
                argument("endpoint", "string", endpoint.clone()),
                argument("tlsPin", "bytes32", format!("0x{}", hex::encode(tls_pin.unwrap_or_default()))),
            ],
        }
    }
}

/// The members' keys in EIP-2537 layout, one after the other.
fn keys_of(members: &[(PublicKey, Address)]) -> Vec<u8> {
    members.iter().flat_map(|(key, _)| key.to_eip2537()).collect()
}

fn list(items: impl IntoIterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::SecretKey;
    use holdfast_erasure::{Parameters, keccak256};

    use super::*;

    #[derive(serde::Deserialize)]
    struct Artifact {
        abi: Vec<Entry>,
    }

    #[derive(serde::Deserialize)]
    struct Entry {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        name: String,
        #[serde(default)]
        inputs: Vec<Input>,
    }

    #[derive(serde::Deserialize)]
    struct Input {
        name: String,
        #[serde(rename = "type")]
        kind: String,
    }

    #[test]
    fn names_and_types_of_arguments_are_the_contract_s() {
        let master = SecretKey::derive_master(&[5; 32]).expect("a seed of 32 bytes");
        let code = Parameters::new(2, 4).expect("parameters");
        let calls = [
            RegistryCall::ProposeEpoch {
                members: (0u8..4)
                    .map(|index| (master.derive_child(index.into()).public_key(), Address::from([index; 20])))
                    .collect(),
                parameters: CommitteeParameters::new(code, 3, 1 << 20).expect("parameters"),
                active_from: Some(77),
            },
            RegistryCall::CancelFrom { epoch: 1 },
            RegistryCall::RevokeEpoch { epoch: 2 },
            RegistryCall::CreateNamespace {
                salt: [1; 32],
                min_retention: 3600,
                dispersers: vec![Address::from([2; 20]), Address::from([3; 20])],
            },
            RegistryCall::SetDisperser {
                namespace: Namespace::from([4; 32]),
                disperser: Address::from([5; 20]),
                allowed: true,
            },
            RegistryCall::SetMinRetention { namespace: Namespace::from([4; 32]), min_retention: 7200 },
            RegistryCall::HoldNamespace { namespace: Namespace::from([4; 32]), until: 1_900_000_000 },
            RegistryCall::SetEndpoint {
                key: master.derive_child(0).public_key(),
                endpoint: "https://m0.example:7400".to_owned(),
                tls_pin: Some([6; 32]),
            },
        ];
        let artifact: Artifact =
            serde_json::from_str(include_str!("../artifacts/CommitteeRegistry.json")).expect("the artifact");
        for call in calls {
            let mut functions = artifact.abi.iter().filter(|entry| entry.kind == "function");
            let function = functions.find(|entry| entry.name == call.function()).expect("a function of the contract");
            let expected: Vec<_> =
                function.inputs.iter().map(|input| (input.name.as_str(), input.kind.as_str())).collect();
            let arguments = call.arguments();
            let got: Vec<_> = arguments.iter().map(|argument| (argument.name, argument.kind)).collect();
            assert_eq!(got, expected, "{call:?}");
            // What a wallet encodes from the arguments begins like what we encode.
            let types: Vec<_> = arguments.iter().map(|argument| argument.kind).collect();
            let signature = format!("{}({})", call.function(), types.join(","));
            assert_eq!(call.data()[..4], keccak256(signature.as_bytes()).as_bytes()[..4], "{call:?}");
        }
    }
}
