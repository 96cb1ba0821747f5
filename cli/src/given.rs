//! What a command is given: a blob id, a certificate or a checkpoint, as text, in a file, or on standard input. What is
//! given instead is named.

use std::path::Path;

use holdfast_certificate::{Certificate, Checkpoint, CheckpointCertificate, Error};
use holdfast_erasure::BlobId;
use serde_json::Value;

use crate::{
    exit::{Exit, fail},
    files::{self, STANDARD},
};

/// First byte of a certificate in compact encoding.
const CERTIFICATE: u8 = 0x01;
/// First byte of a checkpoint, and of no certificate.
const CHECKPOINT: u8 = 0xc1;
/// Bytes of a blob id.
const ID_BYTES: usize = 32;
/// The most members that a committee has.
const MOST_MEMBERS: usize = 126;
/// The fields of `--json` results in which a certificate or checkpoint stands in hex.
const JSON_FIELDS: [&str; 2] = ["certificate", "checkpoint"];

/// Something that has the form of one of the three; nothing else of it was checked.
#[derive(Debug)]
pub(crate) enum Given {
    BlobId(BlobId),
    Certificate(Box<Certificate>),
    Checkpoint(Box<CheckpointCertificate>),
}

impl Given {
    /// Hex, the name of a file with the bytes, with their hex, or with what `--json` has printed, or `-` for standard input.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        Self::of(&bytes(text)?)
    }

    fn of(bytes: &[u8]) -> anyhow::Result<Self> {
        if bytes.len() == ID_BYTES {
            return Ok(Self::BlobId(hex_of(bytes).parse()?));
        }
        match bytes.first() {
            Some(&CHECKPOINT) => match decode_checkpoint(bytes) {
                Ok(checkpoint) => Ok(Self::Checkpoint(Box::new(checkpoint))),
                Err(error) => fail(Exit::Verification, format!("not a checkpoint: {error}")),
            },
            Some(&CERTIFICATE) => match Certificate::decode(bytes) {
                Ok(certificate) => Ok(Self::Certificate(Box::new(certificate))),
                Err(error) => fail(Exit::Verification, format!("not a certificate: {error}")),
            },
            _ => fail(Exit::Verification, format!("not a certificate: this is {}", what_it_is(bytes))),
        }
    }

    /// A certificate; anything else is named.
    pub(crate) fn certificate(text: &str) -> anyhow::Result<Certificate> {
        match Self::read(text)? {
            Self::Certificate(certificate) => Ok(*certificate),
            Self::BlobId(id) => fail(Exit::Usage, format!("{id} is a blob id, expected a certificate")),
            Self::Checkpoint(checkpoint) => {
                fail(Exit::Usage, format!("this is {}, expected a certificate", over(&checkpoint)))
            }
        }
    }

    /// A checkpoint; anything else is named.
    pub(crate) fn checkpoint(text: &str) -> anyhow::Result<CheckpointCertificate> {
        match Self::read(text)? {
            Self::Checkpoint(checkpoint) => Ok(*checkpoint),
            Self::BlobId(id) => fail(Exit::Usage, format!("{id} is a blob id, expected a checkpoint")),
            Self::Certificate(it) => fail(
                Exit::Usage,
                format!("this is the certificate of blob {}, expected a checkpoint", it.statement.blob.id()),
            ),
        }
    }
}

/// A checkpoint as messages call it.
pub(crate) fn over(checkpoint: &CheckpointCertificate) -> String {
    let count = checkpoint.checkpoint.count;
    format!("a checkpoint over {count} blob{}", if count == 1 { "" } else { "s" })
}

/// The bytes that the text, the file of that name or standard input stands for.
fn bytes(text: &str) -> anyhow::Result<Vec<u8>> {
    let path = Path::new(text);
    if text == STANDARD || path.exists() {
        return Ok(unwrapped(files::read(path)?));
    }
    match (hex::decode(text.strip_prefix("0x").unwrap_or(text)), text.starts_with("0x")) {
        (Ok(bytes), _) if bytes.len() >= ID_BYTES => Ok(bytes),
        (Ok(bytes), true) => {
            let count = bytes.len();
            fail(Exit::Usage, format!("{count} bytes are no id (32 bytes) and no certificate or checkpoint"))
        }
        (Err(error), true) => fail(Exit::Usage, format!("{text} is no hex: {error}")),
        _ => fail(Exit::Usage, format!("{text} is no blob id, no certificate or checkpoint in hex, and no file")),
    }
}

