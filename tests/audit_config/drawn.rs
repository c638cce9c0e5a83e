//! Trainings of drawn names, sizes and styles, and faults that a script puts into them: what breaks, where and by how much is drawn.
//! Each is found alone and among all others, at its file and line; what is odd and legal is silent.

use super::*;
use parity::audit::Audited;
use parity::hash;
use parity::verdict::Severity;
use std::cell::Cell;
use std::collections::BTreeMap;

/// Numbers that a seed and the order of asking decide.
struct Draw {
    seed: u64,
    at: Cell<u64>,
}

impl Draw {
    fn of(seed: u64) -> Self {
        Self {
            seed,
            at: Cell::new(0),
        }
    }

    fn below(&self, n: usize) -> usize {
        self.at.set(self.at.get() + 1);
        (hash::bits(self.seed, self.at.get()) % n as u64) as usize
    }

    fn one<'a, T: ?Sized>(&self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }

    /// A word that no program knows.
    fn word(&self) -> String {
        let syllable = |_| {
            format!(
                "{}{}",
                self.one(&["b", "d", "g", "k", "p", "z"]),
                self.one(&["a", "i", "o", "u"])
            )
        };
        (0..3).map(syllable).collect()
    }

    /// A number of these, but not `n`.
    fn but(&self, n: usize, from: usize, to: usize) -> usize {
        let other = from + self.below(to - from);
        if other == n { to } else { other }
    }

    /// `word` with one letter lost or doubled.
    fn typo(&self, word: &str) -> String {
        let at = self.below(word.len());
        match self.below(2) {
            0 => format!("{}{}", &word[..at], &word[at + 1..]),
            _ => format!("{}{}", &word[..=at], &word[at..]),
        }
    }
}

fn capital(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}

/// Files of a training, what is asked of it, and the numbers and names that were drawn for it.
struct Training {
    files: BTreeMap<String, String>,
    asked: Vec<String>,
    /// What was drawn for it.
    names: BTreeMap<&'static str, String>,
    classes: usize,
    sources: Vec<String>,
}

/// What is to be found: a kind, a file, and what stands in the line.
struct Expected {
    kind: &'static str,
    file: String,
    line: String,
}

type Fault = (&'static str, fn(&mut Training, &Draw) -> Expected);

fn expected(kind: &'static str, file: &str, line: impl Into<String>) -> Expected {
    let (file, line) = (file.into(), line.into());
    Expected { kind, file, line }
}

impl Training {
    fn replace(&mut self, file: &str, from: &str, to: &str) {
        let text = self.files.get_mut(file).unwrap();
        assert!(text.contains(from), "{file} has no {from}:\n{text}");
        *text = text.replacen(from, to, 1);
    }

    fn name(&self, of: &str) -> String {
        self.names[of].clone()
    }

    fn run(&self) -> (Option<i32>, Audited, Ran) {
        let all: Vec<(&str, &str)> = self
            .files
            .iter()
            .map(|(n, t)| (n.as_str(), t.as_str()))
            .collect();
        let dir = files(&all);
        let words: Vec<&str> = self
            .asked
            .iter()
            .map(String::as_str)
            .chain(["--json"])
            .collect();
        let ran = audit(dir.path(), &words);
        let audited = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran}"));
        (ran.code, audited, ran)
    }

    fn is_found(&self, audited: &Audited, e: &Expected) -> bool {
        let text = &self.files[&e.file];
        let at = text.lines().position(|l| l.contains(&e.line));
        let at = at.unwrap_or_else(|| panic!("{} has no {}:\n{text}", e.file, e.line));
        let place = format!("{}:{}", e.file, at + 1);
        let said = |f: &parity::verdict::Finding| {
            let mut all = [&f.place, &f.what].into_iter().chain(&f.facts);
            f.kind == e.kind && f.severity == Severity::Fault && all.any(|s| s.contains(&place))
        };
        audited.findings.iter().any(said)
    }
}

