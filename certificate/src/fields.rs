//! Reading fixed-size fields off the beginning of an encoding.

/// What is left of a head that is known to be long enough.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl Fields<'_> {
    /// The next field.
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the fields add up to the head's length");
        self.0 = rest;
        *field
    }
}
