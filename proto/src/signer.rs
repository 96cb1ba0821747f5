//! The generated messages, client and server of `holdfast.signer`.

pub mod v1 {
    //! Version 1.

    #![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic, clippy::use_self)]

    include!(concat!(env!("OUT_DIR"), "/signer/holdfast.signer.v1.rs"));
}
