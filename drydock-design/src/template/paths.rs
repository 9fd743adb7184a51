//! The constant paths into the context that a template uses: `node.network.pxe.ip`, `node.network['pxe'].ip`.

use std::collections::HashSet;

use minijinja::machinery::ast::Expr;

/// Filters that refuse a value that is not there. Of the others some take it, and some are nobody's business here.
pub(super) const STRICT_FILTERS: [&str; 12] = [
    "capitalize",
    "float",
    "int",
    "length",
    "list",
    "lower",
    "replace",
    "sort",
    "title",
    "trim",
    "upper",
    "urlencode",
];

/// A path and what is asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The variable, and the names after it.
    pub names: Vec<String>,
    /// Line of the template, from 1.
    pub line: u16,
    /// The value itself must be there; otherwise only what it is taken from.
    pub whole: bool,
    /// It may not be reached on each node: within a condition, a loop, a macro.
    pub conditional: bool,
}

impl Path {
    /// The names that must be there.
    pub(crate) fn needed(&self) -> &[String] {
        match self.names.split_last() {
            Some((_, owner)) if !self.whole => owner,
            _ => &self.names,
        }
    }
}

/// What a walk has found.
#[derive(Debug, Default)]
pub(super) struct Paths {
    used: Vec<Path>,
    /// Those of which the template asks whether they are there.
    asked: HashSet<Vec<String>>,
}

impl Paths {
    pub(super) fn add(&mut self, path: Path) {
        self.used.push(path);
    }

    pub(super) fn ask(&mut self, names: Vec<String>) {
        self.asked.insert(names);
    }

    /// Each use that is not guarded, told once. In a condition the template may know what it does: there a path counts as guarded when the
    /// template asks for it, or for what it begins with, anywhere.
    pub(super) fn unguarded(self) -> Vec<Path> {
        let asked = self.asked;
        let is_asked =
            |path: &Path| (2..=path.names.len()).any(|end| asked.contains(&path.names[..end]));
        let mut told = HashSet::new();
        self.used
            .into_iter()
            .filter(|path| !(path.conditional && is_asked(path)))
            .filter(|path| told.insert((path.needed().to_vec(), path.conditional)))
            .collect()
    }
}

/// The names of a path, and the variable it begins with.
pub(super) fn names<'a>(expression: &Expr<'a>) -> Option<(&'a str, Vec<String>)> {
    match expression {
        Expr::Var(variable) => Some((variable.id, vec![variable.id.to_owned()])),
        Expr::GetAttr(attribute) => {
            let (root, mut path) = names(&attribute.expr)?;
            path.push(attribute.name.to_owned());
            Some((root, path))
        }
        Expr::GetItem(item) => {
            let key = text(&item.subscript_expr)?;
            let (root, mut path) = names(&item.expr)?;
            path.push(key);
            Some((root, path))
        }
        _ => None,
    }
}

/// A text that is written down.
pub(super) fn text(expression: &Expr<'_>) -> Option<String> {
    match expression {
        Expr::Const(constant) => constant.value.as_str().map(str::to_owned),
        _ => None,
    }
}
