//! Compiles the protobuf files without a system protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["rialto/v1/control.proto", "rialto/v1/local.proto", "rialto/v1/raft.proto"];
    let descriptors = protox::compile(files, ["../proto"])?;
    println!("cargo:rerun-if-changed=../proto");
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
