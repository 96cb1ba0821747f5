//! One HTML page with the results and their plots. It loads nothing: no script, no style, no picture from anywhere.

use std::fmt::Write as _;

use super::{
    plots,
    report::Report,
    svg::{COLOURS, escaped},
};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;color:#222}\
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .7rem;border-bottom:1px solid #ddd;text-align:right}\
td:first-child,th:first-child{text-align:left}svg{max-width:100%;height:auto}text{font:12px system-ui,sans-serif;fill:#444}\
.key{display:inline-block;width:.8em;height:.8em;margin-right:.4em}.entry{margin-right:1.2em;white-space:nowrap}";

/// A page of one or more runs of the command.
pub(super) fn html(reports: &[Report]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>holdfast bench</title><style>{STYLE}</style></head>\
         <body>\n<h1>holdfast bench</h1>\n"
    );
    page.push_str(&plots::by_size(reports));
    for report in reports {
        let _ = write!(
            page,
            "<h2>{}</h2>\n<p>{}<br>{}</p>\n",
            escaped(&report.committee()),
            escaped(&report.scene()),
            escaped(&report.at)
        );
        page.push_str(&results(report));
        page.push_str(
            "<h3>Times by percentile</h3>\n<p>Milliseconds; at a rate they count from when a call was due.</p>\n",
        );
        page.push_str(&plots::times(&report.runs));
        page.push_str(
            "<h3>Processor time</h3>\n<p>Milliseconds for a call: the client's, and on it that of all members.</p>\n",
        );
        page.push_str(&plots::processor(&report.runs));
        page.push_str(&plots::stages(&report.runs));
        page.push_str(&plots::memory(&report.runs));
    }
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
