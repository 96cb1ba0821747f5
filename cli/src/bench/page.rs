//! One HTML page with the results and their plots. It loads nothing: no script, no style, no picture from anywhere.

use std::fmt::Write as _;

use super::report::{Report, Run};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 280.0;
/// Room for the words on the axes.
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 36.0;
const TOP: f64 = 12.0;
const RIGHT: f64 = 12.0;

const COLOURS: [&str; 8] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f"];

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#444}\
.key{display:inline-block;width:.8em;height:.8em;margin-right:.4em}";

pub(super) fn html(report: &Report) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>holdfast bench</title><style>{STYLE}</style></head>\
         <body>\n<h1>holdfast bench</h1>\n<p>{}<br>{}</p>\n",
        escaped(&report.scene()),
        escaped(&report.at),
    );
    page.push_str(&results(report));
    page.push_str(
        "<h2>Times by percentile</h2>\n<p>Milliseconds; at a rate they count from when a call was due.</p>\n",
    );
    page.push_str(&times(&report.runs));
    page.push_str(
        "<h2>Processor time</h2>\n<p>Milliseconds for a call: the client's, and on it that of all members.</p>\n",
    );
    page.push_str(&processor(&report.runs));
    page.push_str("</body></html>\n");
    page
}

fn results(report: &Report) -> String {
    let heading =
        ["run", "calls/s", "MB/s", "mean ms", "p50 ms", "p90 ms", "p99 ms", "max ms", "CPU ms", "CPU ms/MB", "failed"];
    let mut table = String::from("<table><tr>");
    for cell in heading {
        let _ = write!(table, "<th>{cell}</th>");
    }
    table.push_str("</tr>\n");
    for (run, colour) in report.runs.iter().zip(COLOURS.iter().cycle()) {
        let _ = write!(
            table,
            "<tr><td><span class=\"key\" style=\"background:{colour}\"></span>{}</td>",
            escaped(&run.title())
        );
        let optional = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
        for value in [run.per_second, run.megabytes_per_second, run.mean, run.p50, run.p90, run.p99, run.max] {
            let _ = write!(table, "<td>{value:.2}</td>");
        }
        let _ = writeln!(
            table,
            "<td>{}</td><td>{}</td><td>{}</td></tr>",
            optional(run.cpu.total.or(Some(run.cpu.client))),
            optional(run.cpu.per_megabyte),
            run.failed
        );
    }
    table + "</table>\n"
}

/// Time over percentile, both by their logarithm: percentiles by how much is above them.
fn times(runs: &[Run]) -> String {
    let all = runs.iter().flat_map(|run| run.percentiles.iter().map(|(_, ms)| *ms)).filter(|ms| *ms > 0.0);
    let (low, high) = all.fold((f64::INFINITY, 0.0_f64), |(low, high), ms| (low.min(ms), high.max(ms)));
    if low > high {
        return "<p>Nothing succeeded.</p>\n".to_owned();
    }
    let (low, high) = (low.log10().floor(), high.log10().ceil().max(low.log10().floor() + 1.0));
    let y = |ms: f64| HEIGHT - BOTTOM - (ms.log10() - low) / (high - low) * (HEIGHT - BOTTOM - TOP);
    // 0 to 99.9 and beyond: one decade of what is above for each 9.
    let x = |percentile: f64| {
        let above = (1.0 - percentile / 100.0).max(1e-4);
        LEFT + -above.log10() / 4.0 * (WIDTH - LEFT - RIGHT)
    };
    let mut plot = begin();
    for ms in std::iter::successors(Some(low), |decade| Some(decade + 1.0)).take_while(|decade| *decade <= high) {
        let ms = 10_f64.powf(ms);
        let at = y(ms);
        line(&mut plot, (LEFT, at), (WIDTH - RIGHT, at), "#ddd");
        text(&mut plot, (LEFT - 6.0, at + 4.0), "end", &format!("{ms}"));
    }
    for percentile in [0.0, 50.0, 90.0, 99.0, 99.9] {
        line(&mut plot, (x(percentile), TOP), (x(percentile), HEIGHT - BOTTOM), "#eee");
        text(&mut plot, (x(percentile), HEIGHT - BOTTOM + 16.0), "middle", &format!("{percentile}%"));
    }
    for (run, colour) in runs.iter().zip(COLOURS.iter().cycle()) {
        let points = run.percentiles.iter().filter(|(_, ms)| *ms > 0.0);
        let points: Vec<String> =
            points.map(|(percentile, ms)| format!("{:.1},{:.1}", x(*percentile), y(*ms))).collect();
        let _ = writeln!(
            plot,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"><title>{}</title></polyline>",
            points.join(" "),
            escaped(&run.title())
        );
    }
    plot + "</svg>\n"
}

fn processor(runs: &[Run]) -> String {
    let most = runs.iter().map(|run| run.cpu.total.unwrap_or(run.cpu.client)).fold(0.0, f64::max);
    if most <= 0.0 {
        return "<p>Too little to be measured.</p>\n".to_owned();
    }
    let y = |ms: f64| HEIGHT - BOTTOM - ms / most * (HEIGHT - BOTTOM - TOP);
    let step = (WIDTH - LEFT - RIGHT) / runs.len() as f64;
    let mut plot = begin();
    for part in 0..=4 {
        let ms = most * f64::from(part) / 4.0;
        line(&mut plot, (LEFT, y(ms)), (WIDTH - RIGHT, y(ms)), "#ddd");
        text(&mut plot, (LEFT - 6.0, y(ms) + 4.0), "end", &format!("{ms:.1}"));
    }
    for (number, (run, colour)) in runs.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let (left, total) = (LEFT + step * (number as f64 + 0.15), run.cpu.total.unwrap_or(run.cpu.client));
        for (from, to, opacity) in [(0.0, run.cpu.client, "1"), (run.cpu.client, total, "0.5")] {
            let _ = writeln!(
                plot,
                "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{colour}\" fill-opacity=\"{opacity}\">\
                 <title>{}: client {:.2} ms, members {:.2} ms</title></rect>",
                y(to),
                step * 0.7,
                (y(from) - y(to)).max(0.0),
                escaped(&run.title()),
                run.cpu.client,
                run.cpu.members.unwrap_or_default()
            );
        }
    }
    plot + "</svg>\n"
}

fn begin() -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n")
}

fn line(plot: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
    let _ = writeln!(plot, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>");
}

fn text(plot: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let _ = writeln!(plot, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(words));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
