//! code: a name for each kind of error, which stays: what a script or an agent looks at instead of words.

use crate::exit::Exit;

/// What kind of error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    CommandLine,
    Option,
    MissingFile,
    WrongFile,
    Scenario,
    Input,
    NoLibrary,
    Memory,
    Port,
    Write,
    Failed,
    Uncovered,
}

impl Code {
    /// Every code: its name, the exit code that it comes with, what it means.
    pub const ALL: [(Code, &'static str, Exit, &'static str); 12] = [
        (
            Code::CommandLine,
            "command-line",
            Exit::Usage,
            "a word of the command line is unknown, missing or out of range",
        ),
        (
            Code::Option,
            "option",
            Exit::Usage,
            "an option that means nothing in this form of the command",
        ),
        (
            Code::MissingFile,
            "missing-file",
            Exit::Usage,
            "a file that is not there, is empty, or is a folder",
        ),
        (
            Code::WrongFile,
            "wrong-file",
            Exit::Usage,
            "a file of another kind than is meant",
        ),
        (
            Code::Scenario,
            "scenario",
            Exit::Usage,
            "a scenario that cannot be read: a key, a value, a combination",
        ),
        (
            Code::Input,
            "input",
            Exit::Usage,
            "anything else that is wrong with what was given",
        ),
        (
            Code::NoLibrary,
            "no-library",
            Exit::Failed,
            "parity-engine, libtorch or ONNX Runtime was not found",
        ),
        (Code::Memory, "memory", Exit::Failed, "memory ran out"),
        (
            Code::Port,
            "port",
            Exit::Failed,
            "a live port does not start, ended, or does not answer in time",
        ),
        (
            Code::Write,
            "write",
            Exit::Failed,
            "a file cannot be written",
        ),
        (
            Code::Failed,
            "failed",
            Exit::Failed,
            "anything else that kept it from running",
        ),
        (
            Code::Uncovered,
            "uncovered",
            Exit::Uncovered,
            "there was nothing to compare",
        ),
    ];

    pub fn name(self) -> &'static str {
        let row = Self::ALL.iter().find(|row| row.0 == self);
        row.map_or("failed", |row| row.1)
    }

    /// Of an error that nobody named more closely.
    pub fn of(exit: Exit) -> Self {
        match exit {
            Exit::Usage => Code::Input,
            Exit::Uncovered => Code::Uncovered,
            Exit::Agree | Exit::Diverge | Exit::Failed | Exit::Interrupted => Code::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_name_that_a_script_can_rely_on() {
        let names: Vec<&str> = Code::ALL.iter().map(|row| row.1).collect();
        let kept = "command-line option missing-file wrong-file scenario input no-library memory port write failed uncovered";
        // A name is never changed: scripts match on it. A new one is added.
        assert_eq!(names.join(" "), kept);
        for (code, name, ..) in Code::ALL {
            assert_eq!(code.name(), name);
        }
    }

    #[test]
    fn an_error_that_nobody_named_has_the_code_of_its_exit() {
        for exit in [Exit::Usage, Exit::Failed, Exit::Uncovered] {
            let code = Code::of(exit);
            let row = Code::ALL.iter().find(|row| row.0 == code).unwrap();
            assert_eq!(row.2, exit);
        }
    }
}
