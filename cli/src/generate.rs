//! Verbs that need no bridge: `generate`, `explain-code`, `version`, `probe-names`.

use std::path::Path;
use std::process::ExitCode;

use rialto_agent::kubernetes::examine::names;
use rialto_types::error::Code;
use rialto_types::limits;

use crate::client::Output;
use crate::codes;
use crate::failure::{Exit, Failure};
use crate::print::{self, Format, Printer, Table};

mod bench;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Tool {
    /// Say what an error code means and what to do about it
    ExplainCode {
        /// The code, such as RIA6004; all of them if absent
        code: Option<String>,
        #[command(flatten)]
        output: Output,
    },
    /// Print what is derived from this program
    #[command(subcommand)]
    Generate(Document),
    /// Ask this machine's resolver for the federation's names: `install dns` does it in a pod
    #[command(hide = true)]
    ProbeNames,
    /// Print the version
    Version {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Document {
    /// The description of the REST API (OpenAPI 3.1, JSON)
    Openapi,
    /// State on disk for a gateway that is measured without a control plane
    #[command(hide = true)]
    BenchState(bench::Arguments),
}

pub(crate) fn run(tool: &Tool) -> ExitCode {
    let outcome = match tool {
        Tool::ExplainCode { code, output } => explain_code(code.as_deref(), &output.printer()),
        Tool::Generate(Document::Openapi) => {
            Printer::new(Format::Json).data(&print::json(&rialto_wire::rest::openapi()))
        }
        Tool::Generate(Document::BenchState(arguments)) => {
            bench::run(arguments).map_err(|error| Failure::failed(format!("{error:#}")))
        }
        Tool::ProbeNames => probe_names(),
        Tool::Version { output } => version(&output.printer()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => print::failure(&failure).into(),
    }
}

fn version(printer: &Printer) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let value = serde_json::json!({ "version": version });
    printer.value(&value, |_| format!("rialto {version}\n"))
}

/// Several times, each from a new port: a cluster's DNS has several servers, and all must know.
fn probe_names() -> Result<(), Failure> {
    let failed = |text: String| Failure::failed(text);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(format!("cannot start the runtime: {error}")))?;
    for _ in 0..limits::PROBE_NAMES {
        match runtime.block_on(names::ask(Path::new(names::RESOLVER_FILE))).map_err(failed)? {
            names::Answer::Ours => {}
            names::Answer::NoSuchName => {
                return Err(failed(
                    "this machine's resolver does not know clusterset.local".into(),
                ));
            }
            names::Answer::Refused(code) => {
                return Err(failed(format!("this machine's resolver answered with code {code}")));
            }
        }
    }
    Ok(())
}

fn explain_code(text: Option<&str>, printer: &Printer) -> Result<(), Failure> {
    let Some(text) = text else { return list(printer) };
    let number = text.to_ascii_uppercase();
    let number = number.strip_prefix("RIA").unwrap_or(&number);
    let code = Code::from_text(&format!("RIA{number}")).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("`{text}` is not an error code"))
            .with_hint("`rialto explain-code` lists them all")
    })?;
    printer.value(&value(code), |_| page(code))
}

fn list(printer: &Printer) -> Result<(), Failure> {
    let values: Vec<_> = Code::ALL.iter().map(|code| value(*code)).collect();
    let mut table = Table::new(&["CODE", "HTTP", "MEANING"]);
    for code in Code::ALL {
        table.row(vec![code.to_string(), code.status().to_string(), code.title().to_string()]);
    }
    printer.value(&values, |_| match printer.format {
        Format::Name => Code::ALL.iter().map(|code| format!("{code}\n")).collect(),
        Format::Table | Format::Wide | Format::Json | Format::Yaml => table.render(),
    })
}

fn value(code: Code) -> serde_json::Value {
    serde_json::json!({
        "code": code,
        "status": code.status(),
        "title": code.title(),
        "retryable": code.is_retryable(),
        "fix": codes::fix(code),
    })
}

fn page(code: Code) -> String {
    let again = match code.is_retryable() {
        true => "yes, without a change",
        false => "no: the same request fails again until something changes",
    };
    format!(
        "{code}  {}\n\n  HTTP status  {}\n  try again    {again}\n  what to do   {}\n",
        code.title(),
        code.status(),
        codes::fix(code)
    )
}
