//! voc: an annotation of Pascal VOC's: an XML file per image, boxes in pixels that count from 1.

use super::{Class, Labels, Object, Wrong, WrongKind};
use roxmltree::{Document, Node, ParsingOptions};

/// Nodes of one file that are read at most.
const MOST_NODES: u32 = 1 << 20;

/// The labels of a file of `bytes`.
pub fn read(bytes: &[u8]) -> Labels {
    let mut labels = Labels::default();
    if let Err(wrong) = filled(bytes, &mut labels) {
        labels.wrong.push(wrong);
    }
    labels
}

fn filled(bytes: &[u8], labels: &mut Labels) -> Result<(), Wrong> {
    let text = text(bytes).map_err(|what| Wrong::new(WrongKind::Encoding, "", what))?;
    let options = ParsingOptions {
        nodes_limit: MOST_NODES,
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(&text, options);
    let document = document.map_err(|e| {
        let at = e.pos().row.to_string();
        Wrong::new(WrongKind::Syntax, at, format!("no XML: {e}"))
    })?;
    let root = document.root_element();
    labels.size = child(root, "size").and_then(|size| {
        let side = |name| child(size, name)?.text()?.trim().parse().ok();
        Some([side("width")?, side("height")?])
    });
    let [w, h] = labels.size.unwrap_or([0, 0]).map(f64::from);
    if w < 1.0 || h < 1.0 {
        let at = child(root, "size").map_or(String::new(), line);
        let what = format!("it states a size of {w} x {h}");
        labels.wrong.push(Wrong::new(WrongKind::Syntax, at, what));
    }
    for object in root.children().filter(|n| n.has_tag_name("object")) {
        match read_object(object, [w, h]) {
            Ok(object) => labels.objects.push(object),
            Err(wrong) => labels.wrong.push(wrong),
        }
    }
    Ok(())
}

/// XML says its encoding itself; other than by a mark it is UTF-8.
fn text(bytes: &[u8]) -> Result<String, String> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, _) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|p| unit(*p)).collect();
        String::from_utf16(&units).map_err(|_| "it begins as UTF-16 and is none".to_string())
    };
    match bytes {
        [] => Err("the file is empty".into()),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let text = std::str::from_utf8(bytes).map_err(|e| {
                let at = e.valid_up_to();
                format!("byte {at} is {:#04x}, which is no UTF-8", bytes[at])
            })?;
            Ok(text.to_string())
        }
    }
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|n| n.has_tag_name(name))
}

fn line(node: Node) -> String {
    let place = node.document().text_pos_at(node.range().start);
    place.row.to_string()
}

fn read_object(object: Node, [w, h]: [f64; 2]) -> Result<Object, Wrong> {
    let wrong = |kind, what: String| Wrong::new(kind, line(object), what);
    let name = child(object, "name")
        .and_then(|n| n.text())
        .unwrap_or("")
        .trim();
    if name.is_empty() {
        return Err(wrong(WrongKind::Syntax, "an object without a name".into()));
    }
    let bndbox = child(object, "bndbox");
    let bndbox =
        bndbox.ok_or_else(|| wrong(WrongKind::Syntax, format!("'{name}' has no bndbox")))?;
    let mut corners = [0.0; 4];
    for (corner, side) in corners.iter_mut().zip(["xmin", "ymin", "xmax", "ymax"]) {
        let stated = child(bndbox, side)
            .and_then(|n| n.text())
            .unwrap_or("")
            .trim();
        let value: Result<f64, _> = stated.parse();
        *corner = value.map_err(|_| {
            wrong(
                WrongKind::Syntax,
                format!("{side} of '{name}' is '{stated}', no number"),
            )
        })?;
        if !corner.is_finite() {
            return Err(wrong(
                WrongKind::NonFinite,
                format!("{side} of '{name}' is {corner}"),
            ));
        }
    }
    let sides = [w, h, w, h].map(|s| s.max(1.0));
    for (corner, side) in corners.iter_mut().zip(sides) {
        *corner /= side;
    }
    Ok(Object {
        at: line(object),
        class: Class::Name(name.into()),
        corners,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "<annotation><size><width>10</width><height>20</height><depth>3</depth></size>\n<object><name> car </name>\n<part><bndbox/></part><bndbox><xmin>1</xmin><ymin>1.5</ymin><xmax>10</xmax><ymax>20</ymax></bndbox></object></annotation>";

    #[test]
    fn an_annotation_is_read_in_either_encoding() {
        let wide: Vec<u8> = GOOD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [
            GOOD.as_bytes().to_vec(),
            [&b"\xef\xbb\xbf"[..], GOOD.as_bytes()].concat(),
            [&b"\xff\xfe"[..], &wide].concat(),
        ] {
            let labels = read(&bytes);
            assert_eq!(labels.wrong, []);
            assert_eq!(labels.size, Some([10, 20]));
            assert_eq!(labels.objects[0].class, Class::Name("car".into()));
            assert_eq!(labels.objects[0].corners, [0.1, 0.075, 1.0, 1.0]);
        }
    }

    #[test]
    fn what_is_no_annotation_is_said_with_its_line() {
        use WrongKind::{Encoding, NonFinite, Syntax};
        for (from, to, kind, at) in [
            ("</annotation>", "", Syntax, "1"),
            ("<xmin>1<", "<xmin>nan<", NonFinite, "2"),
            ("<xmin>1<", "<xmin>one<", Syntax, "2"),
            ("<width>10<", "<width>0<", Syntax, "1"),
            (" car ", "", Syntax, "2"),
        ] {
            let labels = read(GOOD.replace(from, to).as_bytes());
            let all: Vec<_> = labels
                .wrong
                .iter()
                .map(|w| (w.kind, w.at.as_str()))
                .collect();
            assert_eq!(all, [(kind, at)], "{from} -> {to}: {labels:?}");
        }
        assert_eq!(read(b"").wrong[0].kind, Encoding);
        assert_eq!(read(b"<a>\xb3</a>").wrong[0].kind, Encoding);
    }

    #[test]
    fn a_bomb_of_entities_is_refused() {
        let mut text = "<!DOCTYPE a [<!ENTITY e0 \"xxxxxxxxxx\">".to_string();
        for i in 1..20 {
            text += &format!("<!ENTITY e{i} \"{}\">", format!("&e{};", i - 1).repeat(10));
        }
        text += "]><annotation>&e19;</annotation>";
        assert_eq!(read(text.as_bytes()).wrong[0].kind, WrongKind::Syntax);
    }
}
