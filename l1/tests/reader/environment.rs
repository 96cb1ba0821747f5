//! Proxies that the environment names: in a process of its own, whose environment is another one.

use std::process::Stdio;

use holdfast_certificate::Address;
use holdfast_l1::{ChainRegistry, ReaderOptions};
use tokio::process::Command;

use super::world::World;
use crate::dropping::Dropping;

/// Names the URL that such a process asks, and the registry.
const TASK: &str = "HOLDFAST_TEST_PROXIES_TASK";

/// What it says is between these.
const SAYS: &str = "it says: ";

/// Connects in another process with these variables; gives what it says.
async fn said_with(test: &str, url: &str, registry: Address, variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TASK, format!("{url} {registry}"))
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(std::time::Duration::from_secs(60), output).await.expect("it ends").unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().find_map(|line| line.split_once(SAYS)).map(|(_, said)| said.to_owned());
    said.unwrap_or_else(|| panic!("{text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environments_proxy_is_named_in_errors_and_gets_no_private_names_unless_asked() {
    if let Ok(task) = std::env::var(TASK) {
        let (url, registry) = task.split_once(' ').unwrap();
        let options = ReaderOptions { call_limit: std::time::Duration::from_secs(5), ..ReaderOptions::default() };
        let connected = ChainRegistry::connect_with(&[url], registry.parse().unwrap(), options).await;
        println!("\n{SAYS}{}", connected.map_or_else(|error| error.to_string(), |_| "connected".to_owned()));
        return;
    }
    const TEST: &str =
        "reader::environment::the_environments_proxy_is_named_in_errors_and_gets_no_private_names_unless_asked";
    let world = World::start().await;
    // Nobody listens there.
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = format!("http://user:SECRET@{nowhere}");
    let all = [("HTTP_PROXY", proxy.as_str()), ("HTTPS_PROXY", &proxy), ("ALL_PROXY", &proxy)];

    let public = said_with(TEST, "http://node.example/SECRET", world.address(), &all).await;
    assert!(public.contains(&nowhere.to_string()) && public.contains("NO_PROXY"), "{public}");
    assert!(!public.contains("SECRET"), "{public}");
    let private = said_with(TEST, &world.chain.url(), world.address(), &all).await;
    assert_eq!(private, "connected");
    let asked = said_with(TEST, &world.chain.url(), world.address(), &[("HOLDFAST_L1_PROXY", &proxy)]).await;
    assert!(asked.contains(&nowhere.to_string()) && asked.contains("HOLDFAST_L1_PROXY"), "{asked}");
    // A node that speaks HTTP as a proxy does: what it is asked for comes to the chain.
    let relay = Dropping::before(&world.chain.url(), crate::dropping::Manner::AtSecondRequest).await;
    let through = said_with(TEST, "http://node.example", world.address(), &[("HOLDFAST_L1_PROXY", &relay.url)]).await;
    assert_eq!(through, "connected");
}