/// A training of stage 2 under names that nobody has seen.
fn mmengine(draw: &Draw) -> Training {
    let [net, back, part, own, wide, fast, data] = std::array::from_fn(|i| {
        format!("{}{}", draw.word(), ["a", "e", "i", "o", "u", "y", "w"][i])
    });
    let (switch, width, speed) = (
        format!("with_{data}"),
        format!("{wide}_size"),
        format!("{fast}_share"),
    );
    let classes = 2 + draw.below(7);
    let names: Vec<String> = (0..classes)
        .map(|i| format!("'{}{i}'", draw.word()))
        .collect();
    let renamed = [
        ("Zorp", capital(&net)),
        ("zorp", net),
        ("Quux", capital(&back)),
        ("Frob", capital(&part)),
        ("Macl", capital(&own)),
        ("macl", own.clone()),
        ("return_modality_pair", switch.clone()),
        ("queue_size", width.clone()),
        ("momentum", speed.clone()),
        ("num_classes=3", format!("num_classes={classes}")),
        ("'ant', 'bee', 'cat'", names.join(", ")),
        ("8192", (64 << draw.below(9)).to_string()),
        (
            "max_epochs=12",
            format!("max_epochs={}", 1 + draw.below(99)),
        ),
    ];
    let named = |text: &str| {
        renamed
            .iter()
            .fold(text.to_string(), |t, (from, to)| t.replace(from, to))
    };
    let texts = [
        ("stage2.py", STAGE2),
        ("base_data.py", STAGE2_DATA),
        ("src/source.py", SOURCE),
        ("log.json", LOG),
        ("ckpt/stage1.pth", ""),
        ("ckpt/r50.pth", ""),
        ("sets/train.json", ""),
        ("sets/val.json", ""),
        ("sets/train/1.png", ""),
        ("sets/val/1.png", ""),
    ];
    let rule = format!("loss_{own} needs data.{switch} = true");
    let value = format!("model.bbox_head.{speed} = 0.99");
    let asked = [
        "stage2.py",
        "--log",
        "log.json",
        "--source",
        "src",
        "--rule",
        &rule,
        "--rule",
        &value,
    ];
    Training {
        files: texts
            .map(|(name, text)| (name.into(), named(&text.replace("data/zorp", "sets"))))
            .into(),
        asked: asked.map(String::from).to_vec(),
        names: BTreeMap::from([
            ("loss", format!("loss_{own}")),
            ("switch", switch),
            ("width", width),
            ("speed", speed),
        ]),
        classes,
        sources: vec![],
    }
}

const MMENGINE: &[Fault] = &[
    ("the checkpoint is called otherwise", |t, d| {
        let line = format!("load_from = 'ckpt/{}.pth'", d.typo("stage"));
        t.replace("stage2.py", "load_from = 'ckpt/stage1.pth'", &line);
        expected("missing_path", "stage2.py", line)
    }),
    ("the backbone's weights are called otherwise", |t, d| {
        let line = format!("checkpoint='ckpt/r{}.pth'", d.but(50, 18, 152));
        t.replace("stage2.py", "checkpoint='ckpt/r50.pth'", &line);
        expected("missing_path", "stage2.py", line)
    }),
    ("annotations are called otherwise", |t, d| {
        let line = format!("ann_file='{}.json'", d.typo("val"));
        t.replace("base_data.py", "ann_file='val.json'", &line);
        expected("missing_path", "base_data.py", line)
    }),
    ("images lie elsewhere", |t, d| {
        let line = format!("img='{}/'", d.typo("train"));
        t.replace("base_data.py", "img='train/'", &line);
        expected("missing_path", "base_data.py", line)
    }),
    ("the head has another number of classes", |t, d| {
        let line = format!("num_classes={}", d.but(t.classes, 1, 90));
        t.replace("stage2.py", &format!("num_classes={}", t.classes), &line);
        expected("classes", "stage2.py", line)
    }),
    ("a key of inference is dropped", |t, d| {
        let key = d.one(&["'img_shape', ", "'ori_shape', ", "'scale_factor', "]);
        t.replace("base_data.py", key, "");
        expected("metadata", "base_data.py", "        type='PackDetInputs',")
    }),
    ("a switch of the data is off", |t, d| {
        let to = d.one(&["False", "None", "0"]);
        let (from, to) = (
            format!("{}=True", t.name("switch")),
            format!("{}={to}", t.name("switch")),
        );
        t.replace("base_data.py", &from, &to);
        expected("rule", "base_data.py", to)
    }),
    ("a loss is never logged", |t, d| {
        let own = t.name("loss");
        let loss = d.one(&["loss_cls", own.as_str()]);
        let text = t.files.get_mut("log.json").unwrap();
        *text = text.replace(&format!("\"{loss}\""), "\"lr_of_it\"");
        expected("never_logged", "stage2.py", format!("{loss}=dict("))
    }),
    ("an argument is misspelt", |t, d| {
        let line = format!("{}=", d.typo(&t.name("width")));
        t.replace("stage2.py", &format!("{}=", t.name("width")), &line);
        expected("argument", "stage2.py", format!(" {line}"))
    }),
    ("an argument is taken and not used", |t, _| {
        let from = format!("Sampler({}, {})", t.name("width"), t.name("speed"));
        t.replace(
            "src/source.py",
            &from,
            &format!("Sampler({})", t.name("width")),
        );
        expected(
            "argument_unused",
            "stage2.py",
            format!("{}=0.9", t.name("speed")),
        )
    }),
    ("a declared number is another", |t, d| {
        let line = format!("{}=0.9{}", t.name("speed"), d.below(9));
        t.replace("stage2.py", &format!("{}=0.99", t.name("speed")), &line);
        expected("rule", "stage2.py", line)
    }),
    ("a rate of 0 is called freezing", |t, d| {
        let (said, module) = (
            d.one(&["is frozen", "stays frozen", "freeze it"]),
            d.one(&["backbone", "pool_head"]),
        );
        let from = "optimizer=dict(type='SGD', lr=0.001))";
        let line = format!("paramwise_cfg=dict(custom_keys={{'{module}': dict(lr_mult=0)}})");
        let to =
            format!("optimizer=dict(type='SGD', lr=0.001),\n    # {module} {said}\n    {line})");
        t.replace("stage2.py", from, &to);
        expected("lr_mult_zero", "stage2.py", line)
    }),
    ("only training loads something", |t, d| {
        let from = "    dict(type='LoadAnnotations', with_bbox=True),";
        let line = format!("    dict(type='Load{}'),", capital(&d.word()));
        t.replace("base_data.py", from, &format!("{from}\n{line}"));
        expected("pipelines_differ", "base_data.py", line)
    }),
    ("there is nothing to resume from", |t, _| {
        let from = "work_dir = 'runs/stage2'";
        t.replace("stage2.py", from, &format!("{from}\nresume = True"));
        t.replace(
            "stage2.py",
            "load_from = 'ckpt/stage1.pth'",
            "load_from = None",
        );
        expected("missing_path", "stage2.py", "resume = True")
    }),
    ("a loss is given what it does not take", |t, d| {
        let line = format!("temperature=0.07, {}={}", d.word(), d.below(9));
        t.replace("stage2.py", "temperature=0.07", &line);
        expected("argument", "stage2.py", line)
    }),
];

