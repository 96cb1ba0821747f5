use std::collections::BTreeSet;

use super::*;

fn now() -> Now {
    Now {
        memory: vec![("receiving", 1, 2)],
        serving: vec![("holdfast.v1.Dispersal", true)],
        finality: Some((7, false, 0)),
        ..Now::default()
    }
}

/// Names of all metrics on a page.
fn names(page: &str) -> BTreeSet<String> {
    page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned)).collect()
}

#[test]
fn every_metric_is_in_the_documentation_and_nothing_else_is() {
    let metrics = Metrics::new();
    metrics.call("/holdfast.v1.Node/GetInfo", Code::Ok, Duration::from_millis(1));
    metrics.refused("full");
    metrics.cut("idle");
    let documented: BTreeSet<String> = include_str!("../../../docs/metrics.md")
        .lines()
        .take_while(|line| *line != "## Gateway")
        .filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next())
        .filter(|name| name.starts_with("holdfast_member_") || name.starts_with("process_"))
        .map(|name| name.strip_suffix("_total").unwrap_or(name).to_owned())
        .collect();
    assert_eq!(names(&metrics.page(&now())), documented);
}

#[test]
fn the_page_is_as_long_as_the_code_makes_it_and_no_longer() {
    let metrics = Metrics::new();
    // A hundred thousand calls that somebody made up are one line.
    for number in 0..100_000 {
        let path = crate::rpc::path_of(&format!("/made.up/{number}"));
        metrics.call(path, Code::Unimplemented, Duration::from_millis(1));
    }
    let page = metrics.page(&now());
    assert!(page.contains("{path=\"unknown\",code=\"UNIMPLEMENTED\"} 100000"), "{page}");
    assert!(page.len() < 12 << 10, "{} bytes", page.len());
}

/// Every `holdfast_member_...` in a text, without what Prometheus adds to names of counters and histograms.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let names = text.split(|c| !is_part(c)).filter(|word| word.starts_with("holdfast_member_"));
    let bare =
        |name: &str| ["_total", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned();
    names.map(bare).collect()
}

#[test]
fn alerts_and_board_speak_of_metrics_that_there_are() {
    let metrics = Metrics::new();
    metrics.call("/holdfast.v1.Node/GetInfo", Code::Ok, Duration::from_millis(1));
    metrics.refused("full");
    metrics.cut("idle");
    let known = names(&metrics.page(&now()));
    let rules = include_str!("../../../deploy/prometheus/holdfast-member.rules.yml");
    let board = include_str!("../../../deploy/grafana/holdfast-member.json");
    for text in [rules, board] {
        let named = named(text);
        assert!(named.len() >= 10 && named.is_subset(&known), "{:?}", named.difference(&known).collect::<Vec<_>>());
    }
}

#[test]
fn every_alert_has_an_entry_that_says_what_to_do_and_every_entry_an_alert() {
    let rules = include_str!("../../../deploy/prometheus/holdfast-member.rules.yml");
    let alerts: BTreeSet<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let entries: BTreeSet<&str> = include_str!("../../../docs/operations.md")
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|name| name.starts_with("HoldfastMember"))
        .collect();
    assert!(alerts.len() >= 10, "{alerts:?}");
    assert_eq!(alerts, entries);
}
