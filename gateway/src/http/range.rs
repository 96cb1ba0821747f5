//! `Range`, `If-None-Match` and `If-Range` on a payload (RFC 9110, sections 13 and 14).

use axum::http::{
    HeaderMap,
    header::{IF_NONE_MATCH, IF_RANGE, RANGE},
};

use crate::failure::Failure;

/// What of a payload is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// All of it.
    Whole,
    /// The bytes from the first up to, not with, the second.
    Range(usize, usize),
    /// Nothing: the client has it.
    NotModified,
}

/// What a request's headers ask of a payload with this length and entity tag.
pub(super) fn asked(headers: &HeaderMap, etag: &str, length: usize) -> Result<Part, Failure> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let matches =
        |tags: &str| tags.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*");
    if text(IF_NONE_MATCH).is_some_and(matches) {
        return Ok(Part::NotModified);
    }
    let Some(range) = text(RANGE).and_then(|range| range.strip_prefix("bytes=")) else { return Ok(Part::Whole) };
    // A range of another version would be wrong bytes: then everything is sent. Only a strong tag counts.
    if text(IF_RANGE).is_some_and(|tag| tag != etag) {
        return Ok(Part::Whole);
    }
    // What is not understood, several ranges among it, is ignored, as the standard says.
    let Some((first, last)) = range.split_once('-').map(|(first, last)| (first.trim(), last.trim())) else {
        return Ok(Part::Whole);
    };
    let number = |digits: &str| {
        let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // What is too large for a number is past any payload's end.
        all_digits.then(|| digits.parse::<usize>().unwrap_or(usize::MAX))
    };
    let outside = Failure::Range { length };
    match (number(first), number(last)) {
        (Some(first), _) if !last.is_empty() && number(last).is_none_or(|last| last < first) => Ok(Part::Whole),
        (Some(first), last) if first < length => {
            Ok(Part::Range(first, last.map_or(length, |last| last.saturating_add(1).min(length))))
        }
        (Some(_), _) => Err(outside),
        (None, Some(0)) => Err(outside),
        (None, Some(last)) if first.is_empty() => Ok(Part::Range(length.saturating_sub(last), length)),
        _ => Ok(Part::Whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "\"0xab\"";

    fn asked_with(pairs: &[(axum::http::HeaderName, &str)]) -> Result<Part, Failure> {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header")));
        asked(&headers.collect(), TAG, 1000)
    }

    #[test]
    fn one_range_is_cut_and_what_is_no_range_is_ignored() {
        for (range, part) in [
            ("bytes=0-0", Part::Range(0, 1)),
            ("bytes=10-19", Part::Range(10, 20)),
            ("bytes=990-", Part::Range(990, 1000)),
            ("bytes=990-5000", Part::Range(990, 1000)),
            ("bytes=999-99999999999999999999999", Part::Range(999, 1000)),
            ("bytes=-10", Part::Range(990, 1000)),
            ("bytes=-5000", Part::Range(0, 1000)),
            ("bytes=0-1,5-6", Part::Whole),
            ("bytes=20-10", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=7", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(asked_with(&[(RANGE, range)]), Ok(part), "{range}");
        }
        for range in ["bytes=1000-", "bytes=1000-1001", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(asked_with(&[(RANGE, range)]), Err(Failure::Range { length: 1000 }), "{range}");
        }
    }

    #[test]
    fn a_range_of_another_version_is_the_whole_and_what_the_client_has_is_not_sent() {
        assert_eq!(asked_with(&[(RANGE, "bytes=0-0"), (IF_RANGE, TAG)]), Ok(Part::Range(0, 1)));
        assert_eq!(asked_with(&[(RANGE, "bytes=0-0"), (IF_RANGE, "\"0xcd\"")]), Ok(Part::Whole));
        assert_eq!(asked_with(&[(RANGE, "bytes=0-0"), (IF_RANGE, "W/\"0xab\"")]), Ok(Part::Whole));
        for tags in [TAG, "\"0xcd\", W/\"0xab\"", "*"] {
            assert_eq!(asked_with(&[(IF_NONE_MATCH, tags), (RANGE, "bytes=5000-")]), Ok(Part::NotModified), "{tags}");
        }
        assert_eq!(asked_with(&[(IF_NONE_MATCH, "\"0xcd\"")]), Ok(Part::Whole));
    }

    #[test]
    fn fuzz_ranges() {
        let seeds = ["bytes=0-0", "bytes=10-19", "bytes=990-", "bytes=-10", "bytes=0-1,5-6", "W/\"0xab\"", "*"];
        holdfast_fuzz::Target::new("ranges", seeds).run(|bytes| {
            let Ok(value) = axum::http::HeaderValue::from_bytes(bytes) else { return };
            for name in [RANGE, IF_NONE_MATCH, IF_RANGE] {
                for length in [0, 1, 1000] {
                    let mut headers =
                        HeaderMap::from_iter([(RANGE, axum::http::HeaderValue::from_static("bytes=0-0"))]);
                    headers.insert(name.clone(), value.clone());
                    match asked(&headers, TAG, length) {
                        Ok(Part::Range(from, to)) => assert!(from < to && to <= length || from == to && length == 0),
                        Ok(Part::Whole | Part::NotModified) => {}
                        Err(failure) => assert_eq!(failure, Failure::Range { length }),
                    }
                }
            }
        });
    }
}
