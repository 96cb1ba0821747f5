//! Leads RocksDB's checksums to `src/store/checksum.rs`, in this package's tests; `cli/build.rs` does so in the program.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(checksums_led)");
    // By the Itanium C++ ABI's name of `rocksdb::crc32c::Extend(unsigned int, char const*, unsigned long)`.
    if std::env::var("TARGET").is_ok_and(|target| target == "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg=-Wl,--wrap=_ZN7rocksdb6crc32c6ExtendEjPKcm");
        println!("cargo::rustc-cfg=checksums_led");
    }
}
