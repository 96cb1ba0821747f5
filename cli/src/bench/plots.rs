//! The plots of a page: what is drawn, from which results.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    report::{Report, Run, human_size},
    svg::{COLOURS, LEFT, RIGHT, Span, Svg, WIDTH, escaped},
};

/// Measurements of memory below which a run is too short to show how it grows.
const SAMPLES: usize = 10;

/// A kind of call on one committee, by size.
struct Series<'a> {
    name: String,
    runs: Vec<&'a Run>,
}

/// Times, and what is carried, over the size of a payload, where something was measured at several; all reports together.
pub(super) fn by_size(reports: &[Report]) -> String {
    let series = series(reports);
    if series.is_empty() {
        return String::new();
    }
    let all = || series.iter().flat_map(|series| series.runs.iter());
    let sizes: BTreeSet<u32> = all().map(|run| run.bytes).collect();
    let along = Span::decades(sizes.iter().map(|bytes| f64::from(*bytes)));
    let times = Span::decades(all().flat_map(|run| [run.p50, run.p99]));
    let rates = Span::decades(all().map(|run| run.megabytes_per_second));
    let (Some(along), Some(times), Some(rates)) = (along, times, rates) else { return String::new() };
    let marks = || sizes.iter().map(|bytes| (along.x(f64::from(*bytes)), human_size(*bytes)));
    let points = |series: &Series<'_>, of: &dyn Fn(&Run) -> f64, span: &Span| -> Vec<(f64, f64)> {
        let runs = series.runs.iter().filter(|run| of(run) > 0.0);
        runs.map(|run| (along.x(f64::from(run.bytes)), span.y(of(run)))).collect()
    };
    let (mut latency, mut throughput) = (Svg::begin(), Svg::begin());
    latency.up(&times);
    throughput.up(&rates);
    latency.along(marks());
    throughput.along(marks());
    let mut key = String::new();
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        latency.curve(&points(series, &|run| run.p50, &times), colour, false, &format!("p50: {}", series.name));
        latency.curve(&points(series, &|run| run.p99, &times), colour, true, &format!("p99: {}", series.name));
        throughput.curve(&points(series, &|run| run.megabytes_per_second, &rates), colour, false, &series.name);
        key += &entry(colour, &series.name);
    }
    format!(
        "<h2>By size</h2>\n<p>Milliseconds: half of the calls (line) and 99 % (dashes) take at most so long.</p>\n{}\
         <p>Megabytes of payload a second.</p>\n{}<p>{key}</p>\n",
        latency.end(),
        throughput.end()
    )
}

fn series(reports: &[Report]) -> Vec<Series<'_>> {
    let mut all: BTreeMap<(usize, String), Vec<&Run>> = BTreeMap::new();
    for (number, report) in reports.iter().enumerate() {
        for run in &report.runs {
            all.entry((number, run.kind())).or_default().push(run);
        }
    }
    let several = all.into_iter().filter(|(_, runs)| runs.len() > 1);
    let named = several.map(|((number, kind), mut runs)| {
        runs.sort_by_key(|run| run.bytes);
        let name = match reports {
            [_] => kind,
            _ => format!("{}: {kind}", reports[number].committee()),
        };
        Series { name, runs }
    });
    named.collect()
}

/// Time over percentile, both by their logarithm: percentiles by how much is above them.
pub(super) fn times(runs: &[Run]) -> String {
    let Some(span) = Span::decades(runs.iter().flat_map(|run| run.percentiles.iter().map(|(_, ms)| *ms))) else {
        return "<p>Nothing succeeded.</p>\n".to_owned();
    };
    // 0 to 99.9 and beyond: one decade of what is above for each 9.
    let x = |percentile: f64| {
        let above = (1.0 - percentile / 100.0).max(1e-4);
        LEFT + -above.log10() / 4.0 * (WIDTH - LEFT - RIGHT)
    };
    let mut plot = Svg::begin();
    plot.up(&span);
    plot.along([0.0, 50.0, 90.0, 99.0, 99.9].into_iter().map(|percentile| (x(percentile), format!("{percentile}%"))));
    for (run, colour) in runs.iter().zip(COLOURS.iter().cycle()) {
        let points = run.percentiles.iter().filter(|(_, ms)| *ms > 0.0);
        let points: Vec<_> = points.map(|(percentile, ms)| (x(*percentile), span.y(*ms))).collect();
        plot.curve(&points, colour, false, &run.title());
    }
    plot.end()
}

/// Processor time of a call: the client's, and on it that of all members.
pub(super) fn processor(runs: &[Run]) -> String {
    let Some(span) = Span::linear(runs.iter().map(|run| run.cpu.total.unwrap_or(run.cpu.client))) else {
        return "<p>Too little to be measured.</p>\n".to_owned();
    };
    let mut plot = Svg::begin();
    plot.up(&span);
    for (place, (run, colour)) in places(runs.len()).zip(runs.iter().zip(COLOURS.iter().cycle())) {
        let (client, total) = (run.cpu.client, run.cpu.total.unwrap_or(run.cpu.client));
        let members = run.cpu.members.unwrap_or_default();
        let says = format!("{}: client {client:.2} ms, members {members:.2} ms", run.title());
        plot.bar(place, (span.y(0.0), span.y(client)), (colour, 1.0), &says);
        plot.bar(place, (span.y(client), span.y(total)), (colour, 0.5), &says);
    }
    plot.end()
}

