//! The key file of the members, which seals issuer keys in the state.

use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use rialto_wire::identity::file;

const KEY_BYTES: usize = 32;
/// First byte of everything sealed; another scheme gets another number.
const VERSION: u8 = 1;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the file of the seal key cannot be used")]
    File(#[source] file::Error),
    #[error("`{path}` exists: a seal key is never replaced, its issuers would be lost")]
    Exists { path: PathBuf },
    #[error("`{path}` has {found} bytes; a seal key has {KEY_BYTES}: restore it from a backup")]
    Length { path: PathBuf, found: usize },
    #[error("the cipher refuses to seal")]
    Cipher,
    #[error("sealed with scheme {found}, this version of Rialto knows {VERSION}: upgrade it")]
    Version { found: u8 },
    #[error(
        "the seal key does not open it: the key is another federation's, or the data is damaged"
    )]
    Sealed,
}

/// 32 bytes that every member of the control plane has in a private file, and nothing else has.
#[derive(Clone)]
pub struct SealKey([u8; KEY_BYTES]);

impl SealKey {
    /// The key from bytes: drawn at the first start, or handed over when a member joins.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// A secret: it goes only into the key file and to a member that joins.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// Writes the key to a file that only its owner can read; never over another key.
    pub fn store(&self, path: &Path) -> Result<(), Error> {
        match Self::load(path) {
            Ok(Some(held)) if held.0 == self.0 => Ok(()),
            Ok(None) => file::write_private(path, &self.0).map_err(Error::File),
            Ok(Some(_)) | Err(Error::Length { .. }) => Err(Error::Exists { path: path.to_owned() }),
            Err(error) => Err(error),
        }
    }

    /// Reads the key file; `None` if there is none, before the first start.
    pub fn load(path: &Path) -> Result<Option<Self>, Error> {
        let bytes = match file::read_private(path, 2 * KEY_BYTES as u64) {
            Ok(bytes) => bytes,
            Err(error) if error.is_absent() => return Ok(None),
            Err(error) => return Err(Error::File(error)),
        };
        let key = bytes.as_slice().try_into();
        let length = |_| Error::Length { path: path.to_owned(), found: bytes.len() };
        Ok(Some(Self(key.map_err(length)?)))
    }

    /// Encrypts with AES-256-GCM: version, random nonce, ciphertext and tag. What is sealed for
    /// one context, such as a trust domain, cannot be opened for another.
    ///
    /// Random nonces of 96 bits are safe for 2^32 messages (NIST SP 800-38D, 8.3); a federation
    /// seals a few thousand keys in its life.
    pub(crate) fn seal(&self, secret: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        let mut data = secret.to_vec();
        let nonce = self
            .cipher()?
            .seal_in_place_append_tag(Aad::from(context), &mut data)
            .map_err(|_| Error::Cipher)?;
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut data);
        Ok(sealed)
    }

    pub(crate) fn open(&self, sealed: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        let (&version, rest) = sealed.split_first().ok_or(Error::Sealed)?;
        if version != VERSION {
            return Err(Error::Version { found: version });
        }
        let (nonce, data) = rest.split_first_chunk::<NONCE_LEN>().ok_or(Error::Sealed)?;
        let mut data = data.to_vec();
        let secret = self
            .cipher()?
            .open_in_place(Nonce::from(nonce), Aad::from(context), &mut data)
            .map_err(|_| Error::Sealed)?;
        Ok(secret.to_vec())
    }

    /// A key for one purpose, the same on every member.
    pub(crate) fn derive(&self, purpose: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let tag = hmac::sign(&key, purpose.as_bytes());
        Self(tag.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    fn cipher(&self) -> Result<RandomizedNonceKey, Error> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.0).map_err(|_| Error::Cipher)
    }
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealKey").finish_non_exhaustive()
    }
}
