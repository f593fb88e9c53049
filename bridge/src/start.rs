//! How a member comes to its identity, its keys and its Raft id: first, joining, or again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use rialto_core::state::command::{Action, Bootstrap, Command};
use rialto_core::state::trust::{self, Member};
use rialto_types::cluster::{Joiner, bridge_trust_domain};
use rialto_types::id::{Role, SpiffeId, Timestamp};
use rialto_types::limits;
use rialto_wire::digest::hex;
use rialto_wire::enroll::{self, Contacts, Enrolled, Folder};
use rialto_wire::grpc::MemberSecrets;
use rialto_wire::identity::{Identity, TrustBundle, file, now, token};
use serde::{Deserialize, Serialize};

use crate::authority::{self, Authority, SealKey, Secret, draw};
use crate::config::Config;
use crate::raft::Start;

/// What a member keeps of its own membership.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Membership {
    pub(crate) raft_id: u64,
    /// The members at the time of joining; empty for the first one.
    pub(crate) told: Vec<Member>,
}

/// A member that is ready to start Raft.
pub(crate) struct Prepared {
    pub(crate) membership: Membership,
    pub(crate) start: Start,
    pub(crate) authority: Arc<Authority>,
    pub(crate) identity: Identity,
    pub(crate) folder: Folder,
    /// The first member's own issuer, until the state holds it.
    pub(crate) issuer: Option<trust::Issuer>,
}

fn membership_path(config: &Config) -> PathBuf {
    config.data.join("member.json")
}

fn seal_path(config: &Config) -> PathBuf {
    config.data.join("seal.key")
}

/// Finds out which kind of start this is, and does what comes before Raft.
pub(crate) async fn prepare(config: &Config) -> anyhow::Result<Prepared> {
    std::fs::create_dir_all(&config.data)
        .with_context(|| format!("cannot make the data folder `{}`", config.data.display()))?;
    let path = membership_path(config);
    if path.exists() {
        return resume(config, &path);
    }
    match &config.join_token_file {
        Some(file) => join(config, file).await,
        None => first(config),
    }
}

fn resume(config: &Config, path: &Path) -> anyhow::Result<Prepared> {
    let bytes = file::read_private(path, limits::CONTACTS_FILE_BYTES_MAX)?;
    let membership: Membership = serde_json::from_slice(&bytes)
        .with_context(|| format!("`{}` is damaged; join as a new member", path.display()))?;
    let seal_key = SealKey::load(&seal_path(config))?;
    let Some(seal_key) = seal_key else {
        bail!("`{}` is missing; join as a new member", seal_path(config).display());
    };
    let folder = Folder::new(config.data.join("identity"));
    let Some(enrolled) = folder.load()? else {
        bail!("the identity in `{}` is missing; join as a new member", config.data.display());
    };
    let start = if membership.raft_id == 1 { Start::Bootstrap } else { Start::Join };
    Ok(Prepared {
        start: if config.data.join("raft").exists() { Start::Resume } else { start },
        membership,
        authority: Arc::new(Authority::new(seal_key, config.certificate_lifetime)),
        identity: Identity::new(enrolled.svid, enrolled.bundle),
        folder,
        issuer: None,
    })
}

fn first(config: &Config) -> anyhow::Result<Prepared> {
    let seal_key = match SealKey::load(&seal_path(config))? {
        Some(seal_key) => seal_key,
        None => {
            let seal_key = SealKey::from_bytes(draw()?);
            seal_key.store(&seal_path(config))?;
            seal_key
        }
    };
    let authority = Arc::new(Authority::new(seal_key, config.certificate_lifetime));
    let domain = bridge_trust_domain();
    let issuer = authority.create_issuer(&domain, now())?;
    let id = SpiffeId::part(&domain, Role::Member, &config.id);
    let svid = authority.certify_self(&id, &issuer, now())?;
    let mut bundle = TrustBundle::default();
    bundle.insert(&domain, &authority::anchor(&domain, &issuer)?)?;
    let folder = Folder::new(config.data.join("identity"));
    Ok(Prepared {
        membership: Membership { raft_id: 1, told: Vec::new() },
        start: Start::Bootstrap,
        authority,
        identity: Identity::new(svid, bundle),
        folder,
        issuer: Some(issuer),
    })
}

