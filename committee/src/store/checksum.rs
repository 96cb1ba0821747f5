//! RocksDB's checksums, CRC-32C (RFC 3720, section 12.1), with the CPU's instruction for it where there is one.
//!
//! RocksDB chooses between the instruction and tables when it is compiled: in a binary that is to run on any x86-64 it has
//! tables, at 1 GB/s, and each byte of a shard is checksummed twice, for the log and for its file. `build.rs` has the linker
//! lead RocksDB's calls here (`--wrap`), where it is chosen when the program runs. A program without that, or with a
//! RocksDB that calls its function something else, computes the same, slower.

/// In the place of `uint32_t rocksdb::crc32c::Extend(uint32_t init_crc, const char* data, size_t n)`: the checksum of what `crc` is
/// of, followed by these bytes.
#[allow(unsafe_code, reason = "C++ calls it")]
#[unsafe(export_name = "__wrap__ZN7rocksdb6crc32c6ExtendEjPKcm")]
extern "C" fn extend(crc: u32, data: *const u8, length: usize) -> u32 {
    #[cfg(test)]
    LED.with(|led| led.set(led.get() + 1));
    if length == 0 {
        return crc;
    }
    // SAFETY: RocksDB gives `length` bytes that nobody changes meanwhile, as it gives them to its own function.
    crc32c::crc32c_append(crc, unsafe { std::slice::from_raw_parts(data, length) })
}

#[cfg(test)]
thread_local! {
    /// Calls in this thread: what other tests do at the same time is not among them.
    static LED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::extend;

    #[test]
    fn it_is_that_of_the_standard() {
        // RFC 3720, appendix B.4.
        let ascending: Vec<u8> = (0..32).collect();
        let descending: Vec<u8> = (0..32).rev().collect();
        for (data, expected) in [
            (&[0; 32][..], 0x8a91_36aa),
            (&[0xff; 32], 0x62a8_ab43),
            (&ascending, 0x46dd_794e),
            (&descending, 0x113f_db5c),
            (b"123456789", 0xe306_9283),
            (b"", 0),
        ] {
            assert_eq!(extend(0, data.as_ptr(), data.len()), expected, "{data:?}");
            let (front, back) = data.split_at(data.len() / 3);
            let front = extend(0, front.as_ptr(), front.len());
            assert_eq!(extend(front, back.as_ptr(), back.len()), expected, "{data:?} in two parts");
        }
    }
}

/// Where the linker leads the calls here (`build.rs`).
#[cfg(all(test, checksums_led))]
mod led {
    use rocksdb::DB;

    use super::{LED, extend};

    #[allow(unsafe_code, reason = "C++'s function")]
    fn rocksdb_itself(crc: u32, data: &[u8]) -> u32 {
        unsafe extern "C" {
            #[link_name = "__real__ZN7rocksdb6crc32c6ExtendEjPKcm"]
            fn real(crc: u32, data: *const u8, length: usize) -> u32;
        }
        // SAFETY: it reads these bytes and keeps nothing.
        unsafe { real(crc, data.as_ptr(), data.len()) }
    }

    #[test]
    fn it_is_what_rocksdb_computes_itself() {
        let bytes: Vec<u8> = (0..1u32 << 18).flat_map(|at| at.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
        let mut crc = 0;
        for length in (0..=4096).chain([65_537, (1 << 20) - 3]) {
            let data = &bytes[length % 5..][..length.min(bytes.len() - 4)];
            let next = extend(crc, data.as_ptr(), data.len());
            assert_eq!(next, rocksdb_itself(crc, data), "{length} bytes after {crc:#x}");
            crc = next;
        }
    }

    #[test]
    fn rocksdb_calls_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = DB::open_default(folder.path()).expect("opens");
        let before = LED.get();
        // Its record in the log is summed up by the thread that writes it.
        database.put(b"key", b"value").expect("written");
        assert!(LED.get() > before);
    }
}
