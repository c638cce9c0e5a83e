//! hostile: pickles of every opcode, pickles that would run a command, bombs, and headers that lie: an error or a list, in bounded time and memory, and
//! nothing is ever run.

use super::*;
use parity::hash;
use std::collections::BTreeSet;
use std::io::Write;

/// A file as torch.save writes it, around this pickle.
fn saved(path: &Path, pickle: &[u8]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [
        ("a/data.pkl", pickle),
        ("a/data/0", &[0; 64]),
        ("a/version", b"3\n"),
    ] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

/// Opens it and reads all tensors; whether it was a pickle at all.
fn opens(path: &Path) -> Option<checkpoint::Checkpoint> {
    let held = checkpoint::open(path).ok()?;
    for (name, _) in held.tensors() {
        let _ = held.tensor(name);
    }
    Some(held)
}

/// Numbers of one program.
struct Draw {
    seed: u64,
    at: u64,
}

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.at += 1;
        (hash::bits(self.seed, self.at) % n as u64) as usize
    }

    fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.below(256) as u8).collect()
    }

    /// Names that the reader knows, and others.
    fn name(&mut self) -> (&'static str, &'static str) {
        [
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch._utils", "_rebuild_parameter"),
            ("torch", "FloatStorage"),
            ("collections", "OrderedDict"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("_codecs", "encode"),
            ("os", "system"),
        ][self.below(8)]
    }
}

/// What stands behind an opcode in the file.
#[derive(Clone, Copy)]
enum Operand {
    Nothing,
    Line(&'static str),
    Name,
    Bytes(usize),
    /// A length of so many bytes, and as many bytes behind it.
    Counted(usize),
    /// A place of the memo.
    Place(usize),
    PlaceLine,
}

use Operand::{Bytes, Counted, Line, Name, Nothing, Place, PlaceLine};

/// Every opcode of protocols 0 to 5 but STOP.
const OPCODES: [(u8, Operand); 67] = [
    (b'(', Nothing),
    (b'0', Nothing),
    (b'1', Nothing),
    (b'2', Nothing),
    (b'F', Line("1.5")),
    (b'I', Line("3")),
    (b'J', Bytes(4)),
    (b'K', Bytes(1)),
    (b'L', Line("7L")),
    (b'M', Bytes(2)),
    (b'N', Nothing),
    (b'P', Line("storage")),
    (b'Q', Nothing),
    (b'R', Nothing),
    (b'S', Line("'0'")),
    (b'T', Counted(4)),
    (b'U', Counted(1)),
    (b'V', Line("cpu")),
    (b'X', Counted(4)),
    (b'a', Nothing),
    (b'b', Nothing),
    (b'c', Name),
    (b'd', Nothing),
    (b'}', Nothing),
    (b'e', Nothing),
    (b'g', PlaceLine),
    (b'h', Place(1)),
    (b'i', Name),
    (b'j', Place(4)),
    (b'l', Nothing),
    (b']', Nothing),
    (b'o', Nothing),
    (b'p', PlaceLine),
    (b'q', Place(1)),
    (b'r', Place(4)),
    (b's', Nothing),
    (b't', Nothing),
    (b')', Nothing),
    (b'u', Nothing),
    (b'G', Bytes(8)),
    (b'B', Counted(4)),
    (b'C', Counted(1)),
    (0x80, Bytes(1)),
    (0x81, Nothing),
    (0x82, Bytes(1)),
    (0x83, Bytes(2)),
    (0x84, Bytes(4)),
    (0x85, Nothing),
    (0x86, Nothing),
    (0x87, Nothing),
    (0x88, Nothing),
    (0x89, Nothing),
    (0x8a, Counted(1)),
    (0x8b, Counted(4)),
    (0x8c, Counted(1)),
    (0x8d, Counted(8)),
    (0x8e, Counted(8)),
    (0x8f, Nothing),
    (0x90, Nothing),
    (0x91, Nothing),
    (0x92, Nothing),
    (0x93, Nothing),
    (0x94, Nothing),
    (0x95, Bytes(8)),
    (0x96, Counted(8)),
    (0x97, Nothing),
    (0x98, Nothing),
];

/// One opcode with its operand.
fn op((code, operand): (u8, Operand), draw: &mut Draw, out: &mut Vec<u8>) {
    out.push(code);
    match operand {
        Nothing => {}
        Line(text) => out.extend([text.as_bytes(), b"\n"].concat()),
        Name => {
            let (module, name) = draw.name();
            out.extend(format!("{module}\n{name}\n").bytes());
        }
        Bytes(n) => out.extend(draw.bytes(n)),
        Counted(wide) => {
            let n = draw.below(5);
            // Now and then more than there is.
            let said = if draw.below(20) == 0 {
                u64::MAX >> 1
            } else {
                n as u64
            };
            out.extend(&said.to_le_bytes()[..wide]);
            out.extend(draw.bytes(n));
        }
        Place(wide) => out.extend(&(draw.below(3) as u64).to_le_bytes()[..wide]),
        PlaceLine => out.extend(format!("{}\n", draw.below(3)).bytes()),
    }
}

#[test]
fn pickles_of_every_opcode_end_in_an_error_or_a_list() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pt");
    let (mut whole, mut last) = (0, BTreeSet::new());
    for seed in 0..4000 {
        let mut draw = Draw { seed, at: 0 };
        // Something is on the stack first, so that most opcodes find what they take.
        let mut pickle =
            b"\x80\x02(K\x01X\x01\0\0\x000]}q\0q\x01q\x02)ccollections\nOrderedDict\n".to_vec();
        for _ in 0..draw.below(12) {
            op(OPCODES[draw.below(OPCODES.len())], &mut draw, &mut pickle);
        }
        let one = OPCODES[seed as usize % OPCODES.len()];
        op(one, &mut draw, &mut pickle);
        pickle.push(b'.');
        saved(&path, &pickle);
        if opens(&path).is_some() {
            whole += 1;
            last.insert(one.0);
        }
    }
    assert!(whole > 400, "{whole} of 4000 were pickles");
    // EXT1 to EXT4 name what only a running Python knows, PERSID and its like a storage; the rest is read somewhere.
    assert!(last.len() > 50, "only {last:x?} were read to their end");
}

