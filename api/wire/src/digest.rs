//! SHA-256, and its hexadecimal form.

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256 (FIPS 180-4) of the bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
