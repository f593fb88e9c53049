//! The cryptography under all of Rialto's TLS.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

/// The one provider of every TLS configuration.
pub fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    &PROVIDER
}