/// Pickles that make a file where Python loads them.
fn commands(made: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let touch = format!("touch {}", text(made));
    let python = format!("__import__(\"os\").system(\"{touch}\")");
    let short = |words: &str| [&[0x8c, words.len() as u8], words.as_bytes()].concat();
    let line = |words: String| words.into_bytes();
    vec![
        (
            "os.system by REDUCE",
            line(format!("cos\nsystem\n(S'{touch}'\ntR.")),
        ),
        (
            "posix.system",
            line(format!("cposix\nsystem\n(V{touch}\ntR.")),
        ),
        (
            "STACK_GLOBAL",
            [
                b"\x80\x04",
                &short("posix")[..],
                &short("system"),
                b"\x93",
                &short(&touch),
                b"\x85R.",
            ]
            .concat(),
        ),
        ("INST", line(format!("(S'{touch}'\nios\nsystem\n."))),
        ("OBJ", line(format!("(cos\nsystem\nS'{touch}'\no."))),
        (
            "NEWOBJ",
            [b"\x80\x02cos\nsystem\n(S'", touch.as_bytes(), b"'\nt\x81."].concat(),
        ),
        (
            "NEWOBJ_EX",
            [b"\x80\x04cos\nsystem\n(S'", touch.as_bytes(), b"'\nt}\x92."].concat(),
        ),
        ("eval", line(format!("cbuiltins\neval\n(S'{python}'\ntR."))),
        (
            "exec",
            line(format!("c__builtin__\nexec\n(S'{python}'\ntR.")),
        ),
        (
            "subprocess",
            line(format!(
                "csubprocess\ncheck_output\n((lS'sh'\naS'-c'\naS'{touch}'\natR."
            )),
        ),
        (
            "getattr",
            line(format!(
                "cbuiltins\ngetattr\n(cos\nS'system'\ntR(S'{touch}'\ntR."
            )),
        ),
        (
            "BUILD",
            line(format!(
                "ccollections\nOrderedDict\n)R(dS'__setstate__'\ncos\nsystem\nsbS'{touch}'\nb."
            )),
        ),
        (
            "among tensors",
            line(format!(
                "(dS'weight'\nctorch._utils\n_rebuild_tensor_v2\n(cos\nsystem\n(S'{touch}'\ntRI0\n(I2\nt(I1\ntI00\nNtRs."
            )),
        ),
    ]
}