/// A detection in colour and depth: its arguments, data and model.
fn ultralytics(draw: &Draw) -> Training {
    let family = draw.one(&["yolov8", "yolo11", "yolo12"]);
    let scale = draw.one(&["n", "s", "m", "l", "x"]);
    let model = format!("{family}{scale}");
    let count = 2 + draw.below(3);
    let sources: Vec<String> = (0..count).map(|i| format!("{}{i}", draw.word())).collect();
    let classes = 3 + draw.below(6);
    let each = |of: &dyn Fn(&String) -> String| sources.iter().map(of).collect::<String>();
    let list = |of: &str| each(&|s| format!("  - {s}/images/{of}\n"));
    let names = (0..classes).map(|i| format!("  {i}: {}{i}\n", draw.word()));
    let yaml = format!("{model}-{}.yaml", draw.word());
    let args = format!(
        "task: detect\nmode: train\nmodel: {yaml}\ndata: data.yaml\nepochs: {}\ndevice: 0\npretrained: {model}.pt\nname: {model}_{}\n",
        1 + draw.below(300),
        draw.word()
    );
    let data = format!(
        "path: sets\ntrain:\n{}train_depth:\n{}val: {}/images/val\nchannels: 4\nnc: {classes}\nnames:\n{}",
        list("rgb"),
        list("d"),
        sources[0],
        names.collect::<String>()
    );
    let mut all = BTreeMap::from([
        ("args.yaml".to_string(), args),
        ("data.yaml".into(), data),
        (yaml.clone(), model_yaml(scale)),
    ]);
    let places = sources
        .iter()
        .flat_map(|s| ["rgb", "d", "val"].map(|f| format!("sets/{s}/images/{f}/1.png")));
    all.extend(places.map(|p| (p, String::new())));
    Training {
        files: all,
        asked: vec!["args.yaml".into()],
        names: BTreeMap::from([("yaml", yaml), ("model", model)]),
        classes,
        sources,
    }
}

/// The model with a scale of this name.
fn model_yaml(scale: &str) -> String {
    match scale {
        "n" | "s" => MODEL.into(),
        other => MODEL.replace("  s: [", &format!("  {other}: [")),
    }
}

impl Training {
    /// The model under another scale of its family.
    fn other_scale(&self, draw: &Draw) -> String {
        let model = self.name("model");
        let family = &model[..model.len() - 1];
        let scales: Vec<&str> = ["n", "s", "m", "l", "x"]
            .into_iter()
            .filter(|s| !model.ends_with(s))
            .collect();
        format!("{family}{}", draw.one(&scales))
    }
}

