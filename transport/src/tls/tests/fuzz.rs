//! Certificates that somebody sends.

use holdfast_certificate::Endorsement;
use holdfast_fuzz::Target;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{inspect, *};

fn der(pair: &Pair) -> Vec<u8> {
    CertificateDer::from_pem_slice(pair.certificate.as_bytes()).expect("PEM").to_vec()
}

#[test]
fn fuzz_certificates_and_their_endorsements() {
    let secret = SecretKey::derive_master(&[3; 32]).expect("32 bytes");
    let domain = Domain { chain_id: 7, registry: Address::from([3; 20]) };
    let endorser = Endorser { secret: &secret, domain, from: 1_800_000_000, span: Duration::from_secs(3600) };
    let endorsed = generate(vec!["127.0.0.1".into()], Some(endorser)).expect("made");
    let (key, pin) = (secret.public_key(), endorsed.pin);
    Target::new("TLS certificates", [der(&endorsed), der(&pair())]).run(|bytes| {
        let certificate = CertificateDer::from(bytes);
        let _ends = inspect::not_after(&certificate);
        let Ok(Some(found)) = inspect::endorsement(&certificate) else { return };
        let Ok(endorsement) = Endorsement::from_bytes(&found) else { return };
        // What the member's key is good for is the TLS key that it was made for, whatever stands around it.
        if let Ok(got) = inspect::pin(&certificate)
            && endorsement.verify(&key, &domain, &got, 1_800_000_001).is_ok()
        {
            assert_eq!(got, pin);
        }
    });
}
