//! `holdfast committee plan`: the defaults of the protocol, and what every choice means.

use serde_json::Value;

use crate::support::run;

/// n, t, k.
const DEFAULTS: [(u64, u64, u64); 7] =
    [(4, 3, 2), (5, 4, 2), (6, 5, 2), (7, 6, 2), (10, 8, 3), (13, 11, 3), (20, 17, 3)];

fn plan(n: u64, more: &[&str]) -> Value {
    run(&[&["--json", "committee", "plan", "--members", &n.to_string()], more].concat()).ok().json()
}

#[test]
fn the_defaults_are_those_of_the_protocol() {
    for (n, t, k) in DEFAULTS {
        let plan = plan(n, &[]);
        assert_eq!((&plan["members"], &plan["defaultIsNamed"]), (&n.into(), &true.into()));
        assert_eq!((&plan["defaultThreshold"], &plan["defaultOriginalShards"]), (&t.into(), &k.into()), "n = {n}");
        let marked: Vec<_> =
            plan["choices"].as_array().unwrap().iter().filter(|choice| choice["isDefault"] == true).collect();
        assert_eq!(marked.len(), 1, "n = {n}");
        assert_eq!((&marked[0]["threshold"], &marked[0]["originalShards"]), (&t.into(), &k.into()), "n = {n}");

        let ran = run(&["committee", "plan", "--members", &n.to_string()]).ok();
        let rows: Vec<_> = ran.text().lines().filter(|line| line.ends_with("  default")).collect();
        assert_eq!(rows.len(), 1, "n = {n}: {}", ran.text());
        let cells: Vec<_> = rows[0].split_whitespace().take(6).map(str::to_owned).collect();
        let factor = format!("{:.2}", n as f64 / k as f64);
        let meaning = [n - t, t - k + 1, n - t + k].map(|number| number.to_string());
        assert_eq!(cells, [&[t.to_string(), k.to_string(), factor][..], &meaning].concat(), "n = {n}");
    }
}

#[test]
fn every_choice_means_what_the_formulas_say() {
    for n in DEFAULTS.map(|(n, ..)| n).into_iter().chain([2, 3, 94, 126]) {
        for choice in plan(n, &[])["choices"].as_array().unwrap() {
            let number = |field: &str| choice[field].as_u64().unwrap();
            let (t, k) = (number("threshold"), number("originalShards"));
            assert!(k >= 1 && k < n && k <= t && t <= n && 2 * t > n, "{n}: {choice}");
            assert!((choice["storageFactor"].as_f64().unwrap() * k as f64 - n as f64).abs() < 1e-9, "{n}: {choice}");
            assert_eq!(number("writesSurvive"), n - t, "{n}: {choice}");
            assert_eq!(number("colludersToWithhold"), t - k + 1, "{n}: {choice}");
            assert_eq!(number("honestNeeded"), n - t + k, "{n}: {choice}");
            assert_eq!(number("certificateBytes"), 209 + n.div_ceil(8), "{n}: {choice}");
            // No registry takes more than 94.
            assert_eq!(choice["gas"].is_object(), n <= 94, "{n}: {choice}");
            if n <= 94 {
                let gas = |field: &str| choice["gas"][field].as_u64().unwrap();
                assert!(gas("verifyAllSigned") < gas("publishAllSigned"), "{n}: {choice}");
                let missing = |what: &str| gas(&format!("{what}ThresholdSigned")) - gas(&format!("{what}AllSigned"));
                for what in ["verify", "publish"] {
                    assert!((900 * (n - t)..=1200 * (n - t)).contains(&missing(what)), "{n}: {choice}");
                }
            }
        }
    }
}

#[test]
fn a_choice_of_ones_own_is_judged_alone() {
    let plan = plan(7, &["-t", "5", "-k", "1"]);
    let choices = plan["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 1);
    assert_eq!((&choices[0]["threshold"], &choices[0]["originalShards"]), (&5.into(), &1.into()));
    assert_eq!(choices[0]["isDefault"], false);
    assert!(plan["gasRegisterKey"].as_u64().unwrap() > 150_000 && plan["gasProposeEpoch"].as_u64().unwrap() > 500_000);
}

#[test]
fn sizes_without_a_named_default_and_without_l1_say_so() {
    assert_eq!(plan(8, &[])["defaultIsNamed"], false);
    let ran = run(&["committee", "plan", "--members", "8"]).ok();
    assert!(ran.text().contains("names no default for this size"), "{}", ran.text());
    let large = plan(95, &[]);
    assert!(large["gasProposeEpoch"].is_null(), "{large}");
    let ran = run(&["committee", "plan", "--members", "95"]).ok();
    assert!(ran.text().contains("at most 94 members"), "{}", ran.text());
}

#[test]
fn what_can_be_no_committee_is_refused() {
    for (arguments, says) in [
        (&["--members", "1"][..], "2..=126"),
        (&["--members", "127"], "2..=126"),
        (&["--members", "seven"], "seven"),
        (&["--members", "7", "-t", "8", "-k", "2"], "at most 7"),
        (&["--members", "7", "-t", "3", "-k", "2"], "at least 4"),
        (&["--members", "7", "-t", "7", "-k", "7"], "k=7"),
        (&["--members", "7", "-t", "6", "-k", "0"], "k=0"),
        (&["--members", "7", "-t", "4", "-k", "5"], "at least 5"),
        (&["--members", "7", "-t", "6"], "--original-shards"),
        (&["--members", "7", "-k", "2"], "--threshold"),
        (&[], "--members"),
    ] {
        run(&[&["committee", "plan"], arguments].concat()).fails(2, &[says]);
    }
}
