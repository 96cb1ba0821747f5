//! The Reed-Solomon code, from crate `reed-solomon-erasure`.
//!
//! # The code, for other languages
//!
//! Field: GF(2^8) with polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d), a byte's bit `i` being the coefficient of x^i. Addition
//! is XOR. Position `i` of a codeword stands for the field element whose byte is `i`.
//!
//! For each byte offset by itself there is one polynomial of degree below `k` that takes the original shards' bytes at the
//! elements `0..k`; shard `i` has its value at element `i`. As a matrix: with `V[i][j] = i^j` (`0^0 = 1`), `n` rows and `k`
//! columns, and `T` its first `k` rows, the shards are `V * T^-1` times the originals. The first `k` rows are the identity, so
//! the original shards are the payload itself. With `k = 1` every shard is the payload.

use std::sync::{Arc, Mutex, PoisonError};

use reed_solomon_erasure::ReedSolomon;

use crate::field::Field;
use crate::parameters::Parameters;

/// How many codes are kept ready. A process serves one or two epochs at a time, each with one code.
const KEPT_CODES: usize = 8;

/// The most recently used codes, newest last: making one inverts a `k` by `k` matrix, milliseconds for a large `k`.
static KEPT: Mutex<Vec<Arc<Code>>> = Mutex::new(Vec::new());

/// One code, made ready.
#[derive(Debug)]
pub(crate) struct Code {
    parameters: Parameters,
    inner: ReedSolomon<Field>,
    recovery_rows: Vec<Vec<u8>>,
}

impl Code {
    /// The code with these parameters.
    pub(crate) fn of(parameters: Parameters) -> Arc<Self> {
        let kept = |codes: &mut Vec<Arc<Self>>| {
            let at = codes.iter().position(|code| code.parameters == parameters)?;
            let code = codes.remove(at);
            codes.push(Arc::clone(&code));
            Some(code)
        };
        let lock = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = kept(&mut lock()) {
            return code;
        }
        // Made without the lock: a big new code must not hold up those who use a kept one.
        let code = Arc::new(Self::new(parameters));
        let mut codes = lock();
        kept(&mut codes).unwrap_or_else(|| {
            if codes.len() == KEPT_CODES {
                codes.remove(0);
            }
            codes.push(Arc::clone(&code));
            code
        })
    }

    fn new(parameters: Parameters) -> Self {
        let (original, total) = (usize::from(parameters.original_shards()), usize::from(parameters.total_shards()));
        let inner = ReedSolomon::new(original, total - original).expect("1 <= original < total <= 126 fits the field");
        let mut code = Self { parameters, inner, recovery_rows: Vec::new() };
        let (originals, recovery): (Vec<_>, Vec<_>) = ((0..original).collect(), (original..total).collect());
        code.recovery_rows = code.rows(&originals, &recovery);
        code
    }

    /// For each recovery shard, the factors of the original shards in it.
    pub(crate) fn recovery_rows(&self) -> &[Vec<u8>] {
        &self.recovery_rows
    }

    /// For each shard in `wanted`, none of which is in `present`, the factors of the `present` shards in it; `present` are
    /// `k` distinct positions in ascending order.
    pub(crate) fn rows(&self, present: &[usize], wanted: &[usize]) -> Vec<Vec<u8>> {
        let k = present.len();
        // Unit vectors as shards: what the library reconstructs from them are the factors themselves.
        let mut shards = vec![None; self.inner.total_shard_count()];
        for (at, &position) in present.iter().enumerate() {
            let mut unit = vec![0; k];
            unit[at] = 1;
            shards[position] = Some(unit);
        }
        self.inner.reconstruct(&mut shards).expect("any k distinct shards of one length rebuild the others");
        wanted.iter().map(|&position| shards[position].take().expect("every shard was reconstructed")).collect()
    }
}
