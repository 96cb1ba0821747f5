//! `holdfast devnet status`: processes, and what each member says of itself.

use serde::Serialize;

use super::state::{Active, Layout, State};
use crate::{
    config::Config,
    output::{Output, line, table},
    status,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    name: String,
    pid: Option<i32>,
    running: bool,
    listen: String,
    faults: Vec<String>,
}

#[derive(Serialize)]
struct Shown {
    processes: Vec<Process>,
}

pub(super) async fn print(layout: &Layout, state: &State, output: Output) -> anyhow::Result<()> {
    let l1 = state.l1.iter().map(|l1| {
        let running = l1.process.as_ref().filter(|process| process.is_running());
        Process {
            name: "l1".to_owned(),
            pid: running.map(super::process::ProcessId::pid),
            running: running.is_some(),
            listen: l1.listen.clone(),
            faults: Vec::new(),
        }
    });
    let members = state.members.iter().map(|member| Process {
        name: member.name(),
        pid: member.process.as_ref().filter(|process| process.is_running()).map(super::process::ProcessId::pid),
        running: member.is_running(),
        listen: member.listen.clone(),
        faults: member.faults.iter().map(Active::in_words).collect(),
    });
    let gateway = state.gateway.iter().map(|gateway| Process {
        name: "gateway".to_owned(),
        pid: gateway.process.as_ref().filter(|process| process.is_running()).map(super::process::ProcessId::pid),
        running: gateway.is_running(),
        listen: gateway.addresses(),
        faults: Vec::new(),
    });
    let shown = Shown { processes: l1.chain(members).chain(gateway).collect() };
    output.print(&shown, |shown| {
        let mut rows = vec![["process", "pid", "listens on", "faults"].map(str::to_owned).to_vec()];
        for process in &shown.processes {
            let pid = process.pid.map_or_else(|| "down".to_owned(), |pid| pid.to_string());
            rows.push(vec![process.name.clone(), pid, process.listen.clone(), process.faults.join("; ")]);
        }
        table(&rows)
    })?;
    let l1_serves = state.l1.as_ref().is_none_or(|l1| l1.process.as_ref().is_some_and(|process| process.is_running()));
    if !output.is_json() && state.is_running() && l1_serves {
        line("")?;
        status::print(&Config::load(Some(&layout.client_config()))?.reader().await?, output).await?;
    }
    Ok(())
}
