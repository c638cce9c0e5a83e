//! `parity audit config`: configs are read as mmengine reads them without being run, and what they say is held against what is there.

mod drawn;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};
use support::*;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/configs")
}

/// `parity audit config WORDS` in `folder`.
fn audit(folder: &Path, words: &[&str]) -> Ran {
    let words = [&["audit", "config"], words].concat();
    Call::new(PARITY, folder, &words).run()
}

/// A folder with files of these texts.
fn files(all: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in all {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    dir
}

/// expected.txt is what mmengine 0.10.7 makes of them: scripts/configs --expected wrote it.
#[test]
fn a_config_of_either_style_gives_the_dictionary_that_mmengine_gives() {
    let expected = std::fs::read_to_string(fixtures().join("expected.txt")).unwrap();
    assert_eq!(expected.lines().count(), 9);
    for line in expected.lines() {
        let (file, dictionary) = line.split_once(' ').unwrap();
        let ran = audit(&fixtures(), &[file, "--print", "python"]).exits(0);
        assert_eq!(ran.out.trim_end(), dictionary, "{file}");
    }
    let json = audit(&fixtures(), &["old/grandchild.py", "--print"]).exits(0);
    let read: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(read["model"]["backbone"]["depth"], 18);
}

#[test]
fn what_is_not_evaluated_is_listed_with_its_line_and_nothing_of_it_is_run() {
    let dir = files(&[(
        "c.py",
        "import os\nos.system('touch made')\nopen('made', 'w').write('x')\na = 1\nb = os.environ['HOME']\nclass C:\n    a = 2\nd = dict(x=a, y=open('made'))\ne = [1]\nunknown_to_us = e.sort(key=len)\nf = e\n",
    )]);
    let ran = audit(dir.path(), &["c.py", "--print", "python"]).exits(4);
    assert!(!dir.path().join("made").exists());
    let dictionary = "{'a': 1, 'b': ..., 'C': ..., 'd': {'x': 1, 'y': ...}, 'e': ..., 'unknown_to_us': ..., 'f': ...}";
    assert_eq!(ran.out.trim_end(), dictionary);
    for said in [
        "c.py:2",
        "c.py:5",
        "os.environ",
        "c.py:6",
        "c.py:8",
        "e.sort(key=len)",
    ] {
        assert!(ran.err.contains(said), "{said}: {ran}");
    }
}

#[test]
fn what_mmengine_refuses_is_refused_with_file_and_line() {
    let dir = files(&[
        ("base.py", "a = dict(b=1)\nlist = [1]\n"),
        ("twin.py", "a = 2\n"),
        ("nobase.py", "x = 1\n\n_base_ = 'gone.py'\n"),
        ("twice.py", "_base_ = ['base.py', 'twin.py']\n"),
        ("type.py", "_base_ = 'base.py'\nlist = dict(c=1)\n"),
        ("name.py", "a = 1\nb = c + 1\n"),
        ("key.py", "_base_ = 'base.py'\nb = _base_.a.nothing\n"),
        ("circle.py", "_base_ = 'circle.py'\n"),
        ("syntax.py", "a = 1\nb = = 2\n"),
        ("package.py", "_base_ = 'zorp::a/b.py'\n"),
    ]);
    for (file, says) in [
        ("nobase.py", "nobase.py:3: "),
        ("twice.py", "twice.py:1: KeyError: 'a' is set by twin.py"),
        (
            "type.py",
            "type.py:2: TypeError: list is a dict here and list in the base",
        ),
        ("name.py", "name.py:2: NameError: name 'c'"),
        ("key.py", "key.py:2: AttributeError"),
        ("circle.py", "more than 50 bases"),
        ("syntax.py", "line 2"),
        (
            "package.py",
            "package.py:1: the base zorp::a/b.py is of the package zorp: --search",
        ),
        ("gone.py", "gone.py"),
    ] {
        let ran = audit(dir.path(), &[file, "--print"]).exits(2);
        assert!(ran.err.contains(says), "{file}: {ran}");
    }
}

#[test]
fn hostile_configs_are_refused_or_listed_in_bounded_time() {
    let deep = format!("a = {}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("a = 1{}\n", "+1".repeat(300_000));
    let dir = files(&[
        ("deep.py", &deep),
        ("long.py", &long),
        ("text.py", "a = 'x' * 10**9\n"),
        ("list.py", "a = [0] * 10**12\n"),
        ("loop.py", "for i in range(10**15):\n    a = i\n"),
        ("power.py", "a = 9**9**9**9\n"),
        (
            "double.py",
            "a = [1]\nfor i in range(60):\n    a = [a, a]\n",
        ),
        ("itself.py", "a = [1]\na.append(a)\n"),
        ("nest.py", "a = 1\nfor i in range(200000):\n    a = [a]\n"),
    ]);
    std::fs::write(dir.path().join("bytes.py"), [0xff, 0xfe, 0]).unwrap();
    for (file, code) in [
        ("deep.py", 2),
        ("long.py", 2),
        ("text.py", 2),
        ("list.py", 2),
        ("loop.py", 2),
        ("power.py", 4),
        ("double.py", 2),
        ("itself.py", 2),
        ("nest.py", 2),
        ("bytes.py", 2),
    ] {
        audit(dir.path(), &[file, "--print"]).exits(code);
    }
}

/// A training of its own kind: no class, switch or term of it is named anywhere in the program.
const STAGE2: &str = r#"
_base_ = ['./base_data.py']

load_from = 'ckpt/stage1.pth'
work_dir = 'runs/stage2'
model = dict(
    type='ZorpNet',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[0, 0, 0], std=[1, 1, 1]),
    backbone=dict(
        type='QuuxBackbone',
        depth=50,
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='ckpt/r50.pth')),
    pool_head=dict(type='FrobPool', alpha=0.5),
    bbox_head=dict(
        type='ZorpHead',
        num_classes=3,
        queue_size=8192,
        momentum=0.99,
        loss_cls=dict(type='FrobLoss', loss_weight=1.0),
        loss_macl=dict(type='MaclLoss', temperature=0.07, loss_weight=0.1)))
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001))
train_cfg = dict(max_epochs=12)
"#;

