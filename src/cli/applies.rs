//! applies: an option that means nothing in this form of a command is refused, with where it would mean something.

use crate::error::{Code, Error, Result};

/// Refuses those of `options` that were given; they mean nothing for `form`.
///
/// # Errors
/// One was given.
pub fn not_to(form: &str, options: &[(&str, bool)], belongs: &str) -> Result<()> {
    let given: Vec<&str> = options.iter().filter(|o| o.1).map(|o| o.0).collect();
    let refused = match given.as_slice() {
        [] => return Ok(()),
        [one] => format!("{one} does not apply to {form}"),
        several => format!("{} do not apply to {form}", several.join(", ")),
    };
    Err(Error::usage(refused).next(belongs).kind(Code::Option))
}

/// --input beside a scenario.
pub fn input() -> Error {
    Error::usage("--input does not apply to a scenario, which states its inputs itself")
        .next("it belongs to a bare model (.onnx)")
        .kind(Code::Option)
}
