//! Pictures in SVG, with axes; they load nothing.

use std::fmt::Write as _;

pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 280.0;
/// Room for the words on the axes.
pub(super) const LEFT: f64 = 64.0;
pub(super) const BOTTOM: f64 = 36.0;
pub(super) const TOP: f64 = 12.0;
pub(super) const RIGHT: f64 = 12.0;

pub(super) const COLOURS: [&str; 12] = [
    "#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f", "#bcbd22", "#e377c2",
    "#0b3d6b", "#5a1a1a",
];

/// From the least to the most of what an axis shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    low: f64,
    high: f64,
    is_logarithmic: bool,
}

impl Span {
    /// From zero.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Option<Self> {
        let high = values.fold(0.0, f64::max);
        (high > 0.0).then_some(Self { low: 0.0, high, is_logarithmic: false })
    }

    /// Whole decades around what is above zero.
    pub(super) fn decades(values: impl Iterator<Item = f64>) -> Option<Self> {
        let of = values.filter(|value| *value > 0.0);
        let (low, high) = of.fold((f64::INFINITY, 0.0_f64), |(low, high), it| (low.min(it), high.max(it)));
        let low_decade = low.log10().floor();
        let high = high.log10().ceil().max(low_decade + 1.0);
        (low.is_finite()).then_some(Self { low: low_decade, high, is_logarithmic: true })
    }

    /// Where a value is between both ends, from 0 to 1.
    fn part(&self, value: f64) -> f64 {
        let value = if self.is_logarithmic { value.log10() } else { value };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// Values to be written on the axis.
    fn marks(&self) -> Vec<f64> {
        if self.is_logarithmic {
            let decades = std::iter::successors(Some(self.low), |decade| Some(decade + 1.0));
            decades.take_while(|decade| *decade <= self.high).map(|decade| 10_f64.powf(decade)).collect()
        } else {
            (0..=4).map(|part| self.high * f64::from(part) / 4.0).collect()
        }
    }

    pub(super) fn x(&self, value: f64) -> f64 {
        LEFT + self.part(value) * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - self.part(value) * (HEIGHT - BOTTOM - TOP)
    }
}

/// A picture in the making.
#[derive(Debug)]
pub(super) struct Svg(String);

impl Svg {
    pub(super) fn begin() -> Self {
        Self(format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\n"))
    }

    pub(super) fn end(self) -> String {
        self.0 + "</svg>\n"
    }

    /// Lines for the values of an axis that goes up.
    pub(super) fn up(&mut self, span: &Span) {
        for value in span.marks() {
            let at = span.y(value);
            self.line((LEFT, at), (WIDTH - RIGHT, at), "#ddd");
            self.text((LEFT - 6.0, at + 4.0), "end", &number(value));
        }
    }

    /// Lines for these values of an axis that goes along, with words.
    pub(super) fn along(&mut self, places: impl Iterator<Item = (f64, String)>) {
        for (x, words) in places {
            self.line((x, TOP), (x, HEIGHT - BOTTOM), "#eee");
            self.text((x, HEIGHT - BOTTOM + 16.0), "middle", &words);
        }
    }

    /// A line through points, which says what it is where it is pointed at.
    pub(super) fn curve(&mut self, points: &[(f64, f64)], colour: &str, is_dashed: bool, says: &str) {
        let dashes = if is_dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        let places: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (places, says) = (places.join(" "), escaped(says));
        let _ = writeln!(
            self.0,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes} points=\"{places}\"><title>{says}</title></polyline>"
        );
        for (x, y) in points.iter().filter(|_| points.len() <= 12) {
            let _ = writeln!(
                self.0,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"><title>{says}</title></circle>"
            );
        }
    }

    /// A bar from one height to another.
    pub(super) fn bar(
        &mut self,
        (left, width): (f64, f64),
        (from, to): (f64, f64),
        (colour, opacity): (&str, f64),
        says: &str,
    ) {
        let (height, says) = ((from - to).max(0.0), escaped(says));
        let _ = writeln!(
            self.0,
            "<rect x=\"{left:.1}\" y=\"{to:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\" fill-opacity=\"{opacity}\">\
             <title>{says}</title></rect>"
        );
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), colour: &str) {
        let _ =
            writeln!(self.0, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>");
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, words: &str) {
        let _ = writeln!(self.0, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escaped(words));
    }
}

/// A value with as many digits as an axis has room for.
fn number(value: f64) -> String {
    match value {
        _ if value == 0.0 || value >= 100.0 => format!("{value:.0}"),
        _ if value >= 1.0 => format!("{}", (value * 10.0).round() / 10.0),
        _ => format!("{}", (value * 1000.0).round() / 1000.0),
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_all_its_values_and_nothing_where_there_are_none() {
        assert!(Span::decades([0.0].into_iter()).is_none() && Span::linear(std::iter::empty()).is_none());
        let span = Span::decades([3.0, 450.0].into_iter()).expect("values");
        assert_eq!(span.marks(), [1.0, 10.0, 100.0, 1000.0]);
        for (value, at) in [(1.0, HEIGHT - BOTTOM), (1000.0, TOP), (0.0, HEIGHT - BOTTOM)] {
            assert!((span.y(value) - at).abs() < 1e-9, "{value}");
        }
        assert_eq!([0.0, 0.5, 1.25, 250.0].map(number), ["0", "0.5", "1.3", "250"]);
    }
}
