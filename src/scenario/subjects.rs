//! subjects: every subject that a scenario can name, and what it needs.

/// One line of `parity list subjects`.
pub struct Row {
    pub name: &'static str,
    pub summary: &'static str,
    pub needs: &'static str,
}

pub const ALL: &[Row] = &[
    Row {
        name: "onnxruntime",
        summary: "the ONNX graph in ONNX Runtime, every intermediate observed",
        needs: "libonnxruntime (scripts/setup, or ORT_DYLIB_PATH)",
    },
    Row {
        name: "libtorch",
        summary: "the same graph, interpreted node by node with libtorch kernels",
        needs: "parity-engine and libtorch (scripts/setup, or LIBTORCH)",
    },
    Row {
        name: "torchscript",
        summary: "a TorchScript file of the same network in libtorch: declared outputs only",
        needs: "parity-engine and libtorch (scripts/setup, or LIBTORCH)",
    },
    Row {
        name: "recorded",
        summary: "a trace file: safetensors written by `parity run --record` or by anything else",
        needs: "nothing",
    },
    Row {
        name: "kernel",
        summary: "a built-in f64 reference in the place of its ONNX form: declared outputs only",
        needs: "nothing",
    },
    Row {
        name: "simulated",
        summary: "a healthy engine that nobody owns: f64 rounded anew within half of every bound, to try the judge",
        needs: "parity-engine and libtorch (scripts/setup, or LIBTORCH)",
    },
    Row {
        name: "faulty",
        summary: "onnxruntime or libtorch with one named fault injected: the negative control",
        needs: "what it wraps",
    },
];
