//! Hashing to G1, and whether a product of pairings is one: what every check of a signature comes to.

use std::sync::LazyLock;

use blst::{blst_fp12, blst_p1, blst_p1_affine, blst_p2_affine, min_sig};

/// One factor of a product: a point of G1 and one of G2, both in their subgroups.
pub(crate) type Pair = (blst_p1_affine, blst_p2_affine);

/// The generator of G2 with its sign turned: with it beside a signature, the product of a check that holds is one.
static NEGATIVE_GENERATOR: LazyLock<blst_p2_affine> = LazyLock::new(|| {
    let one: [u8; 32] = std::array::from_fn(|at| u8::from(at == 31));
    let generator = min_sig::SecretKey::from_bytes(&one).expect("one is below the group order").sk_to_pk();
    let mut bytes = generator.compress();
    bytes[0] ^= 0x20;
    min_sig::PublicKey::uncompress(&bytes).expect("the negative of a point is on the curve").into()
});

/// The factor of a signature, or of a sum of signatures.
pub(crate) fn signature(signature: &min_sig::Signature) -> Pair {
    ((*signature).into(), *NEGATIVE_GENERATOR)
}

/// Hashes a message to G1 (RFC 9380) with the domain separation `tag`.
#[allow(unsafe_code, reason = "the library has no safe function that hashes to a curve")]
pub(crate) fn hash(message: &[u8], tag: &[u8]) -> blst_p1_affine {
    let (mut point, mut affine) = (blst_p1::default(), blst_p1_affine::default());
    // SAFETY: `point` and `affine` are initialised and ours alone; message and tag are valid for reads of the lengths that go
    // with them; of an augmentation of length zero nothing is read.
    unsafe {
        blst::blst_hash_to_g1(
            &mut point,
            message.as_ptr(),
            message.len(),
            tag.as_ptr(),
            tag.len(),
            std::ptr::null(),
            0,
        );
        blst::blst_p1_to_affine(&mut affine, &point);
    }
    affine
}

/// Whether the product of all pairings is one: their Miller loops together, and one final exponentiation.
///
/// A point at infinity makes it false. Its pairing would be one whatever it stands beside, so keys that cancel would get
/// something by it.
pub(crate) fn product_is_one(pairs: &[Pair]) -> bool {
    let infinite = |(g1, g2): &Pair| *g1 == blst_p1_affine::default() || *g2 == blst_p2_affine::default();
    if pairs.is_empty() || pairs.iter().any(infinite) {
        return false;
    }
    let (g1, g2): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    blst_fp12::miller_loop_n(&g2, &g1).final_exp() == blst_fp12::default()
}

#[cfg(test)]
mod tests {
    use blst::BLST_ERROR;

    use super::*;

    const TAG: &[u8] = b"HOLDFAST_TEST_BLS12381G1_XMD:SHA-256_SSWU_RO_";

    fn key(number: u8) -> min_sig::SecretKey {
        min_sig::SecretKey::key_gen(&[number; 32], &[]).expect("32 bytes")
    }

    fn by_product(signed: &min_sig::Signature, message: &[u8], tag: &[u8], key: &min_sig::PublicKey) -> bool {
        product_is_one(&[signature(signed), (hash(message, tag), (*key).into())])
    }

    /// The library's own check is the twin that the product is held against.
    #[test]
    fn a_product_says_what_the_librarys_own_check_says_for_messages_of_every_length() {
        let (secret, other) = (key(1), key(2));
        let (public, stranger) = (secret.sk_to_pk(), other.sk_to_pk());
        let message: Vec<u8> = (0..=255).cycle().take(600).collect();
        for length in (0..=160).chain([255, 256, 257, 512, 600]) {
            let message = &message[..length];
            let signed = secret.sign(message, TAG, &[]);
            let longer = [message, b"x"].concat();
            for (message, tag, public) in [
                (message, TAG, &public),
                (message, TAG, &stranger),
                (&longer, TAG, &public),
                (message, b"other", &public),
            ] {
                let expected = signed.verify(false, message, tag, &[], public, false) == BLST_ERROR::BLST_SUCCESS;
                assert_eq!(by_product(&signed, message, tag, public), expected, "{length} bytes");
            }
        }
    }

    #[test]
    fn infinity_on_either_side_is_never_a_factor() {
        let (secret, message) = (key(1), b"message");
        let good = [signature(&secret.sign(message, TAG, &[])), (hash(message, TAG), secret.sk_to_pk().into())];
        assert!(product_is_one(&good));
        assert!(!product_is_one(&[]));
        let infinite = [
            (blst_p1_affine::default(), good[0].1),
            (good[0].0, blst_p2_affine::default()),
            (blst_p1_affine::default(), blst_p2_affine::default()),
        ];
        for pair in infinite {
            assert!(!product_is_one(&[pair]));
            assert!(!product_is_one(&[good[0], good[1], pair]));
        }
    }
}