/// What a file holds: the bytes themselves, or their hex, or JSON that has the hex in a field.
fn unwrapped(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(&bytes) else { return bytes };
    let text = text.trim();
    if let Ok(Value::Object(json)) = serde_json::from_str(text) {
        let field = JSON_FIELDS.iter().find_map(|field| json.get(*field)?.as_str());
        return field.and_then(|hex| from_hex(hex.trim())).unwrap_or(bytes);
    }
    from_hex(text).unwrap_or(bytes)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok().filter(|bytes| !bytes.is_empty())
}

fn hex_of(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

/// Names what somebody may have mistaken for a certificate.
fn what_it_is(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return format!("{} bytes of something else", bytes.len()) };
    let Ok(Value::Object(json)) = serde_json::from_str::<Value>(text) else {
        return match bytes.len() {
            0 => "empty".to_owned(),
            1..ID_BYTES => format!("{} bytes, and neither an id (32 bytes) nor a certificate", bytes.len()),
            count => format!("text of {count} bytes"),
        };
    };
    let has = |field: &str| json.contains_key(field);
    if has("crypto") || has("Crypto") {
        "a keystore".to_owned()
    } else if has("members") && has("totalShards") {
        "a committee file".to_owned()
    } else if has("proofOfPossession") {
        "a member's card".to_owned()
    } else if has("transactions") {
        "a Safe transaction".to_owned()
    } else {
        format!("JSON without any of the fields {}", JSON_FIELDS.join(", "))
    }
}

/// Decodes a checkpoint of a committee whose size is not known: as large a one as its length allows.
fn decode_checkpoint(bytes: &[u8]) -> Result<CheckpointCertificate, Error> {
    Checkpoint::peek(bytes)?;
    let shortest = CheckpointCertificate::compact_length(1);
    let members = (bytes.len().saturating_sub(shortest) + 1).saturating_mul(8).min(MOST_MEMBERS);
    CheckpointCertificate::decode(bytes, u16::try_from(members).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(bytes: &[u8]) -> String {
        Given::of(&unwrapped(bytes.to_vec())).expect_err("none of the three").to_string()
    }

    #[test]
    fn what_is_given_instead_is_named() {
        for (bytes, expected) in [
            (&b""[..], "this is empty"),
            (b"hello", "5 bytes, and neither an id"),
            (b"not a certificate, but a line of text", "text of 37 bytes"),
            (br#"{"crypto": {}, "version": 4}"#, "a keystore"),
            (br#"{"members": [], "totalShards": 4}"#, "a committee file"),
            (br#"{"operator": "x", "proofOfPossession": "0x"}"#, "a member's card"),
            (br#"{"blobId": "0x12"}"#, "JSON without any of the fields certificate, checkpoint"),
            (&[0xff; 210], "210 bytes of something else"),
        ] {
            let said = says(bytes);
            assert!(said.contains(expected), "{said}");
        }
        let said = bytes("0x1234").expect_err("two bytes").to_string();
        assert_eq!(said, "2 bytes are no id (32 bytes) and no certificate or checkpoint");
    }

    #[test]
    fn an_id_is_read_in_every_dress() {
        let id = format!("0x{}", "ab".repeat(32));
        for file in [id.clone(), format!("{id}\n"), "ab".repeat(32)] {
            assert!(
                matches!(Given::of(&unwrapped(file.into_bytes())), Ok(Given::BlobId(found)) if found.to_string() == id)
            );
        }
        assert!(matches!(Given::read(&id), Ok(Given::BlobId(_))));
    }

    #[test]
    fn fuzz_what_is_given() {
        let certificates = holdfast_fuzz::golden(include_str!("../../testdata/golden/certificate.json"), "compact");
        let checkpoints = holdfast_fuzz::golden(include_str!("../../testdata/golden/checkpoint.json"), "compact");
        let hex = |bytes: &Vec<u8>| format!("0x{}\n", hex::encode(bytes)).into_bytes();
        let json = |bytes: &Vec<u8>| format!("{{\"certificate\": \"0x{}\"}}", hex::encode(bytes)).into_bytes();
        let of_golden = certificates.iter().chain(&checkpoints).flat_map(|it| [it.clone(), hex(it), json(it)]);
        let seeds: Vec<Vec<u8>> = of_golden.chain([vec![7; 32]]).collect();
        holdfast_fuzz::Target::new("what is given", seeds).run(|bytes| {
            let unwrapped = unwrapped(bytes.to_vec());
            match Given::of(&unwrapped) {
                Ok(Given::BlobId(id)) => assert_eq!(id.as_bytes().as_slice(), unwrapped),
                Ok(Given::Certificate(certificate)) => assert_eq!(certificate.encode(), unwrapped),
                Ok(Given::Checkpoint(checkpoint)) => assert_eq!(checkpoint.encode(), unwrapped),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        });
    }
}