const STAGE2_DATA: &str = r#"
data_root = 'data/zorp/'
classes = ('ant', 'bee', 'cat')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=(640, 640), keep_ratio=True),
    dict(type='PackDetInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(640, 640), keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_shape', 'ori_shape', 'scale_factor', 'pad_shape'))
]
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        type='FrobData',
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img='train/'),
        metainfo=dict(classes=classes),
        return_modality_pair=True,
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        type='FrobData',
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(img='val/'),
        metainfo=dict(classes=classes),
        return_modality_pair=False,
        pipeline=test_pipeline))
test_dataloader = val_dataloader
"#;

const SOURCE: &str = concat!(
    "\n",
    include_str!("../fixtures/audits/config/stage2/src/zorp.py")
);

const LOG: &str = "{\"lr\": 0.001, \"loss\": 1.5, \"loss_cls\": 1.0, \"loss_macl\": 0.5, \"epoch\": 1}\n{\"lr\": 0.001, \"loss\": 1.4, \"loss_cls\": 0.9, \"loss_macl\": 0.5, \"epoch\": 2}\n";

/// The files of the training, each with what a change makes of it.
fn stage2(change: &dyn Fn(&str, String) -> String) -> tempfile::TempDir {
    let data = [
        "data/zorp/train.json",
        "data/zorp/val.json",
        "data/zorp/train/1.png",
        "data/zorp/val/1.png",
    ];
    let texts = [
        ("stage2.py", STAGE2),
        ("base_data.py", STAGE2_DATA),
        ("src/zorp.py", SOURCE),
        ("log.json", LOG),
        ("ckpt/stage1.pth", ""),
        ("ckpt/r50.pth", ""),
    ];
    let texts = texts.into_iter().chain(data.map(|path| (path, "")));
    let changed: Vec<(&str, String)> = texts
        .map(|(name, text)| (name, change(name, text.into())))
        .collect();
    let all: Vec<(&str, &str)> = changed
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    files(&all)
}

const ASKED: &[&str] = &[
    "stage2.py",
    "--log",
    "log.json",
    "--source",
    "src",
    "--rule",
    "loss_macl needs data.return_modality_pair = true",
    "--rule",
    "model.bbox_head.momentum = 0.99",
];

