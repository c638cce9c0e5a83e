//! code: where in the user's code a node comes from, as PyTorch's exporters say it: its module, class, file and line.

use super::proto::NodeProto;
use std::path::Path;

/// What the exporter by torch.export writes.
const SCOPES: &str = "pkg.torch.onnx.name_scopes";
const CLASSES: &str = "pkg.torch.onnx.class_hierarchy";
const TRACE: &str = "pkg.torch.onnx.stack_trace";

/// "module 'body.norm' (BatchNorm2d), net.py:20"; None where nothing is said.
pub fn place(node: &NodeProto) -> Option<String> {
    let said = |key: &str| {
        let mut all = node.metadata_props.iter();
        all.find(|p| p.key.as_deref() == Some(key))?
            .value
            .as_deref()
    };
    match said(SCOPES) {
        Some(scopes) => {
            let (scopes, classes) = (listed(scopes), listed(said(CLASSES).unwrap_or("")));
            // The last one is the operator.
            let at = scopes.len().checked_sub(2)?;
            let class = classes.get(at).and_then(|c| c.rsplit('.').next());
            let line = said(TRACE).and_then(line).map(|l| format!(", {l}"));
            Some(worded(scopes[at], class) + &line.unwrap_or_default())
        }
        None => scope(node.name.as_deref()?).map(|path| worded(&path, None)),
    }
}

fn worded(path: &str, class: Option<&str>) -> String {
    let class = class.map_or(String::new(), |c| format!(" ({c})"));
    match path {
        "" => format!("the model itself{class}"),
        _ => format!("module '{path}'{class}"),
    }
}

/// The elements of a Python list of strings.
fn listed(text: &str) -> Vec<&str> {
    text.split('\'').skip(1).step_by(2).collect()
}

/// The innermost line outside of PyTorch, as seen from the working directory.
fn line(trace: &str) -> Option<String> {
    let frames = trace
        .lines()
        .filter_map(|l| l.trim().strip_prefix("File \""));
    let mut own = frames.filter(|f| !f.contains("/torch/"));
    let (file, rest) = own.next_back()?.split_once("\", line ")?;
    let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let here = std::env::current_dir().unwrap_or_default();
    let file = Path::new(file)
        .strip_prefix(&here)
        .unwrap_or(Path::new(file));
    Some(format!("{}:{number}", file.display()))
}

/// "body.norm" of "/body/norm/BatchNormalization", which the tracing exporter writes.
fn scope(name: &str) -> Option<String> {
    let parts: Vec<&str> = name.strip_prefix('/')?.split('/').collect();
    let (_, path) = parts.split_last()?;
    (!path.is_empty()).then(|| path.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::proto::StringStringEntryProto;

    fn node(name: &str, said: &[(&str, &str)]) -> NodeProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some(key.to_string()),
            value: Some(value.to_string()),
        };
        NodeProto {
            name: Some(name.into()),
            metadata_props: said.iter().map(entry).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn both_exporters_of_pytorch_are_understood() {
        let scopes = "['', 'body', 'body.act', 'silu_1']";
        let classes = "['ports.Network', 'ports.Block', 'torch.nn.modules.activation.SiLU', 'aten.silu.default']";
        let trace = "File \"/home/u/net.py\", line 84, in forward\n    x = self.body(x)\n  File \"/home/u/net.py\", line 20, in forward\n    return self.act(x)\n  File \"/v/site-packages/torch/nn/modules/activation.py\", line 473, in forward\n    return F.silu(x)";
        let dynamo = node(
            "node_Sigmoid_27",
            &[(SCOPES, scopes), (CLASSES, classes), (TRACE, trace)],
        );
        assert_eq!(
            place(&dynamo).unwrap(),
            "module 'body.act' (SiLU), /home/u/net.py:20"
        );
        let root = node(
            "n",
            &[
                (SCOPES, "['', 'add']"),
                (CLASSES, "['ports.Network', 'aten.add']"),
            ],
        );
        assert_eq!(place(&root).unwrap(), "the model itself (Network)");
        assert_eq!(
            place(&node("/body/norm/BatchNormalization", &[])).unwrap(),
            "module 'body.norm'"
        );
        for (name, said) in [("/Add", &[][..]), ("Conv_3", &[]), ("n", &[(SCOPES, "[]")])] {
            assert_eq!(place(&node(name, said)), None, "{name}");
        }
    }
}
