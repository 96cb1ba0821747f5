//! Mutants: a seed with a few changes, each of a kind that a decoder can get wrong.

use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any},
    prop_oneof,
    sample::Index,
};

/// Changes in one mutant.
const MOST_CHANGES: usize = 6;
/// Bytes that one change puts in.
const MOST_INSERTED: usize = 40;
/// How often one change repeats a part, and how long a part.
const MOST_REPEATS: usize = 9;
/// A mutant is cut off here, whatever its changes.
const MOST_BYTES: usize = 1 << 20;
/// Words of a text seed that are put in other places.
const MOST_WORDS: usize = 400;
/// Numbers at which lengths, counts and times turn over.
const NUMBERS: [u64; 22] = [
    0,
    1,
    2,
    3,
    7,
    8,
    31,
    32,
    33,
    126,
    127,
    128,
    255,
    256,
    3599,
    3600,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
];

/// One change. Places are parts of whatever length there is when its turn comes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Turns one bit.
    Flip(Index, u8),
    /// Another byte in the place of one.
    Set(Index, u8),
    /// A number, big-endian or little, over 1, 2, 4 or 8 bytes.
    Number { at: Index, width: usize, value: u64, little: bool },
    /// Takes bytes out.
    Remove(Index, usize),
    /// Puts bytes in.
    Insert(Index, Vec<u8>),
    /// Puts a word of the seeds in, over what was there or before it.
    Word { at: Index, word: Index, over: bool },
    /// Says a part again and again.
    Repeat { at: Index, length: usize, times: usize },
    /// Cuts off the end.
    Cut(Index),
    /// Goes on as another seed does.
    Splice { at: Index, other: Index },
}

/// What mutants are made of.
#[derive(Clone, Debug)]
pub(crate) struct Stock {
    seeds: Vec<Vec<u8>>,
    /// Words of those that are text.
    words: Vec<Vec<u8>>,
}

/// How one mutant is made.
pub(crate) type Recipe = (Index, Vec<Change>);

impl Stock {
    pub(crate) fn new(seeds: Vec<Vec<u8>>) -> Self {
        let texts = seeds.iter().filter_map(|seed| std::str::from_utf8(seed).ok());
        let mut words: Vec<Vec<u8>> = texts
            .flat_map(|text| text.split(|c: char| c.is_whitespace() || "{}[],:=\"".contains(c)))
            .filter(|word| !word.is_empty() && word.len() <= MOST_INSERTED)
            .map(|word| word.as_bytes().to_vec())
            .collect();
        words.sort();
        words.dedup();
        words.truncate(MOST_WORDS);
        if !words.is_empty() {
            let breakers =
                ["{", "}", "[", "]", ",", ":", "\"", "\\", "null", "-1", "1e99", "99999999999999999999", "\u{202e}"];
            words.extend(breakers.map(|word| word.as_bytes().to_vec()));
        }
        Self { seeds, words }
    }

    pub(crate) fn seeds(&self) -> &[Vec<u8>] {
        &self.seeds
    }

    /// Any mutant.
    pub(crate) fn recipes(&self) -> impl Strategy<Value = Recipe> + use<> {
        let changes = prop_oneof![
            3 => (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
            3 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
            3 => (any::<Index>(), prop_oneof![Just(1), Just(2), Just(4), Just(8)], 0..NUMBERS.len(), any::<bool>())
                .prop_map(|(at, width, value, little)| Change::Number { at, width, value: NUMBERS[value], little }),
            2 => (any::<Index>(), 1..MOST_INSERTED).prop_map(|(at, count)| Change::Remove(at, count)),
            2 => (any::<Index>(), vec(any::<u8>(), 1..MOST_INSERTED)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
            3 => (any::<Index>(), any::<Index>(), any::<bool>())
                .prop_map(|(at, word, over)| Change::Word { at, word, over }),
            1 => (any::<Index>(), 1..MOST_INSERTED, 1..MOST_REPEATS)
                .prop_map(|(at, length, times)| Change::Repeat { at, length, times }),
            1 => any::<Index>().prop_map(Change::Cut),
            2 => (any::<Index>(), any::<Index>()).prop_map(|(at, other)| Change::Splice { at, other }),
        ];
        (any::<Index>(), vec(changes, 1..=MOST_CHANGES))
    }

    /// The mutant of a recipe.
    pub(crate) fn make(&self, (seed, changes): &Recipe) -> Vec<u8> {
        let mut bytes = seed.get(&self.seeds).clone();
        for change in changes {
            self.apply(change, &mut bytes);
            bytes.truncate(MOST_BYTES);
        }
        bytes
    }

    fn apply(&self, change: &Change, bytes: &mut Vec<u8>) {
        // A place may be right behind the end.
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        match change {
            Change::Flip(at, bit) => {
                let at = place(at, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Change::Set(at, new) => {
                let at = place(at, bytes);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = *new;
                }
            }
            Change::Number { at, width, value, little } => {
                let at = place(at, bytes);
                let number = if *little {
                    value.to_le_bytes()[..*width].to_vec()
                } else {
                    value.to_be_bytes()[8 - width..].to_vec()
                };
                for (byte, new) in bytes.iter_mut().skip(at).zip(number) {
                    *byte = new;
                }
            }
            Change::Remove(at, count) => {
                let at = place(at, bytes);
                bytes.drain(at..bytes.len().min(at + count));
            }
            Change::Insert(at, new) => {
                let at = place(at, bytes);
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Word { at, word, over } => {
                if !self.words.is_empty() {
                    let (at, word) = (place(at, bytes), word.get(&self.words));
                    let end = if *over { bytes.len().min(at + word.len()) } else { at };
                    bytes.splice(at..end, word.iter().copied());
                }
            }
            Change::Repeat { at, length, times } => {
                let at = place(at, bytes);
                let part = bytes[at..bytes.len().min(at + length)].repeat(*times);
                bytes.splice(at..at, part);
            }
            Change::Cut(at) => bytes.truncate(place(at, bytes)),
            Change::Splice { at, other } => {
                let (at, other) = (place(at, bytes), other.get(&self.seeds));
                bytes.truncate(at);
                bytes.extend_from_slice(other.get(at..).unwrap_or_default());
            }
        }
    }
}
