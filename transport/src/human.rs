//! Durations as people write them in settings: `90d`, `1h 30m`. For `#[serde(with = "human")]`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes a duration as text.
///
/// # Errors
/// Only what the serializer says.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&text(*duration))
}

/// In the largest unit of days, hours and seconds that is exact: humantime's months are not what anybody promises by.
fn text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds, duration.subsec_nanos()) {
        (1.., 0) if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        (1.., 0) if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        (1.., 0) => format!("{seconds}s"),
        _ => humantime::format_duration(duration).to_string(),
    }
}

/// Reads a duration from text.
///
/// # Errors
/// What is no duration is shown.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text)
        .map_err(|e| Error::custom(format!("expected a duration such as `30d`, got {text:?}: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_as_it_would_be_promised_and_read_back_the_same() {
        for written in ["90d", "36h", "3601s", "1s 500ms", "0s"] {
            let duration = humantime::parse_duration(written).expect("a duration");
            assert_eq!(text(duration), written);
        }
    }
}
