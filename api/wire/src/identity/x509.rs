//! What a leaf and an anchor are both read by.

use rialto_types::id::Timestamp;
use x509_parser::certificate::X509Certificate;
use x509_parser::error::X509Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

/// One certificate and nothing behind it; else what is wrong with the bytes.
pub(super) fn decode(der: &[u8]) -> Result<X509Certificate<'_>, &'static str> {
    match X509Certificate::from_der(der) {
        Ok(([], x509)) => Ok(x509),
        Ok(_) => Err("bytes follow it"),
        Err(_) => Err("it cannot be decoded"),
    }
}

pub(super) fn uri_names<'a>(x509: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, X509Error> {
    let Some(names) = x509.subject_alternative_name()? else { return Ok(Vec::new()) };
    let names = &names.value.general_names;
    // A URI that cannot be decoded counts as one to somebody else's parser.
    if names.iter().any(|name| matches!(name, GeneralName::Invalid(..))) {
        return Err(X509Error::InvalidExtensions);
    }
    let uri = |name: &'a GeneralName<'_>| {
        if let GeneralName::URI(uri) = name { Some(*uri) } else { None }
    };
    Ok(names.iter().filter_map(uri).collect())
}

pub(super) fn validity(x509: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let time = |seconds: i64| Timestamp::from_unix_ms(seconds.max(0).unsigned_abs() * 1000);
    let validity = x509.validity();
    (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()))
}
