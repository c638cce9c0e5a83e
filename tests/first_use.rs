//! Installed without its checkout: libraries of the user's Python are taken where they fit, what is missing is fetched into the cache once, and nothing is fetched that nobody lacks.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use support::*;

/// `PREFIX/bin/parity` beside a stand-in for the engine, which says with which libtorch it was started, and one for Python, which notes that it was asked and fetches.
struct Installed {
    dir: tempfile::TempDir,
}

const ENGINE: &str = "#!/bin/sh\necho \"engine with ${LD_LIBRARY_PATH%%:*}\"\n";
const PYTHON: &str = r#"#!/bin/sh
echo "$@" >> "$PARITY_CACHE/asked"
test -f "$PYTHONPATH/fetch/__main__.py" -a -f "$PYTHONPATH/fetch/pins.py" || exit 9
mkdir -p "$3/libtorch/lib" "$3/onnxruntime"
touch "$3/libtorch/lib/libtorch_cpu.so" "$3/onnxruntime/libonnxruntime.so.1.31.1"
"#;

impl Installed {
    fn new(python: &str) -> Self {
        let it = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir_all(it.at("prefix/bin")).unwrap();
        fs::create_dir_all(it.at("cache")).unwrap();
        fs::copy(PARITY, it.at("prefix/bin/parity")).unwrap();
        it.program("prefix/bin/parity-engine", ENGINE);
        it.program("prefix/bin/python3", python);
        write_model(it.dir.path(), "m.onnx", &small());
        it
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn program(&self, path: &str, text: &str) {
        fs::write(self.at(path), text).unwrap();
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A package of the user's Python, as it lies beside `bin`.
    fn package(&self, file: &str, text: &str) {
        let path = self.at("prefix/lib/python3.12/site-packages").join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn call(&self, args: &[&str]) -> Call {
        Call::new(self.at("prefix/bin/parity"), self.dir.path(), args)
            .env("LIBTORCH", Path::new(""))
            .env("ORT_DYLIB_PATH", Path::new(""))
            .env("VIRTUAL_ENV", Path::new(""))
            .env("PARITY_CACHE", &self.at("cache"))
    }

    fn asked(&self) -> Vec<String> {
        let text = fs::read_to_string(self.at("cache/asked")).unwrap_or_default();
        text.lines().map(String::from).collect()
    }
}

#[test]
fn what_is_missing_is_fetched_once_into_the_cache() {
    let it = Installed::new(PYTHON);
    // What another version unpacked is not what this one carries.
    fs::create_dir_all(it.at("cache/fetch")).unwrap();
    let native = it.at("cache/native");
    let engine = format!("engine with {}", native.join("libtorch/lib").display());
    for _ in 0..2 {
        it.call(&["run", "m.onnx"]).run().exits(0).says(&[&engine]);
    }
    let once = format!("-m fetch {} libtorch onnxruntime", native.display());
    assert_eq!(it.asked(), [once]);
}

#[test]
fn libraries_of_the_users_python_are_taken_where_their_version_fits() {
    let it = Installed::new(PYTHON);
    it.package("torch/version.py", "__version__ = '2.13.0+cu130'\n");
    it.package("torch/lib/libtorch_cpu.so", "");
    it.package("onnxruntime/capi/libonnxruntime.so.1.31.1", "");
    let lib = it.at("prefix/lib/python3.12/site-packages/torch/lib");
    let engine = format!("engine with {}", lib.display());
    it.call(&["run", "m.onnx"]).run().exits(0).says(&[&engine]);
    assert!(it.asked().is_empty());
    // One of another version is fetched, and what it is instead is said.
    it.package("torch/version.py", "__version__ = '2.9.1'\n");
    it.call(&["doctor"])
        .run()
        .exits(3)
        .says(&["libtorch_cpu.so is 2.9.1, needed is 2.13.x"]);
    it.call(&["run", "m.onnx"]).run().exits(0);
    assert_eq!(it.asked().len(), 1);
    assert!(
        it.asked()[0].ends_with("native libtorch"),
        "{:?}",
        it.asked()
    );
}

#[test]
fn what_cannot_be_fetched_or_shall_not_be_is_an_error_with_the_next_step() {
    let it = Installed::new("#!/bin/sh\necho 'the index cannot be reached' >&2\nexit 3\n");
    let ran = it.call(&["run", "m.onnx"]).run().exits(3);
    for word in [
        "the index cannot be reached",
        "libtorch and onnxruntime could not be fetched into",
        "next:",
        "LIBTORCH",
    ] {
        assert!(ran.err.contains(word), "{word}: {ran}");
    }
    it.call(&["run", "m.onnx"])
        .env("PARITY_FETCH", Path::new("never"))
        .run()
        .refuses(3, &["libtorch was not found", "next:"]);
    // What the user names is never replaced by something else.
    let named = it.at("nothing");
    it.call(&["run", "m.onnx"])
        .env("LIBTORCH", &named)
        .env("ORT_DYLIB_PATH", &named)
        .run()
        .refuses(3, &["libtorch was not found (LIBTORCH"]);
    // Help and what needs no engine fetch nothing.
    let quiet = Installed::new(PYTHON);
    for args in [&["--help"][..], &["list"], &["map", "m.onnx"]] {
        quiet.call(args).run().exits(0);
    }
    assert!(quiet.asked().is_empty());
}