const ULTRALYTICS: &[Fault] = &[
    ("the weights are of another scale", |t, d| {
        let line = format!("pretrained: {}.pt", t.other_scale(d));
        t.replace(
            "args.yaml",
            &format!("pretrained: {}.pt", t.name("model")),
            &line,
        );
        expected("scale", "args.yaml", line)
    }),
    ("the name says another scale", |t, d| {
        let line = format!("name: {}_", t.other_scale(d));
        t.replace("args.yaml", &format!("name: {}_", t.name("model")), &line);
        expected("described_otherwise", "args.yaml", line)
    }),
    ("a comment says another device", |t, d| {
        let line = format!("device: cpu  # {} GPUs", 2 + d.below(6));
        t.replace("args.yaml", "device: 0", &line);
        expected("described_otherwise", "args.yaml", line)
    }),
    ("a class is picked that is not there", |t, d| {
        let line = format!("classes: [0, {}]", t.classes + d.below(80));
        t.replace(
            "args.yaml",
            "task: detect",
            &format!("task: detect\n{line}"),
        );
        expected("classes", "args.yaml", line)
    }),
    ("the data yaml is called otherwise", |t, d| {
        let line = format!("data: {}.yaml", d.typo("data"));
        t.replace("args.yaml", "data: data.yaml", &line);
        expected("missing_path", "args.yaml", line)
    }),
    ("a source is called otherwise", |t, d| {
        let source = t.sources[d.below(t.sources.len())].clone();
        let line = format!("  - {}/images/rgb", d.typo(&source));
        t.replace("data.yaml", &format!("  - {source}/images/rgb"), &line);
        expected("missing_path", "data.yaml", "train:")
    }),
    ("the validation set is called otherwise", |t, d| {
        let line = format!("val: {}/images/{}", t.sources[0], d.typo("val"));
        t.replace(
            "data.yaml",
            &format!("val: {}/images/val", t.sources[0]),
            &line,
        );
        expected("missing_path", "data.yaml", line)
    }),
    ("all lies elsewhere", |t, d| {
        let line = format!("path: {}", d.typo("sets"));
        t.replace("data.yaml", "path: sets", &line);
        expected("missing_path", "data.yaml", line)
    }),
    ("nc is another number than there are names", |t, d| {
        let line = format!("nc: {}", d.but(t.classes, 1, 90));
        t.replace("data.yaml", &format!("nc: {}", t.classes), &line);
        expected("classes", "data.yaml", line)
    }),
    ("a number of a class is left out", |t, d| {
        let (from, to) = (t.classes - 1, t.classes + d.below(5));
        t.replace("data.yaml", &format!("  {from}: "), &format!("  {to}: "));
        expected("classes", "data.yaml", "names:")
    }),
    ("the data has another number of channels", |t, d| {
        let line = format!("channels: {}", 5 + d.below(8));
        t.replace("data.yaml", "channels: 4", &line);
        expected("channels", &t.name("yaml"), "ch: ")
    }),
    ("the model takes another number of channels", |t, d| {
        let line = format!("ch: {}", d.but(4, 1, 4));
        let file = t.name("yaml");
        t.replace(&file, "ch: 4", &line);
        expected("channels", &file, line)
    }),
    ("depth is in another order", |t, _| {
        let [a, b] = [0, 1].map(|i| format!("  - {}/images/d\n", t.sources[i]));
        t.replace("data.yaml", &format!("{a}{b}"), &format!("{b}{a}"));
        expected("sources", "data.yaml", "train_depth:")
    }),
    ("depth of a source is left out", |t, d| {
        let source = &t.sources[d.below(t.sources.len())];
        let line = format!("  - {source}/images/d\n");
        t.replace("data.yaml", &line, "");
        expected("sources", "data.yaml", "train_depth:")
    }),
];

/// Faults that stand in the way of others: what these would say cannot be read any more.
const ALONE: [&str; 4] = [
    "there is nothing to resume from",
    "the data yaml is called otherwise",
    "all lies elsewhere",
    "depth of a source is left out",
];

/// Each fault alone in trainings of its own, and those that leave the others in place at once.
fn faulty(make: fn(&Draw) -> Training, faults: &[Fault]) {
    let check = |seed: u64, own: &[&Fault]| {
        let draw = Draw::of(seed);
        let mut training = make(&draw);
        let all: Vec<_> = own
            .iter()
            .map(|(name, fault)| (name, fault(&mut training, &draw)))
            .collect();
        let (code, audited, ran) = training.run();
        let missed = all.iter().filter(|(_, e)| !training.is_found(&audited, e));
        let missed: Vec<String> = missed
            .map(|(name, e)| format!("{name}: {} in {} at {}", e.kind, e.file, e.line))
            .collect();
        assert!(
            missed.is_empty() && code == Some(1),
            "seed {seed}: {missed:#?}: {ran}"
        );
    };
    for (i, fault) in faults.iter().enumerate() {
        (0..2).for_each(|round| check(100 * round + i as u64, &[fault]));
    }
    let together: Vec<&Fault> = faults.iter().filter(|f| !ALONE.contains(&f.0)).collect();
    (1000..1003).for_each(|seed| check(seed, &together));
}

