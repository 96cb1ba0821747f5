use holdfast_certificate::{
    Attestation, Certificate, Committee, CommitteeParameters, Namespace, ProvenKey, Registration, SecretKey, Statement,
};
use holdfast_erasure::{Dispersal, Parameters, encode};
use holdfast_registry::Endpoint;

use super::*;

const NOW: u64 = 1_800_000_000;
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}";

/// A gateway of two members, one of which is away, that has certified one payload.
fn view() -> View {
    let secrets: Vec<SecretKey> = (0..2).map(|_| SecretKey::generate()).collect();
    let proven = secrets.iter().map(|key| {
        let proof = key.prove_possession(&Registration::WITHOUT_L1);
        ProvenKey::check(key.public_key(), proof, &Registration::WITHOUT_L1).expect("good")
    });
    let code = Parameters::new(1, 2).expect("good");
    let parameters = CommitteeParameters::new(code, 2, 1000).expect("good");
    let committee = Committee::off_chain(3, parameters, proven.collect()).expect("good");
    let blob = *encode(code, vec![7; 900].into(), Dispersal::ByPayload).expect("encodes").blob();
    let namespace = Namespace::from([7; 32]);
    let statement = Statement { namespace, epoch: 3, blob, whole_until: 3600, retain_until: 7200 };
    let digest = statement.digest(committee.domain());
    let signed: Vec<Attestation> =
        (0..).zip(&secrets).map(|(slot, secret)| Attestation::sign(slot, secret, &digest)).collect();
    let certificate = Certificate::aggregate(&committee, statement, &signed).expect("signed");
    let record = EpochRecord {
        committee: Arc::new(committee),
        active_from: 0,
        active_until: None,
        accepted_until: None,
        revoked_at: None,
        endpoints: vec![Endpoint::unpinned(HOSTILE), Endpoint::default()],
    };
    let seats = vec![Seat::Storing { answered_in: Duration::from_millis(12) }, Seat::Away { why: HOSTILE.into() }];
    View {
        now: NOW,
        namespace: Some(namespace.to_string()),
        in_memory: false,
        can_write: true,
        record: Ok(Arc::new(record)),
        readiness: Ok(Readiness::of(seats, 2, 1)),
        failures: vec![0, 17],
        requests: vec![Answered { at: (NOW - 60) * 1000, way: Way::Put, status: 200, took: Duration::from_millis(45) }],
        certificates: vec![Given { at: NOW - 60, certificate, how: How::Made, took: Duration::from_millis(44) }],
        unpublished: Some((3, NOW - 7200)),
        cached: Cached { bytes: 120_000, hits: 3, asked: 4 },
        under_way: 2,
    }
}

#[test]
fn what_members_say_is_text_wherever_it_stands() {
    for view in [
        view(),
        View { record: Err(HOSTILE.into()), ..view() },
        View { readiness: Err(HOSTILE.into()), namespace: Some(HOSTILE.into()), ..view() },
    ] {
        let page = view.to_string();
        // Beside the text that stands for itself there is nothing of it.
        let rest = page.replace(&Text(HOSTILE).to_string(), "");
        for markup in ["script", "alert", "onerror", "\u{202e}", "style="] {
            assert!(!rest.contains(markup), "{markup}: {page}");
        }
        assert!(
            page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;\\u{202e}"),
            "{page}"
        );
    }
}

#[test]
fn the_page_says_what_is_so() {
    let page = view().to_string();
    for part in [
        "Below the quorum: reads only",
        "epoch 3 of a committee file",
        "<dd>1 of 2<small>2 must sign",
        "60 s ago</time><small>2 signers",
        "<dt>PUT, median<dd>45 ms<small>95th 45 ms",
        "<dd>3<small>oldest 2 h",
        "<dd>120.0 kB<small>75 % hits",
        "<td class=\"number\">900 B<td class=\"short\">by payload<td class=\"number\">2 of 2<td class=\"number\">44 ms",
        "<td class=\"number\">17<td>",
        "<circle",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
}

#[test]
fn the_state_is_what_the_gateway_is_fit_for() {
    let with = |seats: Vec<Seat>, can_write| {
        let readiness = Ok(Readiness::of(seats, 2, 1));
        View { readiness, can_write, ..view() }.state()
    };
    let good = Seat::Storing { answered_in: Duration::ZERO };
    let full = Seat::Reading { answered_in: Duration::ZERO, why: "the disk is full".into() };
    let away = Seat::Away { why: "no answer".into() };
    assert_eq!(with(vec![good.clone(), good.clone()], true), ("good", "Ready"));
    assert_eq!(with(vec![good.clone(), full.clone()], true).0, "poor");
    assert_eq!(with(vec![full, away.clone()], false), ("good", "Ready, reads only"));
    assert_eq!(with(vec![away.clone(), away], true), ("bad", "Below reconstruction"));
    assert_eq!(View { readiness: Err("no L1".into()), ..view() }.state().0, "bad");
}
