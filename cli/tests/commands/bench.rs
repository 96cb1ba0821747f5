//! `holdfast bench`: what it measures, what it leaves behind, what it refuses.

use std::{fs, io::Read as _, process::Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Devnet, command, is_alive, processes_naming, run, signal, wait_until};

const SMALL: [&str; 11] = [
    "bench",
    "--sizes",
    "1k,30k",
    "--concurrency",
    "4",
    "--duration",
    "500ms",
    "--warm-up",
    "0s",
    "--op",
    "store,read",
];

/// What each run says must fit together.
fn check(run: &Value, has_members: bool) {
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("a number in {run}"));
    assert!(run["done"].as_u64().unwrap() > 0 && run["failed"] == 0, "{run}");
    let per_second = number(&run["done"]) / number(&run["seconds"]);
    assert!((number(&run["perSecond"]) / per_second - 1.0).abs() < 1e-6, "{run}");
    let megabytes = per_second * number(&run["bytes"]) / 1e6;
    assert!((number(&run["megabytesPerSecond"]) / megabytes - 1.0).abs() < 1e-6, "{run}");
    let times: Vec<f64> = ["p50", "p90", "p99", "max"].map(|name| number(&run[name])).to_vec();
    assert!(times[0] > 0.0 && times.is_sorted(), "{run}");
    let percentiles = run["percentiles"].as_array().unwrap();
    assert!(percentiles.is_sorted_by_key(|point| number(&point[0])), "{run}");
    assert!(percentiles.is_sorted_by_key(|point| number(&point[1])), "{run}");
    let cpu = &run["cpu"];
    if has_members {
        assert!((number(&cpu["client"]) + number(&cpu["members"]) - number(&cpu["total"])).abs() < 1e-6, "{run}");
        assert!(number(&cpu["members"]) > 0.0 && number(&run["peakBytes"]["member"]) > 1e6, "{run}");
        assert!(cpu["membersByThread"].as_object().unwrap().contains_key("store-writer"), "{run}");
        let stages = cpu["stages"].as_array().unwrap();
        let stages: f64 = stages.iter().map(|stage| number(&stage["user"]) + number(&stage["kernel"])).sum();
        let of_a_megabyte = number(&cpu["perMegabyte"]);
        // A process is counted in hundredths of a second, which is much of a short run: two of them for each process.
        let payload = number(&run["done"]) * number(&run["bytes"]) / 1e6;
        let coarse = 20.0 * 6.0 / payload;
        assert!((stages - of_a_megabyte).abs() < 0.05 * of_a_megabyte + coarse, "{stages}, {of_a_megabyte}: {run}");
        let memory = run["memory"].as_array().unwrap();
        assert!(memory.len() >= 2 && memory.iter().all(|at| at["members"].as_array().unwrap().len() >= 3), "{run}");
    } else {
        assert!(cpu["members"].is_null() && cpu["total"].is_null(), "{run}");
    }
}

#[test]
fn a_committee_that_is_started_for_it_is_measured_and_nothing_of_it_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let (place, page) = (folder.path().join("disk"), folder.path().join("bench.html"));
    fs::create_dir(&place).unwrap();
    let (place, page) = (place.to_str().unwrap(), page.to_str().unwrap());
    let own = ["--devnet", "4", "-t", "3", "-k", "2", "--tls", "--dir", place, "--html", page, "--json"];
    let result = run(&[&SMALL[..], &own].concat()).ok().json();
    assert_eq!(result["devnet"]["members"], 4);
    assert_eq!((&result["devnet"]["threshold"], &result["devnet"]["originalShards"]), (&3.into(), &2.into()));
    assert!(result["machine"]["cores"].as_u64().unwrap() > 0);
    let runs = result["runs"].as_array().unwrap();
    let kinds: Vec<_> = runs.iter().map(|run| (run["op"].as_str().unwrap(), run["bytes"].as_u64().unwrap())).collect();
    assert_eq!(kinds, [("store", 1000), ("store", 30_000), ("read", 1000), ("read", 30_000)]);
    runs.iter().for_each(|run| check(run, true));
    assert!(fs::read_dir(place).unwrap().next().is_none(), "the members' folder is there");
    assert!(processes_naming(place).is_empty(), "members run");

    let html = fs::read_to_string(page).unwrap();
    assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<svg") && html.contains("store 30 kB by shard"));
    for loaded in ["<script", "http:", "https:", "src=", "@import", "url("] {
        assert!(!html.contains(loaded), "the page loads something: {loaded}");
    }
    run(&[&SMALL[..], &own].concat()).fails(6, &["bench.html"]);

    // Results of several runs on one page.
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (one, other) = (path("one.json"), path("other.json"));
    fs::write(&one, serde_json::to_vec(&result).unwrap()).unwrap();
    let mut later = result;
    later["devnet"]["members"] = 7.into();
    fs::write(&other, serde_json::to_vec(&later).unwrap()).unwrap();
    let joined = path("joined.html");
    run(&["bench", "--join", &format!("{one},{other}"), "--html", &joined]).ok();
    let html = fs::read_to_string(joined).unwrap();
    for words in ["By size", "4 members", "7 members", "Processor time by what is done", "calls and connections"] {
        assert!(html.contains(words), "{words}");
    }
    fs::write(&other, "{}").unwrap();
    let page = path("none.html");
    run(&["bench", "--join", &other, "--html", &page])
        .fails(2, &["other.json is not what holdfast bench --json printed"]);
}