async fn join(config: &Config, token_file: &Path) -> anyhow::Result<Prepared> {
    let file = token_file.display();
    let text = std::fs::read_to_string(token_file)
        .with_context(|| format!("cannot read the join token in `{file}`"))?;
    let token = token::decode(&text)
        .with_context(|| format!("the join token in `{file}` cannot be used"))?;
    // Redeeming another part's token would only use it up.
    ensure!(
        token.role == Joiner::Member,
        "the join token in `{file}` is for a part `{}`, not for a member; make one with \
         `rialto join token --member`",
        token.role
    );
    let (enrolled, secrets) = enroll::redeem(&token, &config.id, &config.advertised()).await?;
    let secrets = secrets.context("the control plane sent no secrets of a member")?;
    let membership = membership(&secrets)?;
    let seal_key: [u8; 32] = secrets.seal_key[..].try_into().context("the seal key is cut")?;
    let seal_key = SealKey::from_bytes(seal_key);
    seal_key.store(&seal_path(config))?;
    let folder = Folder::new(config.data.join("identity"));
    folder.store(&enrolled)?;
    store_membership(config, &membership)?;
    Ok(Prepared {
        membership,
        start: Start::Join,
        authority: Arc::new(Authority::new(seal_key, config.certificate_lifetime)),
        identity: Identity::new(enrolled.svid, enrolled.bundle),
        folder,
        issuer: None,
    })
}

fn membership(secrets: &MemberSecrets) -> anyhow::Result<Membership> {
    let known = |member: &rialto_wire::grpc::MemberAddress| {
        anyhow::Ok(Member {
            raft_id: member.member_id,
            name: member.name.parse()?,
            address: member.address.clone(),
        })
    };
    let told = secrets.members.iter().map(known).collect::<anyhow::Result<_>>()?;
    Ok(Membership { raft_id: secrets.member_id, told })
}

fn store_membership(config: &Config, membership: &Membership) -> anyhow::Result<()> {
    let bytes = serde_json::to_vec(membership).expect("text keys only");
    Ok(file::write_private(&membership_path(config), &bytes)?)
}

/// Keeps that the first member is one, once the federation exists, with an identity of the issuer
/// that the state holds.
pub(crate) fn keep_first(
    config: &Config,
    prepared: &Prepared,
    issuer: &trust::Issuer,
) -> anyhow::Result<()> {
    let id = SpiffeId::part(&bridge_trust_domain(), Role::Member, &config.id);
    let certify = || prepared.authority.certify_self(&id, issuer, now());
    let domain = bridge_trust_domain();
    let mut bundle = TrustBundle::default();
    bundle.insert(&domain, &authority::anchor(&domain, issuer)?)?;
    let contacts = Contacts { cluster: None, bridges: Vec::new(), agent: None };
    prepared.folder.store(&Enrolled { svid: certify()?, bundle: bundle.clone(), contacts })?;
    prepared.identity.set_bundle(bundle);
    prepared.identity.rotate(certify()?);
    store_membership(config, &prepared.membership)
}

/// The first command of a federation, and the administrator's token to show.
pub(crate) fn bootstrap(
    config: &Config,
    issuer: trust::Issuer,
    now: Timestamp,
) -> anyhow::Result<(Command, Secret)> {
    let admin = Secret::of_administrator(draw()?);
    let bootstrap = Bootstrap {
        epoch: 1,
        federation: hex(&draw::<8>()?),
        issuer,
        admin_token_hash: admin.hash(),
    };
    let command = Command {
        now,
        actor: format!("member:{}", config.id),
        reason: None,
        action: Action::Bootstrap(bootstrap),
    };
    Ok((command, admin))
}
