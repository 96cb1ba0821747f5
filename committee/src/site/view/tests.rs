use holdfast_erasure::BlobId;

use super::*;

const NOW: u64 = 1_800_000_000;
const HOSTILE: &str = "\"><script>alert(1)</script><img src=x onerror=alert(2)>\u{202e}";

/// A member of a chain that has all kinds of trouble.
fn status() -> Status {
    Status {
        now: NOW,
        started: NOW - 3 * DAY,
        key: format!("0x{}", "8a".repeat(96)),
        chain_id: 1,
        epoch: 4,
        slot: Some(3),
        serving: vec![
            ("", true),
            ("holdfast.v1.Dispersal", true),
            ("holdfast.v1.Retrieval", true),
            ("holdfast.v1.Node", true),
        ],
        finality: Some(Finality {
            block: 77,
            timestamp: NOW - 900,
            read_at: NOW,
            stalled: false,
            expired: false,
            failure: None,
            dissenters: Vec::new(),
        }),
        blobs: 12,
        stored: 250_000_000,
        disk_free: Some(7_000_000_000),
        disk_budget: 1_000_000_000,
        tls_ends: Some(NOW + 40 * DAY),
        days: vec![(NOW / DAY * DAY, 2_000_000), (NOW / DAY * DAY + DAY, 1_000_000)],
        repairs: vec![
            Ended { at: NOW - 60, blob: BlobId::from([7; 32]), how: How::Whole { bytes: 4096 } },
            Ended { at: NOW - 90, blob: BlobId::from([8; 32]), how: How::Unfillable },
        ],
        ..Status::default()
    }
}

#[test]
fn the_page_says_what_is_so() {
    let page = View(status()).to_string();
    for part in [
        "Stores and signs",
        "slot 3 of epoch 4 on chain 1",
        "<dd>250.0 MB<small>12 blobs",
        "<dd>1.0 GB<small>25 % used",
        "<dd>40 d<small>left",
        "<dd>15 min<small>old, number 77",
        "2027-01-15<td class=\"number\">2.0 MB<td><svg class=\"bar\" viewBox=\"0 0 100 8\" preserveAspectRatio=\"none\"><rect class=\"put\" width=\"100\"",
        "2027-01-16<td class=\"number\">1.0 MB",
        "width=\"50\"",
        ">unfillable</span>",
        "4.1 kB fetched",
        "<dd>3 d<small>since the start",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    assert!(!page.contains("class=\"note"), "{page}");
}

#[test]
fn whatever_others_say_is_text_wherever_it_stands() {
    let said = || HOSTILE.to_owned();
    let finality =
        status().finality.map(|finality| Finality { failure: Some(said()), dissenters: vec![said()], ..finality });
    let repairs = vec![Ended { at: NOW, blob: BlobId::from([7; 32]), how: How::Nowhere(said()) }];
    let page = View(Status { why: Some(said()), twin: Some(said()), finality, repairs, ..status() }).to_string();
    assert_eq!(page.matches(&Text(HOSTILE).to_string()).count(), 5, "{page}");
    // Beside the text that stands for itself there is nothing of it.
    let rest = page.replace(&Text(HOSTILE).to_string(), "");
    for markup in ["script", "alert", "onerror", "\u{202e}", "style="] {
        assert!(!rest.contains(markup), "{markup}: {page}");
    }
}

#[test]
fn the_state_is_what_the_member_is_fit_for() {
    let of = |status: Status| View(status).verdict();
    let without = |name: &str| {
        let serving = status().serving.into_iter().map(|(service, _)| (service, !service.ends_with(name)));
        Status { serving: serving.collect(), ..status() }
    };
    assert_eq!(of(status()).0, "good");
    assert_eq!(of(Status { drained: true, ..without("Dispersal") }), ("poor", "Drained: reads only"));
    assert_eq!(of(without("Dispersal")), ("bad", "Signs nothing: reads only"));
    assert_eq!(of(without("Retrieval")), ("bad", "Stopping"));
    assert_eq!(of(Status { damaged: 1, ..status() }), ("poor", "Signs, with trouble"));
}

#[test]
fn the_page_is_bounded_whatever_is_promised() {
    let days = (0..100_000).map(|day| (day * DAY, 1000)).collect();
    let page = View(Status { days, ..status() }).to_string();
    assert_eq!(page.matches("<td class=\"short\">").count(), MOST_DAYS);
    assert!(page.contains("<td>later<td class=\"number\">100.0 MB") && page.len() < 32 << 10, "{} bytes", page.len());
}