#[test]
fn a_member_that_gives_out_other_bytes_is_read_around() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let common = ["bench", "--devnet", "4", "-t", "3", "-k", "2", "--dir", place, "--json", "--warm-up", "0s"];
    let corrupt = ["--fault", "corrupt", "--sizes", "1k,30k", "--duration", "500ms"];
    let result = run(&[&common[..], &corrupt, &["--op", "read"]].concat()).ok().json();
    assert_eq!(result["devnet"]["fault"], "corrupt");
    result["runs"].as_array().unwrap().iter().for_each(|run| check(run, true));
    assert!(processes_naming(place).is_empty(), "members run");
    run(&[&common[..], &corrupt].concat()).fails(2, &["goes with --op read"]);
}

/// Needs root, name spaces and interfaces of programs.
#[test]
fn a_long_line_that_loses_packets_takes_its_time_and_goes_with_the_bench() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let long =
        ["bench", "--devnet", "4", "-t", "3", "-k", "2", "--dir", place, "--json", "--rtt", "80ms", "--loss", "1%"];
    if std::path::Path::new("/usr/bin/unshare").exists() {
        // Nobody in particular, who may have name spaces or not.
        let mut nobody = std::process::Command::new("unshare");
        let nobody = crate::support::ran(nobody.args(["--user", "--", env!("CARGO_BIN_EXE_holdfast")]).args(long));
        assert!(nobody.code == Some(2) && nobody.stderr.contains("need root") || nobody.code == Some(1), "{nobody:?}");
    }
    let usual =
        ["--sizes", "1k,100k", "--op", "store,read", "--duration", "1s", "--concurrency", "4", "--warm-up", "0s"];
    let ran = run(&[&long[..], &usual].concat());
    if ran.code == Some(2) {
        println!("NOT tested: {}", ran.stderr);
        return;
    }
    let result = ran.ok().json();
    assert_eq!(result["devnet"]["line"], serde_json::json!({"roundTripMs": 80.0, "lossPercent": 1.0}));
    for run in result["runs"].as_array().unwrap() {
        check(run, true);
        assert!(run["p50"].as_f64().unwrap() >= 80.0, "{run}");
    }
    assert!(processes_naming(place).is_empty() && fs::read_dir(place).unwrap().next().is_none());
}

#[test]
fn a_rate_is_kept_also_where_a_member_does_not_answer_and_an_interrupt_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let common =
        ["bench", "--devnet", "4", "-t", "3", "-k", "2", "--dir", place, "--json", "--sizes", "1k", "--warm-up", "0s"];
    for fault in ["down", "hung"] {
        let paced = ["--rate", "20", "--concurrency", "64", "--duration", "2s", "--fault", fault];
        let result = run(&[&common[..], &paced].concat()).ok().json();
        assert_eq!(result["devnet"]["fault"], fault);
        let measured = &result["runs"][0];
        check(measured, true);
        assert_eq!((&measured["rate"], &measured["done"]), (&20.into(), &40.into()), "{measured}");
        assert!(processes_naming(place).is_empty(), "{fault}: members run");
    }
    let long = ["--duration", "1h"];
    let mut child =
        command(&[&common[..], &long].concat()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("members run", || processes_naming(place).len() > 4);
    let members = processes_naming(place);
    signal(child.id().try_into().unwrap(), Signal::INT);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("interrupted") && !members.into_iter().any(is_alive), "{said}");
    assert!(fs::read_dir(place).unwrap().next().is_none(), "the members' folder is there");
}

#[test]
fn a_configured_committee_is_measured_from_the_client_alone_and_bad_arguments_are_refused() {
    let devnet = Devnet::shared();
    let result = devnet.run(&[&["--json"], &SMALL[..]].concat()).ok().json();
    assert!(result["devnet"].is_null());
    result["runs"].as_array().unwrap().iter().for_each(|run| check(run, false));
    for (arguments, says) in [
        (&["--sizes", "1g"][..], "no size such as"),
        (&["--concurrency", "0"], "0"),
        (&["--rate", "0"], "0"),
        (&["--fault", "down"], "--devnet"),
        (&["--rtt", "150ms"], "--devnet"),
        (&["--devnet", "4", "--loss", "60%"], "no loss such as 1%"),
        (&["--devnet", "4", "--rtt", "2s"], "at most"),
        (&["--join", "one.json"], "--html"),
        (&["--html", "-"], "needs a file"),
        (&["--devnet", "1"], "1"),
    ] {
        run(&[&["bench"], arguments].concat()).fails(2, &[says]);
    }
    let bare = tempfile::tempdir().unwrap();
    let mut nothing = command(&["bench"]);
    nothing.current_dir(bare.path());
    crate::support::ran(&mut nothing).fails(2, &["no committee is configured"]);
}
