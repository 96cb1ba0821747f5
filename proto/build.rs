//! Compiles the `.proto` files with `protox`, so that no system `protoc` is needed.

use std::{env, fs, path::PathBuf};

const FILES: [&str; 4] =
    ["holdfast/v1/types.proto", "holdfast/v1/dispersal.proto", "holdfast/v1/retrieval.proto", "holdfast/v1/node.proto"];

const SIGNER: &str = "holdfast/signer/v1/signer.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    for file in FILES {
        compiler.open_file(file)?;
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("holdfast.v1.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().bytes(".").compile_fds(compiler.file_descriptor_set())?;

    // Apart: no member serves it, so no member says by reflection that it does.
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true);
    compiler.open_file(SIGNER)?;
    let folder = out.join("signer");
    fs::create_dir_all(&folder)?;
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".holdfast.v1", "crate::v1")
        .out_dir(folder)
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
