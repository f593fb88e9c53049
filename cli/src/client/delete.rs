//! `delete`: objects by name, or those of files.

use std::path::PathBuf;

use rialto_types::id::Namespace;
use rialto_types::object::{Key, Kind};

use super::Api;
use super::apply::{Change, Done};
use super::{documents, target};
use crate::failure::{Exit, Failure};
use crate::print;

/// Delete objects by kind and name, or those that files name
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The kind, such as `httproutes` or `HTTPRoute`
    #[arg(value_parser = target::kind, required_unless_present = "files")]
    kind: Option<Kind>,
    /// Names, or NAMESPACE/NAME
    #[arg(value_name = "NAME", required_unless_present = "files")]
    names: Vec<String>,
    /// The namespace of the names, instead of NAMESPACE/
    #[arg(short, long)]
    namespace: Option<Namespace>,
    /// Delete what these files name; may be repeated
    #[arg(short, long = "file", value_name = "FILE|DIR|-", conflicts_with = "kind")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    options: Change,
    #[command(flatten)]
    api: Api,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let keys = keys(&arguments)?;
    let (client, printer) = arguments.api.open()?;
    let mut done = Done::default();
    for key in keys {
        match client.delete(&key, &arguments.options.write_options()).await {
            Ok(written) => done.written(&printer, key, written, arguments.options.dry_run)?,
            Err(error) => {
                let failure = Failure::from(error);
                if matches!(failure.exit, Exit::Unreachable | Exit::Usage) {
                    return Err(failure);
                }
                let text = format!("{key}: {}", failure.render());
                print::note(&format!("{} {text}", print::label("error")));
                done.failed(failure.exit);
            }
        }
    }
    done.finish(&client, &arguments.options, &printer).await
}

/// What depends on others goes first.
fn keys(arguments: &Arguments) -> Result<Vec<Key>, Failure> {
    let Some(kind) = arguments.kind else {
        let found = documents::read(&arguments.files)?;
        return Ok(found.iter().rev().map(|found| found.resource.key()).collect());
    };
    let namespace = arguments.namespace.as_ref();
    arguments.names.iter().map(|name| target::key(kind, namespace, name)).collect()
}
