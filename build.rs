//! Tells the engine where libtorch lies, so that no LD_LIBRARY_PATH is needed.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if let (Ok(libtorch), Ok(root)) = (
        std::env::var("LIBTORCH"),
        std::env::var("CARGO_MANIFEST_DIR"),
    ) {
        let lib = std::path::Path::new(&root).join(libtorch).join("lib");
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}
