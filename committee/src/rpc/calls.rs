//! Every call there is, and what one of it may cost.

use std::time::Duration;

/// How a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One message in, one out, within the limit for calls.
    Short,
    /// One message in, one out, for which a lot may have to be read.
    Long,
    /// A body in, bounded by its statement and its pace.
    Receives,
    /// A body out: what comes before its first byte is within the limit for calls.
    Sends,
    /// Stands open for as long as the peer likes.
    Watches,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// Bytes that the caller may send, with framing.
    pub(super) request: usize,
    /// Bytes that an answer may have; zero where the service itself accounts for them.
    pub(super) answer: usize,
    /// Has the lower rate.
    pub(super) costly: bool,
    /// Is answered also while memory is nearly full.
    pub(super) vital: bool,
}

/// The limit of [`Kind::Long`]: a checkpoint may need some hundred megabytes read.
pub(super) const LONG: Duration = Duration::from_secs(60);

const KIB: usize = 1 << 10;

const fn call(path: &'static str, kind: Kind, request: usize, answer: usize) -> Call {
    Call { path, kind, request, answer, costly: false, vital: false }
}

const fn costly(path: &'static str, kind: Kind, request: usize, answer: usize) -> Call {
    Call { path, kind, request, answer, costly: true, vital: false }
}

const fn vital(path: &'static str, kind: Kind, request: usize, answer: usize) -> Call {
    Call { path, kind, request, answer, costly: false, vital: true }
}

pub(super) const CALLS: [Call; 15] = [
    call("/holdfast.v1.Dispersal/StoreShard", Kind::Receives, usize::MAX, 256),
    call("/holdfast.v1.Dispersal/StorePayload", Kind::Receives, usize::MAX, 256),
    call("/holdfast.v1.Dispersal/PutCertificate", Kind::Short, KIB, 64),
    // 4096 ids of 32 bytes.
    costly("/holdfast.v1.Dispersal/SignCheckpoint", Kind::Long, 132 * KIB, 256),
    // The largest commitment, and 100 statements with their certificates.
    call("/holdfast.v1.Retrieval/GetBlob", Kind::Short, 256, 128 * KIB),
    costly("/holdfast.v1.Retrieval/FindBlobs", Kind::Short, 256, 8 * KIB),
    call("/holdfast.v1.Retrieval/GetShard", Kind::Sends, 256, 0),
    call("/holdfast.v1.Retrieval/GetPayload", Kind::Sends, 256, 0),
    call("/holdfast.v1.Retrieval/GetLeaf", Kind::Short, 256, 8 * KIB),
    // 1000 statements.
    costly("/holdfast.v1.Retrieval/ListBlobs", Kind::Short, 256, 384 * KIB),
    vital("/holdfast.v1.Node/GetInfo", Kind::Short, 256, 2 * KIB),
    vital("/grpc.health.v1.Health/Check", Kind::Short, 256, 64),
    vital("/grpc.health.v1.Health/Watch", Kind::Watches, 256, 256),
    costly("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Kind::Watches, 16 * KIB, 128 * KIB),
    costly("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Kind::Watches, 16 * KIB, 128 * KIB),
];

/// What is asked for and does not exist.
const UNKNOWN: Call = costly("unknown", Kind::Short, 256, 256);

/// The call at `path`.
pub(super) fn find(path: &str) -> Call {
    CALLS.into_iter().find(|call| call.path == path).unwrap_or(UNKNOWN)
}

/// The name under which a call of `path` is counted.
#[cfg(test)]
pub(crate) fn path_of(path: &str) -> &'static str {
    find(path).path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_that_is_served_has_its_line() {
        use prost::Message as _;
        for set in [holdfast_proto::FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET] {
            let files = prost_types::FileDescriptorSet::decode(set).expect("a descriptor set").file;
            for file in files {
                for service in &file.service {
                    for method in &service.method {
                        let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                        let call = find(&path);
                        assert_eq!(call.path, path);
                        let receives = matches!(call.kind, Kind::Receives);
                        assert_eq!(receives, method.client_streaming(), "{path}");
                        let sends = matches!(call.kind, Kind::Sends | Kind::Watches);
                        assert_eq!(sends, method.server_streaming(), "{path}");
                    }
                }
            }
        }
        assert_eq!(find("/holdfast.v1.Dispersal/Steal").path, UNKNOWN.path);
    }
}
