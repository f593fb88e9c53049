//! The page as it was packed into this binary; empty if `ui/` was not built before.

use anyhow::Context as _;
use rialto_wire::rest::WebPage;

static PACK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.pack"));

pub(crate) fn page() -> anyhow::Result<WebPage> {
    WebPage::unpack(PACK.into()).context("the page in this binary cannot be read; build it anew")
}

#[cfg(test)]
mod tests;
