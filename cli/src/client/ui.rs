//! `ui`: a link that signs a browser in.

use rialto_types::duration;
use rialto_types::limits;

use super::Api;
use crate::failure::{Exit, Failure};
use crate::print;

/// Print a link that opens the web page and signs in, once
///
/// The code stands behind `#`, which browsers send to no server: it ends up in no log.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let (client, printer) = arguments.api.open()?;
    let code = client.create_sign_in_code().await?;
    let ttl = duration::format(limits::SIGN_IN_CODE_TTL);
    print::note(&format!("Good once, for {ttl}, at the member that made it:"));
    printer.value(&code, |_| format!("{}/{}\n", client.server(), code.fragment))?;
    Ok(Exit::Done)
}
