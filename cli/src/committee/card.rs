//! A member's card: what an operator hands to whoever puts a committee together. Nothing on it is secret.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use clap::Args;
use holdfast_certificate::{
    Address, Domain, ProofOfPossession, ProvenKey, PublicKey, Registration, check_endpoint, check_pinned_endpoint,
    is_unfit,
};
use serde::{Deserialize, Serialize};

use crate::{
    exit::{Exit, fail},
    files, keys,
    output::{line, progress},
    registration::RegistrationArgs,
    target,
};

/// The longest operator name, in characters.
const MAX_OPERATOR_CHARS: usize = 64;

/// What goes on a card.
#[derive(Debug, Args)]
pub(crate) struct CardArgs {
    /// The member's keystore (ERC-2335).
    #[arg(long)]
    keystore: PathBuf,
    /// File with its password.
    #[arg(long)]
    password_file: PathBuf,
    /// The URL at which the member will be reached.
    #[arg(long, value_parser = parse_endpoint)]
    endpoint: String,
    /// Who operates the member.
    #[arg(long, value_parser = parse_operator)]
    operator: String,
    /// SHA-256 of the DER SubjectPublicKeyInfo of the member's TLS certificate (RFC 7469), in hex.
    #[arg(long, value_parser = parse_pin)]
    tls_pin: Option<Pin>,
    #[command(flatten)]
    registration: RegistrationArgs,
    /// Write the card to this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    replace: target::Replace,
}

/// Where on L1 a key is registered, and by whom, on a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CardRegistration {
    pub(crate) chain_id: u64,
    pub(crate) registry: Address,
    pub(crate) account: Address,
}

impl From<Registration> for CardRegistration {
    fn from(Registration { domain, account }: Registration) -> Self {
        Self { chain_id: domain.chain_id, registry: domain.registry, account }
    }
}

impl From<CardRegistration> for Registration {
    fn from(CardRegistration { chain_id, registry, account }: CardRegistration) -> Self {
        Self { domain: Domain { chain_id, registry }, account }
    }
}

/// The pin of a TLS key: the hash of its SubjectPublicKeyInfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Pin(pub(crate) [u8; 32]);

/// A member's card.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Card {
    version: u64,
    pub(crate) operator: String,
    pub(crate) public_key: PublicKey,
    pub(crate) proof_of_possession: ProofOfPossession,
    pub(crate) endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tls_pin: Option<Pin>,
    /// Where on L1 the key is registered and by whom; the proof is good for that alone. A card for a committee without L1
    /// has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) registration: Option<CardRegistration>,
}

impl Card {
    const VERSION: u64 = 1;

    /// Reads a card and checks it: version, texts, and the proof of possession.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        Self::parse(&files::read_text(path)?, path)
    }

    fn parse(text: &str, path: &Path) -> anyhow::Result<Self> {
        let card: Self = match serde_json::from_str(text) {
            Ok(card) => card,
            Err(error) => return fail(Exit::Usage, format!("{} is not a member's card: {error}", path.display())),
        };
        if card.version != Self::VERSION {
            let (got, expected) = (card.version, Self::VERSION);
            return fail(Exit::Usage, format!("card {} has version {got}, expected {expected}", path.display()));
        }
        let texts = parse_endpoint(&card.endpoint)
            .and_then(|_| check_pins(&card.endpoint, card.tls_pin))
            .and_then(|()| parse_operator(&card.operator));
        if let Err(error) = texts {
            return fail(Exit::Usage, format!("card {}: {error}", path.display()));
        }
        let registration = card.registration.map_or(Registration::WITHOUT_L1, Registration::from);
        match ProvenKey::check(card.public_key, card.proof_of_possession, &registration) {
            Ok(_) => Ok(card),
            Err(error) => fail(Exit::Verification, format!("card {} ({}): {error}", path.display(), card.operator)),
        }
    }

    /// Reads every card, in the order of the slots, and refuses two of one key.
    pub(crate) fn read_all(paths: &[PathBuf]) -> anyhow::Result<Vec<Self>> {
        let cards = paths.iter().map(|path| Self::read(path)).collect::<anyhow::Result<Vec<_>>>()?;
        for (second, card) in cards.iter().enumerate() {
            if let Some(first) = cards[..second].iter().position(|other| other.public_key == card.public_key) {
                let (first, second) = (paths[first].display(), paths[second].display());
                return fail(Exit::Usage, format!("{first} and {second} have the same public key"));
            }
        }
        Ok(cards)
    }
}