/// A fault of the training of stage 2: where, what stands there and what instead, and what must be said.
const FAULTS: &[(&str, &str, &str, &[&str])] = &[
    (
        "stage2.py",
        "'ckpt/stage1.pth'",
        "'ckpt/stage_1.pth'",
        &[
            "stage2.py:4: load_from = 'ckpt/stage_1.pth'",
            "did you mean 'stage1.pth'",
            "begins with stage2.py:14 model.backbone.init_cfg.checkpoint",
            "missing_path",
        ],
    ),
    (
        "stage2.py",
        "'ckpt/r50.pth'",
        "'ckpt/r18.pth'",
        &["stage2.py:14", "ckpt/r18.pth is not there"],
    ),
    (
        "base_data.py",
        "'val.json'",
        "'valid.json'",
        &[
            "base_data.py:31",
            "data/zorp/valid.json is not there",
            "below data_root",
        ],
    ),
    (
        "base_data.py",
        "img='train/'",
        "img='training/'",
        &["base_data.py:23", "data/zorp/training/ is not there"],
    ),
    (
        "stage2.py",
        "num_classes=3",
        "num_classes=80",
        &["stage2.py:18: model.bbox_head.num_classes = 80, the data has 3 classes"],
    ),
    (
        "base_data.py",
        "'img_shape', 'ori_shape', 'scale_factor', 'pad_shape'",
        "'img_id'",
        &[
            "base_data.py:14",
            "drops img_shape",
            "drops ori_shape",
            "drops scale_factor",
            "LoadImageFromFile gives it, at base_data.py:11",
            "Resize gives it",
            "add 'scale_factor' to meta_keys",
        ],
    ),
    (
        "base_data.py",
        "return_modality_pair=True",
        "return_modality_pair=False",
        &[
            "base_data.py:25: loss_macl needs data.return_modality_pair = true, and train_dataloader.dataset.return_modality_pair = False",
            "stage2.py:22 model.bbox_head.loss_macl",
        ],
    ),
    (
        "log.json",
        "\"loss_macl\": 0.5, ",
        "",
        &[
            "stage2.py:22: model.bbox_head.loss_macl is configured, and log.json never logs it",
            "it logs loss, loss_cls",
        ],
    ),
    (
        "stage2.py",
        "queue_size=8192",
        "queue_len=8192",
        &[
            "stage2.py:19: model.bbox_head.queue_len: ZorpHead takes no queue_len",
            "did you mean 'queue_size'",
            "src/zorp.py:22",
        ],
    ),
    (
        "src/zorp.py",
        "Sampler(queue_size, momentum)",
        "Sampler(queue_size)",
        &["stage2.py:20: model.bbox_head.momentum: ZorpHead takes momentum and never uses it"],
    ),
    (
        "stage2.py",
        "momentum=0.99",
        "momentum=0.9",
        &["stage2.py:20: model.bbox_head.momentum = 0.9 is declared to be 0.99"],
    ),
    (
        "stage2.py",
        "optimizer=dict(type='SGD', lr=0.001))",
        "optimizer=dict(type='SGD', lr=0.001),\n    # the backbone is frozen\n    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0)}))",
        &[
            "stage2.py:25: lr_mult = 0 of 'backbone' is called freezing, and is none",
            "stay trainable",
            "batch norm drift",
            "parity audit freeze",
        ],
    ),
    (
        "base_data.py",
        "    dict(type='LoadAnnotations', with_bbox=True),",
        "    dict(type='LoadAnnotations', with_bbox=True),\n    dict(type='LoadDepthOfZorp'),",
        &[
            "base_data.py:7: train_dataloader.dataset.pipeline loads with LoadDepthOfZorp, val_dataloader.dataset.pipeline does not",
        ],
    ),
    (
        "stage2.py",
        "work_dir = 'runs/stage2'",
        "work_dir = 'runs/stage2'\nresume = True\nload_from = None",
        &[
            "resume = True goes on from runs/stage2/last_checkpoint, which is not there",
            "begins anew",
        ],
    ),
    (
        "stage2.py",
        "type='MaclLoss', temperature=0.07",
        "type='MaclLoss', temperature=0.07, margin=1",
        &["stage2.py:22: model.bbox_head.loss_macl.margin: MaclLoss takes no margin"],
    ),
];

