//! Prints the messages of the public onnx.proto as Rust; takes the folder in which ONNX's `onnx/` lies.

use prost_build::Module;

const HEADER: &str = "\
//! onnx: ONNX's protobuf messages; scripts/messages writes this file, do not edit it.
//!
//! From onnx-ml.proto and onnx-data.proto of ONNX (SPDX-License-Identifier: Apache-2.0, <https://github.com/onnx/onnx>), by prost-build.

";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os()
        .nth(1)
        .ok_or("the folder of ONNX's protos is not named")?;
    let files = protox::compile(["onnx/onnx-ml.proto", "onnx/onnx-data.proto"], [folder])?;
    let module = Module::from_protobuf_package_name("onnx");
    let requests = files
        .file
        .into_iter()
        .map(|file| (module.clone(), file))
        .collect();
    let mut config = prost_build::Config::new();
    // Bytes are parts of the file's own memory, not copies.
    config.bytes(["."]).disable_comments(["."]);
    let made = config.generate(requests)?;
    print!("{HEADER}{}", made[&module]);
    Ok(())
}
