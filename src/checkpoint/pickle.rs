//! pickle: a Python pickle as data. Nothing is called: what would be made is kept by the name of who makes it, with its arguments and its state.
//!
//! Opcodes of protocols 0 to 5, as CPython's `pickletools` documents them. Memory is bounded by the length of the pickle and by [`MOST`].

use crate::error::{Error, Result};
use std::collections::HashMap;

/// A value by its place in the [`Heap`].
pub type Id = usize;

/// Values at most: no checkpoint has as many, and a pickle of a byte each must not fill the memory.
const MOST: usize = 1 << 22;

/// What a value is; parts of it are values of the same heap, shared and circular ones among them.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    None,
    Bool(bool),
    Int(i64),
    /// An integer beyond i64.
    Long,
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Set(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A name in a module of Python.
    Global {
        module: String,
        name: String,
    },
    /// What somebody else holds, by a name that the reader and the writer agree on.
    Persistent(Id),
    Made(Box<Made>),
}

/// What would have been made.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// Who makes it: a global, or whatever else was there.
    pub by: Id,
    pub args: Vec<Id>,
    pub state: Option<Id>,
    /// What was put into it afterwards.
    pub items: Vec<Id>,
    pub pairs: Vec<(Id, Id)>,
}

#[derive(Debug, Default)]
pub struct Heap(Vec<Value>);

impl Heap {
    pub fn get(&self, id: Id) -> &Value {
        &self.0[id]
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn int(&self, id: Id) -> Option<i64> {
        match self.get(id) {
            Value::Int(i) => Some(*i),
            _ => None,
        }
    }

    pub fn bool(&self, id: Id) -> Option<bool> {
        match self.get(id) {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// Members of a tuple or a list.
    pub fn members(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(all) | Value::List(all) => Some(all),
            _ => None,
        }
    }

    /// "module.name" of a global.
    pub fn global(&self, id: Id) -> Option<String> {
        match self.get(id) {
            Value::Global { module, name } => Some(format!("{module}.{name}")),
            _ => None,
        }
    }

    fn put(&mut self, value: Value) -> Result<Id> {
        if self.0.len() == MOST {
            return Err(Error::usage(format!("it holds more than {MOST} values")));
        }
        self.0.push(value);
        Ok(self.0.len() - 1)
    }
}

/// The value of the first pickle in `bytes`, and how many bytes that takes.
///
/// # Errors
/// Bytes that are no pickle.
pub fn read(bytes: &[u8], heap: &mut Heap) -> Result<(Id, usize)> {
    let mut machine = Machine {
        bytes,
        at: 0,
        stack: vec![],
        marks: vec![],
        memo: HashMap::new(),
        heap,
    };
    loop {
        let at = machine.at;
        let code = machine.byte()?;
        let done = machine.step(code).map_err(|e| {
            Error::usage(format!("opcode 0x{code:02x} at byte {at}: {}", e.message))
        })?;
        if let Some(value) = done {
            return Ok((value, machine.at));
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    heap: &'a mut Heap,
}

fn lacking(what: &str) -> Error {
    Error::usage(what.to_string())
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(count);
        let found = end.and_then(|end| self.bytes.get(self.at..end));
        let found = found.ok_or_else(|| lacking("the pickle ends in the middle"))?;
        self.at += count;
        Ok(found)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn number<const N: usize>(&mut self) -> Result<u64> {
        let mut wide = [0u8; 8];
        wide[..N].copy_from_slice(self.take(N)?);
        Ok(u64::from_le_bytes(wide))
    }

    /// So many bytes as the next N say.
    fn counted<const N: usize>(&mut self) -> Result<&'a [u8]> {
        let count = self.number::<N>()?;
        self.take(usize::try_from(count).map_err(|_| lacking("a length beyond the memory"))?)
    }

    fn line(&mut self) -> Result<&'a str> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|b| *b == b'\n');
        let end = end.ok_or_else(|| lacking("a line without an end"))?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| lacking("a line that is no UTF-8"))
    }

    fn push(&mut self, value: Value) -> Result<()> {
        let id = self.heap.put(value)?;
        self.stack.push(id);
        Ok(())
    }

    fn pop(&mut self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => Ok(self.stack.pop().unwrap_or_default()),
            false => Err(lacking("it takes from an empty stack")),
        }
    }

