//! Transactions for a Safe to sign: files that the Safe{Wallet} Transaction Builder imports.
//!
//! The format is that of safe-global/safe-react-apps, `apps/tx-builder/src/typings/models.ts`, and the checksum that of
//! its `lib/checksum.ts`. This program never sees a governance key: it writes down what is to be signed.

use std::{fmt::Write as _, path::Path};

use holdfast_certificate::{Address, Domain};
use holdfast_contracts::RegistryCall;
use holdfast_erasure::keccak256;
use serde::Serialize;
use serde_json::Value;

use crate::{target, times::now};

/// The version of the Transaction Builder whose format this is.
const BUILDER_VERSION: &str = "1.18.0";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    version: &'static str,
    chain_id: String,
    /// Milliseconds.
    created_at: u64,
    meta: Meta,
    transactions: Vec<Transaction>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: String,
    description: String,
    tx_builder_version: &'static str,
    created_from_safe_address: String,
    created_from_owner_address: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    to: String,
    value: &'static str,
    data: String,
    contract_method: Method,
    contract_inputs_values: serde_json::Map<String, Value>,
}

#[derive(Serialize)]
struct Method {
    inputs: Vec<Input>,
    name: &'static str,
    payable: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    internal_type: &'static str,
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
}

/// Writes one call of the registry for `safe` to sign.
pub(crate) fn write(
    path: &Path,
    domain: &Domain,
    safe: Address,
    name: &str,
    description: &str,
    call: &RegistryCall,
) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(&batch(domain, safe, name, description, call, now())?)?;
    target::write(path, (json + "\n").as_bytes())
}

fn batch(
    domain: &Domain,
    safe: Address,
    name: &str,
    description: &str,
    call: &RegistryCall,
    now: u64,
) -> anyhow::Result<Batch> {
    let arguments = call.arguments();
    let mut batch = Batch {
        version: "1.0",
        chain_id: domain.chain_id.to_string(),
        created_at: now.saturating_mul(1000),
        meta: Meta {
            name: name.to_owned(),
            description: description.to_owned(),
            tx_builder_version: BUILDER_VERSION,
            created_from_safe_address: safe.to_string(),
            created_from_owner_address: "",
            checksum: None,
        },
        transactions: vec![Transaction {
            to: domain.registry.to_string(),
            value: "0",
            data: format!("0x{}", hex::encode(call.data())),
            contract_method: Method {
                inputs: arguments
                    .iter()
                    .map(|argument| Input { internal_type: argument.kind, name: argument.name, kind: argument.kind })
                    .collect(),
                name: call.function(),
                payable: false,
            },
            contract_inputs_values: arguments
                .into_iter()
                .map(|argument| (argument.name.to_owned(), Value::String(argument.value)))
                .collect(),
        }],
    };
    batch.meta.checksum = Some(checksum(&serde_json::to_value(&batch)?));
    Ok(batch)
}

/// The Transaction Builder's checksum over a batch that has none yet; it warns when a file does not match it. The name
/// is not part of it.
fn checksum(batch: &Value) -> String {
    let mut batch = batch.clone();
    if let Some(meta) = batch.get_mut("meta") {
        meta["name"] = Value::Null;
    }
    let mut text = String::new();
    serialize(&batch, &mut text);
    keccak256(text.as_bytes()).to_string()
}

/// `{["key","key"]value,value,}` with the keys in order, arrays as in JSON.
fn serialize(value: &Value, text: &mut String) {
    match value {
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                serialize(value, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let names: Value = keys.iter().map(|key| Value::String((*key).clone())).collect();
            // Writing to a string cannot fail.
            let _ = write!(text, "{{{names}");
            for key in keys {
                serialize(&map[key], text);
                text.push(',');
            }
            text.push('}');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_checksum_is_the_transaction_builder_s() {
        // A batch that the Transaction Builder itself wrote, published as an example of its format.
        let batch = json!({
            "version": "1.0",
            "chainId": "1",
            "createdAt": 1_761_326_849_944_u64,
            "meta": {
                "name": "Transactions Batch",
                "description": "",
                "txBuilderVersion": "1.18.2",
                "createdFromSafeAddress": "0xA77DE01e157f9f57C7c4A326eeE9C4874D0598b6",
                "createdFromOwnerAddress": ""
            },
            "transactions": [{
                "to": "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
                "value": "0",
                "data": null,
                "contractMethod": {
                    "inputs": [
                        {"internalType": "address", "name": "spender", "type": "address"},
                        {"internalType": "uint256", "name": "value", "type": "uint256"}
                    ],
                    "name": "approve",
                    "payable": false
                },
                "contractInputsValues": {
                    "spender": "0x474e5Ded6b5D078163BFB8F6dBa355C3aA5478C8",
                    "value": "100000000000"
                }
            }]
        });
        assert_eq!(checksum(&batch), "0x8b5032f716845c8b08bab3d63dbd9ba92e056f3557793cd041e59b84e16aa989");
    }

    #[test]
    fn a_batch_names_the_call_twice_and_both_say_the_same() {
        let domain = Domain { chain_id: 5, registry: Address::from([7; 20]) };
        let call = RegistryCall::RevokeEpoch { epoch: 3 };
        let batch = batch(&domain, Address::from([9; 20]), "n", "d", &call, 12).expect("a batch");
        let json = serde_json::to_value(&batch).expect("JSON");
        assert_eq!(
            (&json["version"], &json["chainId"], &json["createdAt"]),
            (&json!("1.0"), &json!("5"), &json!(12000))
        );
        assert_eq!(json["meta"]["createdFromSafeAddress"], format!("0x{}", "09".repeat(20)));
        let transaction = &json["transactions"][0];
        assert_eq!(transaction["to"], format!("0x{}", "07".repeat(20)));
        assert_eq!(transaction["value"], "0");
        let selector = hex::encode(&keccak256(b"revokeEpoch(uint64)").as_bytes()[..4]);
        assert_eq!(transaction["data"], format!("0x{selector}{:064x}", 3));
        assert_eq!(transaction["contractMethod"]["name"], "revokeEpoch");
        assert_eq!(transaction["contractInputsValues"], json!({"epoch": "3"}));
    }
}