/// Text that means the same to whoever reads it.
type Odd = (&'static str, &'static str, &'static str);

const ODD_MMENGINE: &[Odd] = &[
    (
        "stage2.py",
        "_base_ = ['./base_data.py']",
        "_base_ = './base_data.py'",
    ),
    (
        "stage2.py",
        "load_from = 'ckpt/stage1.pth'",
        "load_from = None",
    ),
    (
        "stage2.py",
        "load_from = 'ckpt/stage1.pth'",
        "load_from = f'ckpt/stage{2 - 1}.pth'",
    ),
    (
        "stage2.py",
        "checkpoint='ckpt/r50.pth'",
        "checkpoint='torchvision://resnet50'",
    ),
    ("stage2.py", "frozen_stages=1", "frozen_stages=-1"),
    ("stage2.py", "depth=50", "depth=5 * 10"),
    ("stage2.py", "lr=0.001", "lr=1e-3"),
    (
        "stage2.py",
        "work_dir = 'runs/stage2'",
        "work_dir = 'not/yet'\nresume = False",
    ),
    ("base_data.py", "'pad_shape')", "'flip', )"),
    (
        "base_data.py",
        "data_root = 'sets/'",
        "import os.path as osp\ndata_root = osp.join('sets')",
    ),
    (
        "base_data.py",
        "ann_file='val.json'",
        "ann_file='%s.json' % 'val'",
    ),
    (
        "base_data.py",
        "batch_size=2",
        "batch_size=2, num_workers=0",
    ),
    ("log.json", "\"loss_cls\"", "\"d0.loss_cls\""),
    ("log.json", "\"lr\": 0.001, ", ""),
];

const ODD_ULTRALYTICS: &[Odd] = &[
    ("args.yaml", "device: 0", "device: '0'"),
    ("args.yaml", "device: 0", "device: [0, 1]  # two GPUs"),
    (
        "args.yaml",
        "mode: train",
        "mode: train\npatience: 100\nseed: 0",
    ),
    ("args.yaml", "data: data.yaml", "data: ./data.yaml"),
    (
        "args.yaml",
        "task: detect",
        "# of our own\n\ntask: detect\nclasses: [0, 1]",
    ),
    ("data.yaml", "path: sets", "path: ./sets/"),
    ("data.yaml", "path: sets", "path: sets\ntest:"),
    (
        "data.yaml",
        "channels: 4",
        "channels: 4  # colour and depth",
    ),
    ("data.yaml", "names:", "'names':"),
];

/// Twenty trainings with three odd things each: no fault, no risk.
fn clean(make: fn(&Draw) -> Training, odd: &[Odd]) {
    for seed in 2000..2020 {
        let draw = Draw::of(seed);
        let mut training = make(&draw);
        for _ in 0..3 {
            let (file, from, to) = odd[draw.below(odd.len())];
            let text = training.files.get_mut(file).unwrap();
            // Once is enough, and another one may have come first.
            if !text.contains(to) {
                *text = text.replacen(from, to, 1);
            }
        }
        if draw.below(4) == 0 {
            let text = training.files.get_mut(odd[0].0).unwrap();
            *text = text.replace('\n', "\r\n");
        }
        let (code, audited, ran) = training.run();
        let wrong = audited
            .findings
            .iter()
            .find(|f| f.severity != Severity::Note);
        assert!(
            wrong.is_none() && code == Some(0),
            "seed {seed}: {wrong:?}: {ran}\n{:#?}",
            training.files
        );
    }
}

#[test]
fn drawn_faults_of_mmengine_are_found_alone_and_at_once() {
    faulty(mmengine, MMENGINE);
}

#[test]
fn drawn_faults_of_ultralytics_are_found_alone_and_at_once() {
    faulty(ultralytics, ULTRALYTICS);
}

#[test]
fn odd_trainings_of_mmengine_are_right() {
    clean(mmengine, ODD_MMENGINE);
}

#[test]
fn odd_trainings_of_ultralytics_are_right() {
    clean(ultralytics, ODD_ULTRALYTICS);
}