pub(crate) fn run(args: CardArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.output {
        args.replace.check(path)?;
    }
    check_pins(&args.endpoint, args.tls_pin).or_else(|error| fail(Exit::Usage, error))?;
    let registration = args.registration.get();
    let key = keys::unlock(&args.keystore, &args.password_file)?;
    let card = Card {
        version: Card::VERSION,
        operator: args.operator,
        public_key: key.public_key(),
        proof_of_possession: key.prove_possession(&registration.unwrap_or(Registration::WITHOUT_L1)),
        endpoint: args.endpoint,
        tls_pin: args.tls_pin,
        registration: registration.map(CardRegistration::from),
    };
    let json = serde_json::to_string_pretty(&card)? + "\n";
    if let Some(path) = args.output.as_deref().filter(|path| *path != Path::new(files::STANDARD)) {
        target::write(path, json.as_bytes())?;
        progress(format!("written to {}; hand it over where its sender cannot be mistaken", path.display()));
    }
    // A card is JSON whoever reads it, and what is printed can be saved as one.
    line(json.trim_end())
}

/// An endpoint as the registry and committee files take it.
pub(crate) fn parse_endpoint(text: &str) -> Result<String, String> {
    match check_endpoint(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("{text:?} is no endpoint such as http://m0.example:7400: {error}")),
    }
}

/// A pin is for `https` alone.
fn check_pins(endpoint: &str, pin: Option<Pin>) -> Result<(), String> {
    match check_pinned_endpoint(endpoint, pin.as_ref().map(|pin| &pin.0)) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{endpoint:?} cannot be used: {error}")),
    }
}

fn parse_operator(text: &str) -> Result<String, String> {
    let length = text.chars().count();
    // It is printed on other people's terminals.
    if text.trim().is_empty() || length > MAX_OPERATOR_CHARS || text.chars().any(is_unfit) {
        return Err(format!(
            "operator's name of {length} characters, expected 1 to {MAX_OPERATOR_CHARS} and none of control"
        ));
    }
    Ok(text.to_owned())
}

/// A pin in hex.
pub(crate) fn parse_pin(text: &str) -> Result<Pin, String> {
    let mut pin = [0; 32];
    match hex::decode_to_slice(text.trim_start_matches("0x"), &mut pin) {
        Ok(()) if pin != [0; 32] => Ok(Pin(pin)),
        Ok(()) => Err("a pin of zeros stands for none; leave it out instead".to_owned()),
        Err(error) => Err(format!("{text:?} is no pin (SHA-256, 32 bytes in hex): {error}")),
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "0x{}", hex::encode(self.0))
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.to_string()
    }
}

impl TryFrom<String> for Pin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse_pin(&text)
    }
}

#[cfg(test)]
mod tests {
    use holdfast_certificate::SecretKey;

    use super::*;

    fn card(endpoint: &str, tls_pin: Option<Pin>, registration: Option<CardRegistration>) -> String {
        let key = SecretKey::derive_master(&[4; 32]).expect("32 bytes");
        let made = Card {
            version: Card::VERSION,
            operator: "Example Oy".into(),
            public_key: key.public_key(),
            proof_of_possession: key
                .prove_possession(&registration.map_or(Registration::WITHOUT_L1, Registration::from)),
            endpoint: endpoint.into(),
            tls_pin,
            registration,
        };
        serde_json::to_string_pretty(&made).expect("JSON")
    }

    #[test]
    fn fuzz_cards() {
        let on_l1 =
            CardRegistration { chain_id: 31337, registry: Address::from([1; 20]), account: Address::from([2; 20]) };
        let seeds = [
            card("http://m0.example:7400", None, None),
            card("https://m0.example:7400", Some(Pin([9; 32])), Some(on_l1)),
        ];
        let path = Path::new("card.json");
        holdfast_fuzz::Target::new("cards", seeds).cases(6000).run(|bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            let Ok(card) = Card::parse(text, path) else { return };
            // What is on it can be shown, and put into a committee.
            assert!(!card.operator.chars().chain(card.endpoint.chars()).any(is_unfit), "{card:?}");
            check_pins(&card.endpoint, card.tls_pin).expect("it was checked");
            let registration = card.registration.map_or(Registration::WITHOUT_L1, Registration::from);
            ProvenKey::check(card.public_key, card.proof_of_possession, &registration).expect("it was checked");
            let written = serde_json::to_string(&card).expect("JSON");
            let again = Card::parse(&written, path).expect("what was written");
            assert_eq!(serde_json::to_string(&again).expect("JSON"), written);
        });
    }
}
