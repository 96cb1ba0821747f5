//! Puts a file on a committee and gets it back.
//!
//! ```text
//! cargo run --release -p holdfast-client --example put_get -- committee.json KEY_FILE NAMESPACE FILE
//! cargo run --release -p holdfast-client --example put_get -- http://127.0.0.1:8545 REGISTRY KEY_FILE NAMESPACE FILE
//! ```
//!
//! `KEY_FILE` holds the disperser's secp256k1 key as 64 hexadecimal digits. On a devnet these are
//! `holdfast-devnet/committee.json`, `holdfast-devnet/disperser.key` and the namespace in `holdfast-devnet/client.toml`.

use std::{error::Error, fs, sync::Arc};

use holdfast_certificate::{CommitteeFile, DisperserKey};
use holdfast_client::{ChainRegistry, Client, DisperseOptions, RetrieveOptions};
use holdfast_registry::{FileRegistry, Registry};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (registry, rest): (Arc<dyn Registry>, &[&str]) = match arguments.as_slice() {
        [rpc, registry, rest @ ..] if rpc.starts_with("http") => {
            (Arc::new(ChainRegistry::connect(rpc, registry.parse()?).await?), rest)
        }
        [committee, rest @ ..] => {
            let file = CommitteeFile::parse(&fs::read_to_string(committee)?)?;
            (Arc::new(FileRegistry::from_file(file)?), rest)
        }
        [] => return Err("expected: (COMMITTEE_FILE | RPC REGISTRY) KEY_FILE NAMESPACE FILE".into()),
    };
    let [key, namespace, file] = rest else {
        return Err("expected: (COMMITTEE_FILE | RPC REGISTRY) KEY_FILE NAMESPACE FILE".into());
    };
    let digits = fs::read_to_string(key)?;
    let key = DisperserKey::from_hex(&format!("0x{}", digits.trim().trim_start_matches("0x")))?;
    let payload = fs::read(file)?;

    let client = Client::builder().registry(registry).namespace(namespace.parse()?).disperser(key).build()?;
    let put = client.disperse(payload.clone(), DisperseOptions::by_shard()).await?;
    println!("blob {}, attested by slots {:?}", put.certificate.statement.blob.id(), put.attested);
    println!("certificate 0x{}", hex::encode(put.certificate.encode()));
    for failure in &put.failures {
        println!("{failure}");
    }

    let got = client.retrieve(&put.certificate, RetrieveOptions::default()).await?;
    println!("{} bytes back from slots {:?}", got.payload.len(), got.from);
    for fault in &got.faults {
        println!("{fault}");
    }
    assert!(got.payload == payload, "a retrieval returns what was dispersed");
    client.close().await;
    Ok(())
}
