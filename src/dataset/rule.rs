//! rule: where a loader looks for what belongs to an image: YOLO's rule, or parts of the path that the user declares to be replaced.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// How the path of an image becomes that of its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// YOLO's: the last `/images/` becomes `/labels/`; without one the label lies beside its image.
    LastImages,
    /// Each `FROM=TO` in turn: the last folder (or folders) FROM becomes TO, else the last FROM in the file's name.
    Replaced(Vec<(String, String)>),
}

impl Rule {
    /// From words of the command line; YOLO's rule where there are none.
    ///
    /// # Errors
    /// The first that is no `FROM=TO`.
    pub fn declared(words: &[String]) -> Result<Self, &str> {
        let split = |word: &'_ String| {
            let (from, to) = word.split_once('=')?;
            let clean = |s: &str| s.trim_matches('/').to_string();
            (!clean(from).is_empty()).then(|| (clean(from), clean(to)))
        };
        let bad = words.iter().find(|w| split(w).is_none());
        match bad {
            Some(word) => Err(word),
            None if words.is_empty() => Ok(Self::LastImages),
            None => Ok(Self::Replaced(words.iter().filter_map(split).collect())),
        }
    }

    /// The path that belongs to `image`, but for its extension; None where the rule does not apply to it.
    pub fn apply(&self, image: &Path) -> Option<PathBuf> {
        match self {
            Self::LastImages => {
                let label = replaced_folder(image, "images", "labels");
                Some(label.unwrap_or_else(|| image.to_path_buf()))
            }
            Self::Replaced(all) => {
                let each = |path: PathBuf, (from, to): &(String, String)| {
                    replaced_folder(&path, from, to).or_else(|| replaced_name(&path, from, to))
                };
                all.iter().try_fold(image.to_path_buf(), each)
            }
        }
    }

    /// How it is said.
    pub fn said(&self) -> String {
        match self {
            Self::LastImages => "the last /images/ becomes /labels/".into(),
            Self::Replaced(all) => {
                let all = all.iter().map(|(from, to)| format!("{from} becomes {to}"));
                all.collect::<Vec<_>>().join(", ")
            }
        }
    }
}

fn replaced_folder(path: &Path, from: &str, to: &str) -> Option<PathBuf> {
    let [from, to] = [from, to].map(|name| format!("/{name}/").replace("//", "/"));
    replaced(path.as_os_str().as_bytes(), from.as_bytes(), to.as_bytes())
}

fn replaced_name(path: &Path, from: &str, to: &str) -> Option<PathBuf> {
    let name = path.file_name()?.as_bytes();
    let name = replaced(name, from.as_bytes(), to.as_bytes())?;
    Some(path.with_file_name(name))
}

/// With the last `from` made `to`.
fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Option<PathBuf> {
    let at = text.windows(from.len()).rposition(|w| w == from)?;
    let whole = [&text[..at], to, &text[at + from.len()..]].concat();
    Some(PathBuf::from(std::ffi::OsString::from_vec(whole)))
}

/// With another extension; `a.b.jpg` becomes `a.b.txt`.
pub fn with_extension(path: &Path, extension: &str) -> PathBuf {
    path.with_extension(OsStr::new(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(words: &[&str], path: &str) -> Option<String> {
        let words: Vec<String> = words.iter().map(|w| (*w).into()).collect();
        let path = Rule::declared(&words).unwrap().apply(Path::new(path));
        path.map(|p| p.display().to_string())
    }

    #[test]
    fn only_the_last_images_becomes_labels() {
        let of = |path| applied(&[], path).unwrap();
        assert_eq!(of("/d/images/a/images/x.jpg"), "/d/images/a/labels/x.jpg");
        assert_eq!(of("/d/images/rgb/train/x.jpg"), "/d/labels/rgb/train/x.jpg");
        assert_eq!(of("/d/myimages/x.jpg"), "/d/myimages/x.jpg");
    }

    #[test]
    fn declared_parts_are_whole_folders_or_lie_in_the_name() {
        assert_eq!(
            applied(&["images/rgb=images/d"], "/r/images/rgb/t/x.png").unwrap(),
            "/r/images/d/t/x.png"
        );
        assert_eq!(
            applied(&["left=fine", "_left.png=_ids.png"], "/left/a/b_left.png").unwrap(),
            "/fine/a/b_ids.png"
        );
        assert_eq!(applied(&["rgb=d"], "/myrgbs/x.png"), None);
        assert_eq!(Rule::declared(&["a".into()]), Err("a"));
        assert_eq!(Rule::declared(&["=b".into()]), Err("=b"));
    }
}
