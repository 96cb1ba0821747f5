//! The TLS key and certificate that lie beside a configuration.

/// What the certificate is called.
pub(crate) const CERTIFICATE: &str = "tls.crt";
/// What the key is called.
pub(crate) const KEY: &str = "tls.key";

/// The table of a configuration that names the two.
pub(crate) fn table() -> String {
    format!("[tls]\ncertificate = \"{CERTIFICATE}\"\nkey = \"{KEY}\"\n")
}