/// Processor time of a megabyte by what is done, of all processes; what the kernel does for it is pale.
pub(super) fn stages(runs: &[Run]) -> String {
    // Of small payloads a megabyte takes hundreds of times as long, which would hide all others.
    let runs: Vec<&Run> = runs.iter().filter(|run| !run.cpu.stages.is_empty()).collect();
    let total = |run: &Run| run.cpu.stages.iter().map(|stage| stage.user + stage.kernel).sum::<f64>();
    let least = runs.iter().map(|run| total(run)).filter(|ms| *ms > 0.0).fold(f64::INFINITY, f64::min);
    let runs: Vec<&Run> = runs.into_iter().filter(|run| total(run) <= least * 20.0).collect();
    let Some(span) = Span::linear(runs.iter().map(|run| total(run))) else { return String::new() };
    let names: BTreeSet<&str> = runs.iter().flat_map(|run| run.cpu.stages.iter().map(|it| it.stage.as_str())).collect();
    let mut plot = Svg::begin();
    plot.up(&span);
    let places: Vec<_> = places(runs.len()).collect();
    plot.along(places.iter().zip(&runs).map(|((left, width), run)| {
        let words = if runs.len() <= 10 { human_size(run.bytes) } else { String::new() };
        (left + width / 2.0, words)
    }));
    let mut key = String::new();
    let mut heights = vec![0.0; runs.len()];
    for (name, colour) in names.iter().zip(COLOURS.iter().cycle()) {
        for ((place, run), height) in places.iter().zip(&runs).zip(&mut heights) {
            let Some(stage) = run.cpu.stages.iter().find(|stage| stage.stage == *name) else { continue };
            let says =
                format!("{}: {name}: {:.2} ms, and {:.2} ms in the kernel", run.title(), stage.user, stage.kernel);
            for (ms, opacity) in [(stage.user, 1.0), (stage.kernel, 0.5)] {
                plot.bar(*place, (span.y(*height), span.y(*height + ms)), (colour, opacity), &says);
                *height += ms;
            }
        }
        key += &entry(colour, name);
    }
    format!(
        "<h3>Processor time by what is done</h3>\n<p>Milliseconds for a megabyte of payload, of client and members together; \
         pale: in the kernel. A size that takes more than twenty times the least is left out.</p>\n{}<p>{key}</p>\n",
        plot.end()
    )
}

/// What was resident, of runs that were long enough.
pub(super) fn memory(runs: &[Run]) -> String {
    let long = runs.iter().filter(|run| run.memory.len() >= SAMPLES && !run.memory[0].members.is_empty());
    long.filter_map(memory_of).collect()
}

fn memory_of(run: &Run) -> Option<String> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let up =
        Span::linear(run.memory.iter().flat_map(|it| it.members.iter().chain([&it.client]).map(|bytes| mib(*bytes))))?;
    let along = Span::linear(run.memory.iter().map(|it| it.seconds))?;
    let last = run.memory.last()?.seconds;
    let mut plot = Svg::begin();
    plot.up(&up);
    plot.along((0..=4).map(|part| {
        let seconds = last * f64::from(part) / 4.0;
        (along.x(seconds), format!("{seconds:.0} s"))
    }));
    let mut key = String::new();
    let mut curve = |name: &str, colour: &str, of: &dyn Fn(&super::report::Memory) -> u64| {
        let points: Vec<_> = run.memory.iter().map(|it| (along.x(it.seconds), up.y(mib(of(it))))).collect();
        plot.curve(&points, colour, false, name);
        key += &entry(colour, name);
    };
    curve("client", "#222", &|it| it.client);
    for (number, colour) in (0..run.memory[0].members.len()).zip(COLOURS.iter().cycle()) {
        curve(&format!("member {number}"), colour, &|it| it.members.get(number).copied().unwrap_or_default());
    }
    let title = escaped(&run.title());
    Some(format!("<h3>Memory: {title}</h3>\n<p>Resident, in MiB.</p>\n{}<p>{key}</p>\n", plot.end()))
}

/// Where bars stand, and how wide they are.
fn places(count: usize) -> impl Iterator<Item = (f64, f64)> {
    let step = (WIDTH - LEFT - RIGHT) / count.max(1) as f64;
    (0..count).map(move |number| (LEFT + step * (number as f64 + 0.15), step * 0.7))
}

/// What a colour stands for.
fn entry(colour: &str, name: &str) -> String {
    format!("<span class=\"entry\"><span class=\"key\" style=\"background:{colour}\"></span>{}</span> ", escaped(name))
}
