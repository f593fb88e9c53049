//! Packs the built page (`ui/dist`), so that the binary carries it.

use std::path::{Path, PathBuf};

#[path = "build/pack.rs"]
mod pack;

fn main() -> std::io::Result<()> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).expect("cargo sets it");
    let package = variable("CARGO_MANIFEST_DIR");
    let dist = package.parent().unwrap_or(Path::new("..")).join("ui/dist");
    // Cargo looks at a folder for what changed in it, and builds anew each time where it is
    // missing. A tree that cannot be written to does just that.
    let _ = std::fs::create_dir_all(&dist);
    // Relative, so that a build folder that came with a moved checkout looks at the new place.
    println!("cargo::rerun-if-changed=../ui/dist");
    std::fs::write(variable("OUT_DIR").join("page.pack"), pack::pack(&dist)?)
}