#[test]
fn a_clean_training_of_stage_2_is_silent() {
    let dir = stage2(&|_, text| text);
    let ran = audit(dir.path(), ASKED).exits(0);
    for none in ["fault:", "risk:", "could not be checked:"] {
        assert!(!ran.out.contains(none), "{ran}");
    }
    ran.says(&[
        "2 configured terms logged: loss_cls, loss_macl",
        "'loss_macl needs data.return_modality_pair = true' holds",
        "3 classes in the data and in 1 head",
        "img_shape, ori_shape, scale_factor reach inference",
        "paths that are read are there",
        "225344 of its 23508032",
        "arguments arrive at classes that take them",
    ]);
}

#[test]
fn each_fault_of_stage_2_is_found_alone_with_its_file_and_line() {
    for (file, from, to, said) in FAULTS {
        let dir = stage2(&|name, text| match name == *file {
            true => {
                assert!(text.contains(from), "{file}: {from}");
                text.replace(from, to)
            }
            false => text,
        });
        audit(dir.path(), ASKED).exits(1).says(said);
    }
}

#[test]
fn all_faults_of_stage_2_are_found_at_once() {
    // Those that stand in the place of another one are left to the test of each alone.
    let apart = ["momentum=0.99", "work_dir = 'runs/stage2'"];
    let all: Vec<_> = FAULTS.iter().filter(|f| !apart.contains(&f.1)).collect();
    let dir = stage2(&|name, text| {
        let own = all.iter().filter(|f| f.0 == name);
        own.fold(text, |text, (_, from, to, _)| text.replace(from, to))
    });
    let ran = audit(dir.path(), ASKED).exits(1);
    for (file, _, to, said) in all {
        // Lines move where others were put in before them: the words stay.
        let words = said
            .iter()
            .find_map(|s| s.split_once(": "))
            .map_or(said[said.len() - 1], |(_, words)| words);
        assert!(ran.out.contains(words), "{file} {to}: {words}: {ran}");
    }
}

#[test]
fn odd_but_legal_configs_are_silent() {
    let legal: &[(&str, &str, &str)] = &[
        (
            "stage2.py",
            "load_from = 'ckpt/stage1.pth'",
            "load_from = None",
        ),
        (
            "stage2.py",
            "load_from = 'ckpt/stage1.pth'",
            "load_from = 'https://a.b/c.pth'",
        ),
        (
            "stage2.py",
            "checkpoint='ckpt/r50.pth'",
            "checkpoint='torchvision://resnet50'",
        ),
        (
            "stage2.py",
            "work_dir = 'runs/stage2'",
            "work_dir = 'nowhere/yet'\nresume = False",
        ),
        ("stage2.py", "frozen_stages=1", "frozen_stages=-1"),
        (
            "stage2.py",
            "optimizer=dict(type='SGD', lr=0.001))",
            "optimizer=dict(type='SGD', lr=0.001),\n    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}))",
        ),
        ("base_data.py", "'pad_shape')", "'flip')"),
        (
            "base_data.py",
            "classes = ('ant', 'bee', 'cat')",
            "classes = ['ant', 'bee', 'kätzchen']",
        ),
        (
            "base_data.py",
            "data_root = 'data/zorp/'",
            "import os.path as osp\ndata_root = osp.join('data', 'zorp')",
        ),
        (
            "base_data.py",
            "ann_file='val.json'",
            "ann_file=f'{\"val\"}.json'",
        ),
        ("log.json", "\"loss_cls\"", "\"d0.loss_cls\""),
        (
            "src/zorp.py",
            "self.sampler = Sampler(queue_size, momentum)",
            "keep(**locals())",
        ),
        (
            "src/zorp.py",
            "class ZorpHead:",
            "class ZorpHead:  # class Broken(",
        ),
    ];
    for (file, from, to) in legal {
        let dir = stage2(&|name, text| match name == *file {
            true => {
                assert!(text.contains(from), "{file}: {from}");
                text.replace(from, to)
            }
            false => text,
        });
        let ran = audit(dir.path(), ASKED).exits(0);
        assert!(!ran.out.contains("risk:"), "{file} {to}: {ran}");
    }
}

