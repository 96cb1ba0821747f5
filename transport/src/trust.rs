//! Whom a client takes for the member that it means.

use holdfast_certificate::{Committee, Domain, PublicKey};

/// SHA-256 of the DER SubjectPublicKeyInfo of a TLS certificate (the pin of RFC 7469).
pub type Pin = [u8; 32];

/// What is known of a member before it is connected to, from the best source down. Nothing at all leaves a certificate that
/// the machine's roots vouch for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Trust {
    /// The one TLS key that it may have. With a pin nothing else is looked at.
    pub pin: Option<Pin>,
    /// The key of its slot: a TLS key that this one has endorsed is its own.
    pub member: Option<MemberKey>,
}

/// A member's BLS key, and where it is a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MemberKey {
    /// The key of the slot.
    pub key: PublicKey,
    /// Chain and registry.
    pub domain: Domain,
}

impl MemberKey {
    /// Of a slot of a committee, where there is such a slot.
    #[must_use]
    pub fn of(committee: &Committee, slot: u16) -> Option<Self> {
        committee.key(slot).map(|key| Self { key: *key, domain: *committee.domain() })
    }
}

impl Trust {
    /// A pin alone, or nothing.
    #[must_use]
    pub fn pinned(pin: Option<Pin>) -> Self {
        Self { pin, member: None }
    }
}
