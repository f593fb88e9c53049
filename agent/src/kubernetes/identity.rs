//! The agent's identity, kept in one Secret, so that a pod that is scheduled anew needs no token.
//!
//! The folder stays the working copy: what a restart of the container finds is there, and every
//! renewal goes to the Secret as well. The chart makes the Secret; we may read and change this one
//! alone.

use std::collections::BTreeMap;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use rialto_wire::enroll::Folder;
use rialto_wire::identity::Identity;
use rialto_wire::subscribe::Backoff;
use serde::Deserialize;
use serde_json::json;

use super::api::{Api, Body, Error};

/// Where the identity is kept.
#[derive(Debug, Clone)]
pub struct Keeper {
    api: Api,
    path: String,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    data: Option<BTreeMap<String, String>>,
}

impl Keeper {
    pub fn new(api: Api, namespace: &str, name: &str) -> Self {
        Self { api, path: format!("/api/v1/namespaces/{namespace}/secrets/{name}") }
    }

    /// Puts the kept identity into `folder`, if there is one. A Secret that we may not read is an
    /// error: the token would be used up and its fruit lost.
    pub async fn restore(&self, folder: &Folder) -> anyhow::Result<()> {
        let unusable = || format!("the Secret for the identity, {}, cannot be used", self.path);
        let kept = self.load().await.with_context(unusable)?;
        if folder.restore(&kept).context("the kept identity cannot be put into the folder")? {
            tracing::info!("the identity was restored from its Secret");
        }
        Ok(())
    }

    async fn load(&self) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let secret: Secret = self.api.connect().await?.get(&self.path).await?;
        let decode = |(name, text): (String, String)| Some((name, STANDARD.decode(text).ok()?));
        Ok(secret.data.unwrap_or_default().into_iter().filter_map(decode).collect())
    }

    /// Keeps what is in `folder`.
    pub async fn store(&self, folder: &Folder) -> anyhow::Result<()> {
        let contents = folder.contents().context("the identity cannot be read")?;
        let Some(contents) = contents else { return Ok(()) };
        let encode = |(name, bytes): (String, Vec<u8>)| (name, STANDARD.encode(bytes));
        let data: BTreeMap<String, String> = contents.into_iter().map(encode).collect();
        let session = self.api.connect().await?;
        let patch = json!({"data": data});
        let _: Secret = session.send(Method::PATCH, &self.path, Body::MergePatch, &patch).await?;
        Ok(())
    }

    /// Keeps every renewal, until dropped.
    pub async fn keep(self, folder: Folder, identity: Identity) {
        let mut changes = identity.watch();
        let mut backoff = Backoff::default();
        let mut kept = identity.svid().not_after();
        while changes.changed().await.is_ok() {
            while identity.svid().not_after() != kept {
                let renewed = identity.svid().not_after();
                match self.store(&folder).await {
                    Ok(()) => {
                        kept = renewed;
                        backoff.reset();
                    }
                    Err(error) => {
                        let error = format!("{error:#}");
                        tracing::warn!(error, "the renewed identity is not in its Secret yet");
                        tokio::time::sleep(backoff.next(rand::random())).await;
                    }
                }
            }
        }
        std::future::pending().await
    }
}