#[test]
fn os_system_and_its_variants_are_listed_and_never_run() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    for (name, pickle) in commands(&made) {
        let path = dir.path().join("x.pt");
        saved(&path, &pickle);
        let held = opens(&path);
        assert!(!made.exists(), "{name} was run");
        if let Some(held) = held {
            assert_eq!(held.tensors().count(), 0, "{name}");
        }
        let plain = fixture("plain.safetensors");
        Call::new(PARITY, dir.path(), &["params", text(&plain), "x.pt"])
            .run()
            .is_civil();
        assert!(!made.exists(), "{name} was run");
    }
}

/// The control: what these pickles are made of does run where Python loads them.
#[test]
fn python_itself_would_run_them() {
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    let ran = |pickle: &[u8]| {
        let _ = std::fs::remove_file(&made);
        std::fs::write(dir.path().join("x.pkl"), pickle).unwrap();
        let script = "import pickle; pickle.load(open('x.pkl', 'rb'))";
        let python = std::process::Command::new("python3")
            .args(["-c", script])
            .current_dir(dir.path())
            .output();
        python.unwrap();
        made.exists()
    };
    let all = commands(&made);
    let run: Vec<&str> = all.iter().filter(|(_, p)| ran(p)).map(|c| c.0).collect();
    assert!(run.len() >= 9, "{run:?}");
}

#[test]
fn bombs_and_lying_headers_fill_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pt");
    let change = |what: &[u8], by: &[u8]| {
        saved(&path, b"\x80\x02}.");
        let mut bytes = std::fs::read(&path).unwrap();
        let mut at = 0;
        // In the file's own header and in that of the directory behind it.
        while let Some(i) = bytes[at..].windows(what.len()).position(|w| w == what) {
            bytes[at + i..at + i + by.len()].copy_from_slice(by);
            at += i + what.len();
        }
        assert!(at > 0);
        std::fs::write(&path, bytes).unwrap();
        checkpoint::open(&path).err().map(|e| e.to_string())
    };
    // The pickle has 4 bytes: compressed to 4 and 4 GiB large, and stored with 4 GiB − 1.
    let sizes = [4u32.to_le_bytes(), 4u32.to_le_bytes()].concat();
    let bomb = [4u32.to_le_bytes(), 0xffff_fff0u32.to_le_bytes()].concat();
    let lying = [0xffff_fff0u32.to_le_bytes(); 2].concat();
    assert!(change(&sizes, &bomb).is_some());
    assert!(change(&sizes, &lying).is_some());
    // Lists in each other, and pairs of a pair sixty times: 2⁶⁰ places, of 60 values.
    saved(
        &path,
        &[&b"\x80\x02"[..], &[b']'; 200_000], &[b'a'; 199_999], b"."].concat(),
    );
    assert!(opens(&path).is_none_or(|held| held.tensors().count() == 0));
    let doubled = |n: usize| [&b"\x80\x02]q\0"[..], &b"h\0h\0\x86q\0".repeat(n), b"."].concat();
    saved(&path, &doubled(60));
    assert!(opens(&path).is_none_or(|held| held.tensors().count() == 0));
}
