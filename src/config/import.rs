//! import: what imports bind: names that mmengine looks up when it builds, and the few functions of the standard library that are known here.

use super::names::bound;
use super::run::{Outcome, Run};
use super::value::{Lazy, Value};
use ruff_python_ast::{Alias, Stmt, StmtImport, StmtImportFrom};
use std::collections::{BTreeMap, BTreeSet};

/// What the imports of a config of the newer style came to.
#[derive(Default)]
pub struct Lazily {
    /// Names that are imported: they do not stand in the dictionary.
    pub imported: BTreeSet<String>,
    /// Modules that are bases: what they bind is set before the first statement.
    pub bases: BTreeSet<String>,
    /// Packages that are imported whole, by their first name.
    pub packages: BTreeMap<String, Vec<String>>,
}

/// `from . import` of these binds what is known here.
const KNOWN: &[&str] = &[
    "copy.copy",
    "copy.deepcopy",
    "mmengine.config.read_base",
    "os.path",
    "os.path.basename",
    "os.path.join",
];

/// The dots and the name of the module that is imported from.
pub fn module(s: &StmtImportFrom) -> String {
    let name = s.module.as_ref().map_or("None", |m| m.as_str());
    format!("{}{name}", ".".repeat(s.level as usize))
}

/// Whether mmengine imports a module for good: one of the standard library's, or its own reader.
pub fn is_builtin(module: &str) -> bool {
    let first = module.split('.').next().unwrap_or_default();
    module.starts_with("mmengine.config") || STANDARD.split_whitespace().any(|m| m == first)
}

impl Run<'_> {
    pub fn import(&mut self, stmt: &Stmt) -> Outcome<()> {
        match stmt {
            Stmt::Import(s) => self.whole(stmt, s),
            Stmt::ImportFrom(s) => self.from(stmt, s),
            _ => Ok(()),
        }
    }

    fn whole(&mut self, stmt: &Stmt, s: &StmtImport) -> Outcome<()> {
        if self.lazy.is_some() && s.names.len() != 1 {
            return self.raise(stmt, "AssertionError: one module an import in a config");
        }
        for alias in &s.names {
            let name = bound(alias);
            let path = match &alias.asname {
                Some(_) => alias.name.to_string(),
                None => name.clone(),
            };
            let value = match (is_builtin(&alias.name), &mut self.lazy) {
                (true, _) => Value::Foreign(path.as_str().into()),
                (false, Some(_)) if alias.asname.is_none() => continue,
                (false, Some(_)) => Value::Lazy(
                    Lazy {
                        module: path,
                        name: None,
                    }
                    .into(),
                ),
                (false, None) => self.foreign(stmt)?,
            };
            if let (Some(lazy), Some(_)) = (&mut self.lazy, &alias.asname) {
                lazy.imported.insert(name.clone());
            }
            let at = self.at(stmt);
            self.set(&name, value, at);
        }
        Ok(())
    }

    fn from(&mut self, stmt: &Stmt, s: &StmtImportFrom) -> Outcome<()> {
        let module = module(s);
        if self
            .lazy
            .as_ref()
            .is_some_and(|lazy| lazy.bases.contains(&module))
        {
            return Ok(());
        }
        for alias in &s.names {
            if alias.name.as_str() == "*" {
                return self.star(stmt);
            }
            let name = bound(alias);
            let value = self.one(stmt, &module, alias)?;
            if let Some(lazy) = &mut self.lazy {
                lazy.imported.insert(name.clone());
            }
            let at = self.at(stmt);
            self.set(&name, value, at);
        }
        Ok(())
    }

    fn star(&mut self, stmt: &Stmt) -> Outcome<()> {
        match self.lazy {
            Some(_) => self.raise(stmt, "ConfigParsingError: `import *` of what is no base"),
            None => self.raise(
                stmt,
                "`import *` is not evaluated: any name may be another thing",
            ),
        }
    }

    fn one(&mut self, stmt: &Stmt, module: &str, alias: &Alias) -> Outcome {
        let name = alias.name.to_string();
        let path = format!("{module}.{name}");
        match (is_builtin(module), &self.lazy) {
            (false, Some(_)) => Ok(Value::Lazy(
                Lazy {
                    module: module.into(),
                    name: Some(name),
                }
                .into(),
            )),
            (true, _) if KNOWN.contains(&path.as_str()) => Ok(Value::Foreign(path.as_str().into())),
            (true, lazy) => match (super::call::constant(&path), lazy) {
                (Some(value), _) => Ok(value),
                (None, Some(_)) => Ok(Value::Foreign(path.as_str().into())),
                // A class would stand in the dictionary, a function would not.
                (None, None) => self.foreign(stmt),
            },
            (false, None) => self.foreign(stmt),
        }
    }

    fn foreign(&mut self, stmt: &Stmt) -> Outcome {
        self.missed(stmt, "an import of what is not known here")
    }
}

/// Modules of Python's standard library.
const STANDARD: &str = "\
__future__ abc aifc antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb \
binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections \
colorsys compileall concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses \
dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno \
faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext \
glob graphlib grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress \
itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap \
modulefinder msilib msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator \
optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath \
pprint profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline \
reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd \
smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string \
stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios \
textwrap this threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle \
turtledemo types typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg \
winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo";
