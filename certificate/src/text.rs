//! The one textual form of fixed-size values: `0x` and lower-case hex.

use crate::malformed::Malformed;

/// Parses `0x` followed by exactly `2 * N` hex digits. `what` names the value in errors.
pub(crate) fn parse_hex<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], Malformed> {
    let digits = text.strip_prefix("0x").ok_or(Malformed::NotHex { what, problem: "must begin with 0x" })?;
    if digits.len() != 2 * N {
        return Err(Malformed::HexLength { what, expected: 2 * N, got: digits.len() });
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes)
        .map_err(|_| Malformed::NotHex { what, problem: "has characters other than 0-9 and a-f" })?;
    Ok(bytes)
}

/// Takes a slice of exactly `N` bytes. `what` names the value in errors.
pub(crate) fn fixed<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], Malformed> {
    bytes.try_into().map_err(|_| Malformed::Length { what, expected: N, got: bytes.len() })
}

/// Display, Debug, FromStr and serde as `0x` hex, for a type that has `from_bytes(&[u8]) -> Result<Self, E>`, with `E` the last argument or else
/// [`Malformed`](crate::malformed::Malformed) and
/// `to_bytes() -> [u8; N]`.
macro_rules! hex_text {
    ($type:ident, $length:expr, $what:literal) => {
        $crate::text::hex_text!($type, $length, $what, $crate::malformed::Malformed);
    };
    ($type:ident, $length:expr, $what:literal, $error:ty) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "0x{}", hex::encode(self.to_bytes()))
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self)
            }
        }

        impl std::str::FromStr for $type {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::from_bytes(&$crate::text::parse_hex::<{ $length }>($what, text)?)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use hex_text;
