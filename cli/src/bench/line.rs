//! What is between the client and the members, where they are not to be on one wire.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The longest round trip: a member has a second to say that it serves.
const LONGEST: Duration = Duration::from_millis(800);
/// The most that may be lost, in percent.
const MOST_LOST: f64 = 50.0;

/// A line with a delay and losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line {
    pub(super) round_trip_ms: f64,
    /// Of a hundred packets in each direction.
    pub(super) loss_percent: f64,
}

impl Line {
    pub(super) fn new(round_trip: Duration, loss: Loss) -> Self {
        Self { round_trip_ms: round_trip.as_secs_f64() * 1e3, loss_percent: f64::from(loss.0) / 1e4 }
    }

    pub(super) fn in_words(&self) -> String {
        format!("a line of {} ms there and back that loses {} % of the packets", self.round_trip_ms, self.loss_percent)
    }
}

/// Of a million packets, so many are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Loss(pub(super) u32);

/// `1%`, `0.5%`.
pub(super) fn parse_loss(text: &str) -> Result<Loss, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    match percent.filter(|percent| (0.0..=MOST_LOST).contains(percent)) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 500,000")]
        Some(percent) => Ok(Loss((percent * 1e4).round() as u32)),
        None => Err(format!("{text:?} is no loss such as 1% or 0.5%, at most {MOST_LOST}%")),
    }
}

/// `150ms`.
pub(super) fn parse_round_trip(text: &str) -> Result<Duration, String> {
    let span = crate::times::parse_span(text)?;
    if span > LONGEST { Err(format!("{text}: expected at most {} ms", LONGEST.as_millis())) } else { Ok(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_a_percentage_within_reason() {
        assert_eq!(["0%", "1%", "0.5%", "50%"].map(parse_loss), [0, 10_000, 5000, 500_000].map(|ppm| Ok(Loss(ppm))));
        for text in ["", "1", "%", "-1%", "51%", "NaN%", "x%"] {
            parse_loss(text).expect_err(text);
        }
        parse_round_trip("11s").expect_err("too long");
        let line = Line::new(Duration::from_millis(150), Loss(10_000));
        assert_eq!(line.in_words(), "a line of 150 ms there and back that loses 1 % of the packets");
    }
}