#[test]
fn what_cannot_be_checked_is_said_and_is_no_agreement() {
    let rest = SOURCE.replace("super().__init__(**rest)", "Other(**rest)");
    let dir = stage2(&|name, text| {
        if name == "src/zorp.py" {
            rest.clone()
        } else {
            text
        }
    });
    audit(dir.path(), &["stage2.py", "--source", "src"]).exits(4).says(&[
        "MaclLoss: only **kwargs take it, and what they reach is not known; not checked: loss_weight",
    ]);
    audit(
        dir.path(),
        &["stage2.py", "--rule", "loss_macl needs zorp_switch = true"],
    )
    .exits(4)
    .says(&["zorp_switch is set nowhere, its default decides"]);
    let refused = audit(
        dir.path(),
        &["stage2.py", "--rule", "loss_mocl needs zorp_switch = true"],
    )
    .exits(2);
    assert!(refused.err.contains("has none of its keys"), "{refused}");
    let refused = audit(dir.path(), &["stage2.py", "--rule", "loss_macl"]).exits(2);
    assert!(refused.err.contains("is no rule"), "{refused}");
}

/// What the built model holds, as parity_port.watch writes it.
fn built(size: u32, momentum: f64, depth: u32) -> String {
    let head = "{\"parity_watch\": 1}\n";
    let part = |name: &str, class: &str, values: String| {
        format!("\"{name}\": {{\"class\": \"{class}\", \"values\": {{{values}}}}}")
    };
    let backbone = part("backbone", "QuuxBackbone", format!("\"depth\": {depth}"));
    let own = part("bbox_head", "ZorpHead", "\"num_classes\": [3]".into());
    let sampler = format!("\"queue_size\": {size}, \"momentum\": {momentum}");
    let sampler = part("bbox_head.sampler", "Sampler", sampler);
    format!("{head}{{\"attributes\": {{{backbone}, {own}}}}}\n{{\"attributes\": {{{sampler}}}}}\n")
}

#[test]
fn what_a_built_module_holds_is_held_against_what_the_config_gives_it() {
    let dir = stage2(&|_, text| text);
    let asked = [ASKED, &["--watched", "watch.jsonl"]].concat();
    let ran = |text: String| {
        std::fs::write(dir.path().join("watch.jsonl"), text).unwrap();
        audit(dir.path(), &asked)
    };
    let right = ran(built(8192, 0.99, 50)).exits(0);
    assert!(!right.out.contains("risk:"), "{right}");
    right.says(&["3 arguments are held by the built modules as they are given"]);
    ran(built(8192, 0.99, 18)).exits(1).says(&[
        "stage2.py:11: model.backbone.depth = 50, and 'backbone' of the built QuuxBackbone holds 18",
        "argument_value",
    ]);
    ran(built(64, 0.99, 50)).exits(0).says(&[
        "risk: stage2.py:19: model.bbox_head.queue_size = 8192, and 'bbox_head.sampler' of the built ZorpHead holds 64",
    ]);
    let none = ran("{\"parity_watch\": 1}\n{\"step\": 0, \"loss\": 1}\n".into()).exits(2);
    assert!(
        none.err.contains("does not say what the model is made of"),
        "{none}"
    );
}

const ARGS: &str = "task: detect\nmode: train\nmodel: yolo12s-rgbd.yaml\ndata: data.yaml\nepochs: 150\ndevice: 0\npretrained: yolo12s.pt\nname: yolo12s_rgbd\n";
const DATA: &str = "path: sets\ntrain:\n  - visdrone/images/rgb\n  - uav/images/rgb\ntrain_depth:\n  - visdrone/images/d\n  - uav/images/d\nval: visdrone/images/val\nchannels: 4\nnc: 3\nnames:\n  0: car\n  1: bus\n  2: van\n";
const MODEL: &str = "nc: 80\nch: 4\nscales:\n  n: [0.5, 0.25, 1024]\n  s: [0.5, 0.5, 1024]\nbackbone:\n  - [-1, 1, Conv, [64, 3, 2]]\nhead:\n  - [[14, 17, 20], 1, Detect, [nc]]\n";

fn rgbd(change: &dyn Fn(&str, String) -> String) -> tempfile::TempDir {
    let texts = [
        ("args.yaml", ARGS),
        ("data.yaml", DATA),
        ("yolo12s-rgbd.yaml", MODEL),
    ];
    let folders = [
        "visdrone/images/rgb",
        "visdrone/images/d",
        "uav/images/rgb",
        "uav/images/d",
        "visdrone/images/val",
    ];
    let changed: Vec<(String, String)> = texts
        .into_iter()
        .map(|(name, text)| (name.to_string(), change(name, text.into())))
        .chain(folders.map(|f| (format!("sets/{f}/1.png"), String::new())))
        .collect();
    let all: Vec<(&str, &str)> = changed
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    files(&all)
}