    fn top(&mut self) -> Result<Id> {
        let top = self.pop()?;
        self.stack.push(top);
        Ok(top)
    }

    /// What lies above the last mark, which is gone then.
    fn marked(&mut self) -> Result<Vec<Id>> {
        let mark = self
            .marks
            .pop()
            .ok_or_else(|| lacking("there is no mark"))?;
        Ok(self.stack.split_off(mark))
    }

    fn pairs(&mut self) -> Result<Vec<(Id, Id)>> {
        let all = self.marked()?;
        match all.len() % 2 {
            0 => Ok(all.chunks(2).map(|p| (p[0], p[1])).collect()),
            _ => Err(lacking("a key without a value")),
        }
    }

    fn text(&mut self, bytes: &[u8]) -> Result<()> {
        // A string may hold lone surrogates, which no UTF-8 has.
        self.push(Value::Text(String::from_utf8_lossy(bytes).into_owned()))
    }

    fn step(&mut self, code: u8) -> Result<Option<Id>> {
        match code {
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => match self.marks.last() == Some(&self.stack.len()) {
                true => drop(self.marks.pop()),
                false => drop(self.pop()?),
            },
            b'1' => drop(self.marked()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            0x80 => drop(self.byte()?),
            0x95 => drop(self.number::<8>()?),
            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'I' | b'L' | b'J' | b'K' | b'M' | 0x8a | 0x8b => self.integer(code)?,
            b'F' => {
                let line = self.line()?.parse();
                self.push(Value::Float(line.map_err(|_| lacking("no number"))?))?;
            }
            b'G' => {
                let bits = u64::from_be_bytes(self.number::<8>()?.to_le_bytes());
                self.push(Value::Float(f64::from_bits(bits)))?;
            }
            b'S' | b'V' | b'T' | b'U' | b'X' | 0x8c | 0x8d => self.string(code)?,
            b'B' => self.bytes_of(Self::counted::<4>)?,
            b'C' => self.bytes_of(Self::counted::<1>)?,
            0x8e | 0x96 => self.bytes_of(Self::counted::<8>)?,
            b'p' | b'q' | b'r' | 0x94 | b'g' | b'h' | b'j' => self.memory(code)?,
            b')' | b't' | 0x85..=0x87 | b']' | b'l' | b'}' | b'd' | 0x8f | 0x91 => {
                self.collection(code)?
            }
            b'a' | b'e' | b's' | b'u' | 0x90 => self.add(code)?,
            b'c' | 0x93 | b'i' | b'o' | b'R' | 0x81 | 0x92 | b'b' => self.make(code)?,
            b'P' => {
                let line = self.line()?.to_string();
                let name = self.heap.put(Value::Text(line))?;
                self.push(Value::Persistent(name))?;
            }
            b'Q' => {
                let name = self.pop()?;
                self.push(Value::Persistent(name))?;
            }
            0x82..=0x84 => {
                return Err(lacking(
                    "an extension of the writer's, which nobody else knows",
                ));
            }
            0x97 | 0x98 => return Err(lacking("a buffer outside of the pickle")),
            _ => return Err(lacking("there is no such opcode")),
        }
        Ok(None)
    }

    fn integer(&mut self, code: u8) -> Result<()> {
        let value = match code {
            b'J' => Value::Int((self.number::<4>()? as u32).cast_signed().into()),
            b'K' => Value::Int(self.byte()?.into()),
            b'M' => Value::Int(self.number::<2>()?.cast_signed()),
            0x8a => long(self.counted::<1>()?),
            0x8b => long(self.counted::<4>()?),
            _ => match self.line()? {
                "00" if code == b'I' => Value::Bool(false),
                "01" if code == b'I' => Value::Bool(true),
                line => {
                    let digits = line.trim_end_matches('L');
                    let all = !digits.is_empty()
                        && digits
                            .trim_start_matches('-')
                            .bytes()
                            .all(|b| b.is_ascii_digit());
                    match digits.parse() {
                        Ok(i) => Value::Int(i),
                        Err(_) if all => Value::Long,
                        Err(_) => return Err(lacking("no number")),
                    }
                }
            },
        };
        self.push(value)
    }

    fn string(&mut self, code: u8) -> Result<()> {
        let bytes = match code {
            b'T' | b'X' => self.counted::<4>()?,
            b'U' | 0x8c => self.counted::<1>()?,
            0x8d => self.counted::<8>()?,
            // Names of storages and modules: nobody escapes what is none of them here.
            b'S' => self.line()?.trim_matches(['\'', '"']).as_bytes(),
            _ => self.line()?.as_bytes(),
        };
        self.text(bytes)
    }

    fn bytes_of(&mut self, counted: fn(&mut Self) -> Result<&'a [u8]>) -> Result<()> {
        let bytes = counted(self)?.to_vec();
        self.push(Value::Bytes(bytes))
    }

    fn memory(&mut self, code: u8) -> Result<()> {
        let place = match code {
            b'p' | b'g' => self.line()?.parse().map_err(|_| lacking("no number"))?,
            b'q' | b'h' => self.byte()?.into(),
            b'r' | b'j' => self.number::<4>()?,
            _ => self.memo.len() as u64,
        };
        if matches!(code, b'g' | b'h' | b'j') {
            let known = self.memo.get(&place).copied();
            self.stack
                .push(known.ok_or_else(|| lacking("nothing was kept under this number"))?);
        } else {
            let top = self.top()?;
            self.memo.insert(place, top);
        }
        Ok(())
    }

    fn collection(&mut self, code: u8) -> Result<()> {
        let value = match code {
            b')' => Value::Tuple(vec![]),
            b't' => Value::Tuple(self.marked()?),
            0x85..=0x87 => {
                let count = usize::from(code - 0x84);
                let mut all = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>>>()?;
                all.reverse();
                Value::Tuple(all)
            }
            b']' => Value::List(vec![]),
            b'l' => Value::List(self.marked()?),
            b'}' => Value::Dict(vec![]),
            b'd' => Value::Dict(self.pairs()?),
            0x8f => Value::Set(vec![]),
            _ => Value::Set(self.marked()?),
        };
        self.push(value)
    }

    /// Puts something into what lies below it.
    fn add(&mut self, code: u8) -> Result<()> {
        let (items, pairs) = match code {
            b'a' => (vec![self.pop()?], vec![]),
            b's' => {
                let value = self.pop()?;
                (vec![], vec![(self.pop()?, value)])
            }
            b'u' => (vec![], self.pairs()?),
            _ => (self.marked()?, vec![]),
        };
        let into = self.top()?;
        match &mut self.heap.0[into] {
            Value::List(all) | Value::Set(all) if pairs.is_empty() => all.extend(items),
            Value::Dict(all) if items.is_empty() => all.extend(pairs),
            Value::Made(made) => {
                made.items.extend(items);
                made.pairs.extend(pairs);
            }
            _ => return Err(lacking("it puts something into what holds nothing")),
        }
        Ok(())
    }

    fn make(&mut self, code: u8) -> Result<()> {
        match code {
            b'c' => {
                let global = self.global()?;
                return self.push(global);
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let texts = (self.heap.text(module), self.heap.text(name));
                let (Some(module), Some(name)) = texts else {
                    return Err(lacking("a name that is no text"));
                };
                let global = Value::Global {
                    module: module.into(),
                    name: name.into(),
                };
                return self.push(global);
            }
            b'b' => {
                let state = self.pop()?;
                let into = self.top()?;
                // A class may be given attributes as well: what is no object here has none.
                if let Value::Made(made) = &mut self.heap.0[into] {
                    made.state = Some(state);
                }
                return Ok(());
            }
            _ => {}
        }
        let (by, args) = match code {
            b'i' => {
                let global = self.global()?;
                let args = self.marked()?;
                (self.heap.put(global)?, args)
            }
            b'o' => {
                let mut all = self.marked()?.into_iter();
                let by = all.next().ok_or_else(|| lacking("nobody makes it"))?;
                (by, all.collect())
            }
            _ => {
                if code == 0x92 {
                    self.pop()?;
                }
                let args = self.pop()?;
                let args = self.heap.members(args).map(<[Id]>::to_vec);
                let args = args.ok_or_else(|| lacking("arguments that are no tuple"))?;
                (self.pop()?, args)
            }
        };
        self.push(Value::Made(Box::new(Made {
            by,
            args,
            state: None,
            items: vec![],
            pairs: vec![],
        })))
    }

    fn global(&mut self) -> Result<Value> {
        Ok(Value::Global {
            module: self.line()?.into(),
            name: self.line()?.into(),
        })
    }
}

/// Two's complement, little-endian.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Long;
    }
    let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Result<(Heap, Id)> {
        let mut heap = Heap::default();
        let (id, _) = read(bytes, &mut heap)?;
        Ok((heap, id))
    }

    #[test]
    fn numbers_of_every_protocol_are_read() {
        let int = |bytes: &[u8]| match of(bytes) {
            Ok((heap, id)) => heap.get(id).clone(),
            Err(e) => panic!("{e}"),
        };
        for (bytes, value) in [
            (&b"I-7\n."[..], Value::Int(-7)),
            (b"I01\n.", Value::Bool(true)),
            (b"L123L\n.", Value::Int(123)),
            (b"L99999999999999999999L\n.", Value::Long),
            (b"J\xff\xff\xff\xff.", Value::Int(-1)),
            (b"K\xff.", Value::Int(255)),
            (b"M\x01\x02.", Value::Int(513)),
            (b"\x8a\x02\x00\xff.", Value::Int(-256)),
            (b"\x8a\x00.", Value::Int(0)),
            (b"G\x3f\xf8\x00\x00\x00\x00\x00\x00.", Value::Float(1.5)),
            (b"F1.5\n.", Value::Float(1.5)),
        ] {
            assert_eq!(int(bytes), value, "{bytes:?}");
        }
    }

    #[test]
    fn what_would_call_something_is_kept_by_name_and_nothing_is_called() {
        let (heap, id) = of(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.").unwrap();
        let Value::Made(made) = heap.get(id) else {
            panic!("{:?}", heap.get(id));
        };
        assert_eq!(heap.global(made.by).as_deref(), Some("os.system"));
        assert_eq!(heap.text(made.args[0]), Some("touch /tmp/owned"));
        let (heap, id) = of(b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x01x\x85R.").unwrap();
        assert!(matches!(heap.get(id), Value::Made(_)));
    }

    #[test]
    fn what_holds_itself_ends() {
        let (heap, id) = of(b"]q\x00h\x00a.").unwrap();
        assert_eq!(heap.members(id), Some(&[id][..]));
    }

    #[test]
    fn bytes_that_are_no_pickle_are_refused_and_never_fill_the_memory() {
        for (bytes, says) in [
            (&b""[..], "ends in the middle"),
            (b"X\xff\xff\xff\xff.", "ends in the middle"),
            (
                b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
                "ends in the middle",
            ),
            (b"R.", "empty stack"),
            (b"(.", "empty stack"),
            (b"e.", "no mark"),
            (b"h\x05.", "nothing was kept"),
            (b"(K\x01d.", "without a value"),
            (b"K\x01K\x02a.", "holds nothing"),
            (b"\xf0.", "no such opcode"),
            (b"\x82\x01.", "extension"),
        ] {
            let e = of(bytes).unwrap_err();
            assert!(e.message.contains(says), "{bytes:?}: {e}");
        }
        let mut long = vec![b'N'; MOST + 1];
        long.push(b'.');
        assert!(of(&long).unwrap_err().message.contains("more than"));
    }
}
