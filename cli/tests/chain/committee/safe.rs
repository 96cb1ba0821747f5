//! A Safe Transaction Builder's file, taken apart by hand.

use std::fs;

use holdfast_erasure::keccak256;
use holdfast_l1::{Job, PublishReceipt, Publisher, Until};
use serde_json::Value;

use crate::{committee::l1, support::Devnet};

/// How long a transaction may take until it is final.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(60);

/// The one call in a file.
pub(super) struct Call {
    pub(super) json: Value,
    pub(super) data: Vec<u8>,
}

impl Call {
    /// Reads a file, and holds against each other what it says twice.
    pub(super) fn read(path: &str, signer: &str, devnet: &Devnet) -> Self {
        let json: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!((&json["version"], &json["chainId"]), (&"1.0".into(), &"31337".into()));
        assert_eq!(json["meta"]["createdFromSafeAddress"], signer);
        assert_eq!(json["transactions"].as_array().unwrap().len(), 1);
        let transaction = &json["transactions"][0];
        assert_eq!(transaction["to"], devnet.state()["l1"]["registry"]);
        assert_eq!(transaction["value"], "0");
        let data = hex::decode(transaction["data"].as_str().unwrap().strip_prefix("0x").unwrap()).unwrap();
        let call = Self { data, json };
        let inputs = call.method()["inputs"].as_array().unwrap();
        let types: Vec<_> = inputs.iter().map(|input| input["type"].as_str().unwrap()).collect();
        let signature = format!("{}({})", call.method()["name"].as_str().unwrap(), types.join(","));
        assert_eq!(call.data[..4], keccak256(signature.as_bytes()).as_bytes()[..4], "{signature}");
        call
    }

    fn method(&self) -> &Value {
        &self.json["transactions"][0]["contractMethod"]
    }

    pub(super) fn function(&self) -> &str {
        self.method()["name"].as_str().unwrap()
    }

    /// What the wallet shows for an argument.
    pub(super) fn shown(&self, argument: &str) -> &str {
        self.json["transactions"][0]["contractInputsValues"][argument].as_str().unwrap()
    }

    /// The 32-byte words after the selector, in hex.
    pub(super) fn words(&self) -> Vec<String> {
        assert_eq!((self.data.len() - 4) % 32, 0);
        self.data[4..].chunks(32).map(hex::encode).collect()
    }

    /// Sends the transaction from an account, and waits until it is final.
    pub(super) fn execute(&self, devnet: &Devnet, account: &[u8; 32]) -> PublishReceipt {
        let l1 = l1(devnet);
        let registry = self.json["transactions"][0]["to"].as_str().unwrap().parse().unwrap();
        let job = Job { id: keccak256(&self.data), call: self.data.clone() };
        block_on(async {
            let publisher = Publisher::connect(&l1[1], registry, account).await.unwrap();
            publisher.submit(job.clone()).await.unwrap();
            publisher.wait(&job.id, Until::Finalized, LIMIT).await.unwrap()
        })
    }
}

/// A number as a word of the ABI.
pub(super) fn word(number: u64) -> String {
    format!("{number:064x}")
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
