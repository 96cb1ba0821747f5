//! Positional parameters: numbers and bytes in hex, as go-ethereum's `hexutil` writes them.

use serde_json::Value;

use super::errors::RpcError;

/// The parameters of one call, read from first to last.
#[derive(Debug)]
pub(super) struct Parameters {
    values: std::vec::IntoIter<Value>,
    read: usize,
}

impl Parameters {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter(), read: 0 }
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.values.len()
    }

    /// A number: `0x` and digits without leading zeros, or a JSON number.
    pub(super) fn number(&mut self, name: &str) -> Result<u64, RpcError> {
        let value = self.next(name)?;
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text
                .strip_prefix("0x")
                .filter(|digits| !digits.is_empty() && !digits.starts_with('+'))
                .and_then(|digits| u64::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        number.ok_or_else(|| self.wrong(name, "a number of at most 64 bits in hex"))
    }

    /// Bytes: `0x` and pairs of digits.
    pub(super) fn bytes(&mut self, name: &str) -> Result<Vec<u8>, RpcError> {
        let value = self.next(name)?;
        let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
        digits.and_then(|digits| hex::decode(digits).ok()).ok_or_else(|| self.wrong(name, "bytes in hex"))
    }

    /// A hash of 32 bytes.
    pub(super) fn hash(&mut self, name: &str) -> Result<[u8; 32], RpcError> {
        let bytes = self.bytes(name)?;
        bytes.try_into().map_err(|_| self.wrong(name, "32 bytes in hex"))
    }

    /// There must be none left.
    pub(super) fn end(&self) -> Result<(), RpcError> {
        match self.values.len() {
            0 => Ok(()),
            left => Err(RpcError::parameters(format!(
                "too many arguments, want at most {}, got {}",
                self.read,
                self.read + left
            ))),
        }
    }

    fn next(&mut self, name: &str) -> Result<Value, RpcError> {
        let place = self.read;
        self.read += 1;
        self.values
            .next()
            .ok_or_else(|| RpcError::parameters(format!("missing value for required argument {place} ({name})")))
    }

    fn wrong(&self, name: &str, expected: &str) -> RpcError {
        RpcError::parameters(format!("argument {} ({name}): expected {expected}", self.read.saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(values: Value) -> Parameters {
        Parameters::new(values.as_array().cloned().expect("an array"))
    }

    #[test]
    fn what_hexutil_writes_is_read() {
        let mut parameters =
            of(json!(["0x0", "0xffffffffffffffff", 7, "0x", "0x0102", format!("0x{}", "ab".repeat(32))]));
        assert_eq!(parameters.number("a"), Ok(0));
        assert_eq!(parameters.number("b"), Ok(u64::MAX));
        assert_eq!(parameters.number("c"), Ok(7));
        assert_eq!(parameters.bytes("d"), Ok(vec![]));
        assert_eq!(parameters.bytes("e"), Ok(vec![1, 2]));
        assert_eq!(parameters.hash("f"), Ok([0xab; 32]));
        assert_eq!(parameters.end(), Ok(()));
        assert!(parameters.number("g").expect_err("none").message.contains("argument 6 (g)"));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for value in
            [json!("7"), json!("0x"), json!("0x+7"), json!("0x1ffffffffffffffff"), json!(-7), json!(1.5), json!(null)]
        {
            let error = of(json!([value])).number("count").expect_err("no number");
            assert!(error.code == -32602 && error.message.contains("argument 0 (count)"), "{error:?}");
        }
        for value in [json!("0102"), json!("0x012"), json!("0xzz"), json!([1, 2]), json!(7)] {
            assert!(of(json!([value])).bytes("data").is_err());
        }
        assert!(of(json!([1])).end().expect_err("one is left").message.contains("too many"));
    }
}