const RGBD_FAULTS: &[(&str, &str, &str, &[&str])] = &[
    (
        "args.yaml",
        "pretrained: yolo12s.pt",
        "pretrained: yolo12n.pt",
        &[
            "args.yaml:7: the model is yolo12s ('yolo12s-rgbd.yaml'), the weights are of yolo12n",
            "Transferred x/y items",
            "from scratch with more epochs",
            "parity audit weights",
        ],
    ),
    (
        "args.yaml",
        "data: data.yaml",
        "data: sets/data.yaml",
        &["args.yaml:4: data = sets/data.yaml", "is not there"],
    ),
    (
        "args.yaml",
        "name: yolo12s_rgbd",
        "name: yolo12n",
        &["args.yaml:8: name describes yolo12n, given is yolo12s"],
    ),
    (
        "args.yaml",
        "device: 0",
        "device: cpu  # two GPUs",
        &["args.yaml:6: device = cpu, and its comment describes another one"],
    ),
    (
        "args.yaml",
        "pretrained: yolo12s.pt",
        "pretrained: yolo12s.pt # from yolo12n.pt",
        &["args.yaml:7: pretrained describes yolo12n, given is yolo12s"],
    ),
    (
        "args.yaml",
        "epochs: 150",
        "epochs: 150\nclasses: [0, 3]",
        &["args.yaml:6: classes picks 3, the data has classes 0 to 2"],
    ),
    (
        "data.yaml",
        "uav/images/rgb",
        "uav/images/RGBs",
        &["data.yaml:2: train = uav/images/RGBs: sets/uav/images/RGBs is not there"],
    ),
    (
        "data.yaml",
        "path: sets",
        "path: set",
        &["data.yaml:1: path = set", "datasets_dir"],
    ),
    (
        "data.yaml",
        "nc: 3",
        "nc: 4",
        &["data.yaml:10: nc = 4, names lists 3"],
    ),
    (
        "data.yaml",
        "  2: van",
        "  3: van",
        &["data.yaml:11: names has 3 entries and no class 2"],
    ),
    (
        "data.yaml",
        "channels: 4\n",
        "",
        &[
            "data.yaml:5: train_depth is given and channels are 3: no depth reaches the model",
            "yolo12s-rgbd.yaml:2: the data has 3 channels, the model takes 4",
        ],
    ),
    (
        "data.yaml",
        "  - visdrone/images/d\n  - uav/images/d",
        "  - uav/images/d\n  - visdrone/images/d",
        &[
            "data.yaml:5: train_depth is in another order than train: source 0 is uav/images/d beside visdrone/images/rgb",
        ],
    ),
    (
        "data.yaml",
        "  - uav/images/d\n",
        "",
        &["data.yaml:5: train_depth has 1 sources, train has 2"],
    ),
    (
        "yolo12s-rgbd.yaml",
        "ch: 4",
        "ch: 3",
        &[
            "yolo12s-rgbd.yaml:2: the data has 4 channels, the model takes 3",
            "data.yaml:9 channels = 4",
        ],
    ),
];

#[test]
fn a_clean_rgbd_training_is_silent_and_each_fault_of_it_is_found() {
    let dir = rgbd(&|_, text| text);
    let ran = audit(dir.path(), &["args.yaml"]).exits(0);
    assert!(!ran.out.contains("risk:"), "{ran}");
    ran.says(&[
        "pretrained = 'yolo12s.pt' fits model",
        "3 classes",
        "4 channels in the data and in the model",
        "5 sources of the data are there",
        "nc = 80 of the model is replaced by the data's 3",
    ]);
    for (file, from, to, said) in RGBD_FAULTS {
        let dir = rgbd(&|name, text| match name == *file {
            true => {
                assert!(text.contains(from), "{file}: {from}");
                text.replacen(from, to, 1)
            }
            false => text,
        });
        audit(dir.path(), &["args.yaml"]).exits(1).says(said);
    }
}

#[test]
fn a_data_yaml_and_a_model_yaml_are_held_against_each_other_without_arguments() {
    let dir = rgbd(&|_, text| text.replace("ch: 4", "ch: 3"));
    audit(dir.path(), &["data.yaml"]).exits(0);
    audit(dir.path(), &["data.yaml", "--with", "yolo12s-rgbd.yaml"])
        .exits(1)
        .says(&["the data has 4 channels, the model takes 3"]);
}
