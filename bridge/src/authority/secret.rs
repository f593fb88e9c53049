//! Secrets of join tokens and of the administrator: shown once, kept as their hash.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use rialto_wire::digest::{hex, sha256};

/// Marks an administrator's token, so that scanners for leaked secrets can find it.
const ADMIN_PREFIX: &str = "rialto-admin.";

/// A secret that was just made. Its text is shown once; the state keeps [`Secret::hash`].
pub struct Secret(String);

impl Secret {
    /// The secret of a join token, from random bytes.
    pub fn of_join_token(random: [u8; 32]) -> Self {
        Self(hex(&random))
    }

    /// The administrator's token, from random bytes.
    pub fn of_administrator(random: [u8; 32]) -> Self {
        Self(format!("{ADMIN_PREFIX}{}", hex(&random)))
    }

    /// The text to show, once, to who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> String {
        Self::hash_of(&self.0)
    }

    /// SHA-256 in hex, as the state keeps it. Not salted and not slow: what is hashed has 256 bits
    /// of chance, which no dictionary holds.
    pub fn hash_of(shown: &str) -> String {
        hex(&sha256(shown.as_bytes()))
    }

    /// Whether `shown` is the secret with this hash, in a time that does not depend on where they
    /// differ.
    pub fn is(shown: &str, known_hash: &str) -> bool {
        verify_slices_are_equal(Self::hash_of(shown).as_bytes(), known_hash.as_bytes()).is_ok()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}
