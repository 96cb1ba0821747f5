use holdfast_certificate::is_unfit;

/// The longest text of a peer that goes into a reason, in bytes.
const MAX_PEER_TEXT_BYTES: usize = 256;

/// A peer's words without what would steer a terminal or turn the direction of what follows, and cut to a bound, so that they can go into a log line or a terminal.
pub(crate) fn peer_text(text: &str) -> String {
    let clean = text.chars().map(|c| if is_unfit(c) { ' ' } else { c });
    let mut kept = String::new();
    for c in clean {
        if kept.len() + c.len_utf8() > MAX_PEER_TEXT_BYTES {
            kept.push('…');
            break;
        }
        kept.push(c);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peers_words_are_bounded_and_cannot_break_a_line() {
        let text = peer_text(&format!("a\nb\u{1b}[31m\u{202e}{}", "é".repeat(1000)));
        assert!(text.starts_with("a b [31m é"));
        assert!(text.len() <= MAX_PEER_TEXT_BYTES + '…'.len_utf8());
        assert!(!text.chars().any(is_unfit));
    }
}
