//! Tells the engine where libtorch lies, so that no LD_LIBRARY_PATH is needed.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    println!("cargo:rerun-if-env-changed=PARITY_PORTABLE");
    // What goes to other machines names no folder of this one: the front says where libtorch is.
    if std::env::var_os("PARITY_PORTABLE").is_some() {
        return;
    }
    if let (Ok(libtorch), Ok(root)) = (
        std::env::var("LIBTORCH"),
        std::env::var("CARGO_MANIFEST_DIR"),
    ) {
        let lib = std::path::Path::new(&root).join(libtorch).join("lib");
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}
