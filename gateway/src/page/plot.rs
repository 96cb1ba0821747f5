//! How long requests took, as a picture: time to the right, latency upwards in decades.

use std::fmt::{self, Display, Formatter};

use holdfast_transport::page::{Span, Took, utc};

use crate::history::{Answered, Way};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 30.0;
/// The decades of milliseconds that a picture has at least: from 1 ms to 1 s.
const LEAST: (i32, i32) = (0, 3);
/// What is below or above is drawn at the edge: 0.1 ms, and 1000 s.
const MOST: (i32, i32) = (-1, 6);

/// The picture of these requests as it is at `now`, unix seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plot<'a> {
    pub(super) requests: &'a [Answered],
    pub(super) now: u64,
}

impl Display for Plot<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Some(since) = self.requests.iter().map(|request| request.at).min() else {
            return f.write_str("<p class=\"empty\">No payload has come in or gone out since the start.</p>");
        };
        let span = self.now.saturating_mul(1000).saturating_sub(since).max(1000);
        let decades = self.decades();
        write!(
            f,
            "<svg id=\"latency\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Latency of the last {} requests\">",
            self.requests.len()
        )?;
        for decade in decades.0..=decades.1 {
            let y = height(10f64.powi(decade), decades);
            write!(f, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>", WIDTH - RIGHT)?;
            write!(f, "<text class=\"y\" x=\"{}\" y=\"{:.1}\">{}</text>", LEFT - 8.0, y + 4.0, label(decade))?;
        }
        let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
        for (x, place, text) in [
            (LEFT, "start", format!("{} ago", Span(span / 1000))),
            (middle, "middle", format!("{} ago", Span(span / 2000))),
            (WIDTH - RIGHT, "end", "now".to_owned()),
        ] {
            write!(f, "<text class=\"x {place}\" x=\"{x:.1}\" y=\"{}\">{text}</text>", HEIGHT - 8.0)?;
        }
        for request in self.requests {
            let part = request.at.saturating_sub(since) as f64 / span as f64;
            let x = LEFT + part.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
            mark(f, request, x, height(milliseconds(request), decades))?;
        }
        f.write_str("</svg>")
    }
}

impl Plot<'_> {
    /// The decades that all requests lie between.
    fn decades(&self) -> (i32, i32) {
        let mut decades = LEAST;
        for request in self.requests {
            let power = milliseconds(request).log10();
            // Within `MOST`, so that the cast is exact.
            #[expect(clippy::cast_possible_truncation)]
            let (below, above) = (power.floor().max(MOST.0.into()) as i32, power.ceil().min(MOST.1.into()) as i32);
            decades = (decades.0.min(below), decades.1.max(above));
        }
        decades
    }
}

/// A point per request: a disc for a PUT, a square for a GET, a cross for what failed.
fn mark(f: &mut Formatter<'_>, request: &Answered, x: f64, y: f64) -> fmt::Result {
    let (name, class) = match request.way {
        Way::Put => ("PUT", "put"),
        Way::Get => ("GET", "get"),
    };
    let title = format!("<title>{name} {}, {}, {}</title>", request.status, Took(request.took), utc(request.at / 1000));
    match (request.status, request.way) {
        (400.., _) => {
            write!(f, "<path class=\"failed\" d=\"M{:.1} {:.1}l8 8m0 -8l-8 8\">{title}</path>", x - 4.0, y - 4.0)
        }
        (_, Way::Put) => write!(f, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\">{title}</circle>"),
        (_, Way::Get) => write!(
            f,
            "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\">{title}</rect>",
            x - 3.5,
            y - 3.5
        ),
    }
}

/// At least a tenth of a microsecond: a logarithm needs something.
fn milliseconds(request: &Answered) -> f64 {
    (request.took.as_secs_f64() * 1000.0).max(1e-4)
}

fn height(milliseconds: f64, (lowest, highest): (i32, i32)) -> f64 {
    let part = (milliseconds.log10() - f64::from(lowest)) / f64::from(highest - lowest);
    HEIGHT - BOTTOM - part.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
}

fn label(decade: i32) -> String {
    if decade < 3 { format!("{} ms", 10f64.powi(decade)) } else { format!("{} s", 10f64.powi(decade - 3)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request(at: u64, way: Way, status: u16, took: Duration) -> Answered {
        Answered { at, way, status, took }
    }

    /// The numbers of every attribute `name`.
    fn numbers(svg: &str, name: &str) -> Vec<f64> {
        svg.split(&format!(" {name}=\""))
            .skip(1)
            .map(|rest| rest.split('"').next().expect("closed").parse().expect("a number"))
            .collect()
    }

    #[test]
    fn every_request_is_in_the_picture_whatever_it_took_and_whenever_it_was() {
        let requests = [
            request(1_000_000, Way::Put, 200, Duration::from_millis(45)),
            request(1_060_000, Way::Get, 200, Duration::ZERO),
            request(1_060_000, Way::Get, 503, Duration::MAX),
            // A clock that was set back.
            request(9_999_000, Way::Put, 200, Duration::from_secs(1)),
        ];
        let svg = Plot { requests: &requests, now: 1120 }.to_string();
        assert_eq!(
            (svg.matches("<circle").count(), svg.matches("<rect").count(), svg.matches("class=\"failed\"").count()),
            (2, 1, 1)
        );
        for (name, most) in [("cx", WIDTH), ("x", WIDTH), ("cy", HEIGHT), ("y", HEIGHT)] {
            assert!(numbers(&svg, name).iter().all(|number| (0.0..=most).contains(number)), "{name}: {svg}");
        }
        assert!(svg.contains("PUT 200, 45 ms, 1970-01-01T00:16:40Z"), "{svg}");
        // What takes longer stands higher.
        let [short, long] = [5, 500].map(|took| {
            let svg = Plot { requests: &[request(0, Way::Put, 200, Duration::from_millis(took))], now: 0 }.to_string();
            numbers(&svg, "cy")[0]
        });
        assert!(long < short, "{long} {short}");
    }

    #[test]
    fn without_a_request_there_is_no_picture() {
        assert!(!Plot { requests: &[], now: 7 }.to_string().contains("svg"));
    }
}
