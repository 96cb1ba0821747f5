//! Errors of several nodes, which say what each of them did. Nodes are named by host: the rest of a URL may be a secret.

use super::quorum::Answer;
use crate::error::Error;

/// The most characters of an answer that are shown.
const EXCERPT: usize = 80;

/// Too few nodes have answered. The only node's error stands for itself.
pub(super) fn too_few<T>(what: &'static str, needed: usize, hosts: &[&str], answers: &[Answer<T>]) -> Error {
    if let [Answer::Failed(error)] = answers {
        return error.clone();
    }
    let answered = answers.iter().filter(|answer| matches!(answer, Answer::Said(_))).count();
    Error::TooFewNodes { what, needed, answered, nodes: hosts.len(), failures: reasons(hosts, answers) }
}

/// Why nodes have not answered.
pub(super) fn reasons<T>(hosts: &[&str], answers: &[Answer<T>]) -> String {
    let failed = hosts.iter().zip(answers).filter_map(|(host, answer)| match answer {
        // The only node needs no name.
        Answer::Failed(error) if hosts.len() == 1 => Some(error.to_string()),
        Answer::Failed(error) => Some(format!("{host}: {error}")),
        _ => None,
    });
    failed.collect::<Vec<_>>().join("; ")
}

/// Nodes contradict each other. Of long answers the part around the first difference is shown.
pub(super) fn contradiction(what: String, hosts: &[&str], said: &[Option<String>]) -> Error {
    let texts: Vec<&str> = said.iter().flatten().map(String::as_str).collect();
    let from = first_difference(&texts).saturating_sub(EXCERPT / 4);
    let shown = hosts.iter().zip(said).filter_map(|(host, said)| {
        let said = said.as_deref()?;
        let excerpt: String = said.chars().skip(from).take(EXCERPT).collect();
        let (before, after) = (from > 0, said.chars().nth(from + EXCERPT).is_some());
        let dots = |cut| if cut { "…" } else { "" };
        Some(format!("{host} says {}{excerpt}{}", dots(before), dots(after)))
    });
    Error::Disagreement { what, said: shown.collect::<Vec<_>>().join(", ") }
}

/// How many characters all texts have in common at their beginning.
fn first_difference(texts: &[&str]) -> usize {
    let Some((first, others)) = texts.split_first() else { return 0 };
    let common = |other: &&str| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let shortest = others.iter().map(common).min().unwrap_or(0);
    if first.chars().count() <= EXCERPT { 0 } else { shortest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contradiction_shows_where_long_answers_differ() {
        let said = |end: &str| Some(format!("{}{end}", "same ".repeat(100)));
        let error = contradiction("slotsOf".to_owned(), &["a", "b", "c"], &[said("left"), None, said("right")]);
        let text = error.to_string();
        assert!(
            text.contains("a says …") && text.contains("left") && text.contains("c says …") && text.contains("right")
        );
        assert!(!text.contains("b says") && text.len() < 400, "{text}");
    }

    #[test]
    fn the_only_nodes_error_stands_for_itself() {
        let failed = Answer::<u8>::Failed(Error::Rpc { what: "eth_call", reason: "down".to_owned() });
        let alone = too_few("eth_call", 1, &["a"], std::slice::from_ref(&failed));
        assert_eq!(alone.to_string(), "eth_call failed: down");
        let among = too_few("eth_call", 2, &["a", "b"], &[failed, Answer::Said(7)]);
        assert_eq!(among.to_string(), "eth_call: 1 of 2 L1 nodes answered, 2 must agree: a: eth_call failed: down");
    }
}
