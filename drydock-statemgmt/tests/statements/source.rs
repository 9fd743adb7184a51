//! The statements of this crate, read from its source: every string that begins as SQL does, as each back end's macros
//! complete it. What is handed to the database in any other way is an error here, so that no statement is forgotten.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Files whose SQL is made from the registry of tables while the program runs; the tests of the copy run it on each table.
const MADE_FROM_THE_REGISTRY: [&str; 2] = ["verbs/upkeep.rs", "postgres/upkeep.rs"];

/// How a statement begins.
const VERBS: [&str; 8] = [
    "SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "CREATE", "DROP", "BEGIN",
];

/// What takes a statement.
const CALLS: [&str; 4] = ["query", "query_scalar", "query_as", "raw_sql"];

/// A statement and where it stands.
#[derive(Clone, Debug)]
pub struct Statement {
    pub file: String,
    pub sql: String,
}

/// All statements of a back end, whose own files are `{name}.rs` and `{name}/`.
pub fn statements(back_end: &str) -> Vec<Statement> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    find(&root, &mut files);
    let other = match back_end {
        "sqlite" => "postgres",
        _ => "sqlite",
    };
    let sources: Vec<(String, TokenStream)> = files
        .iter()
        .map(|file| {
            let path = file.strip_prefix(&root).unwrap();
            let text = std::fs::read_to_string(file).unwrap();
            (path.display().to_string(), text.parse().unwrap())
        })
        .filter(|(path, _)| {
            *path != format!("{other}.rs") && !path.starts_with(&format!("{other}/"))
        })
        .collect();
    let mut reader = Reader::default();
    for (_, stream) in &sources {
        reader.define(stream.clone());
    }
    for (path, stream) in &sources {
        reader.file = path.clone();
        reader.whole = stream.clone();
        reader.read(stream.clone());
    }
    assert_eq!(reader.errors, [""; 0], "statements that cannot be checked");
    reader.found
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => find(&path, files),
            false => files.push(path),
        }
    }
    files.sort();
}

/// A macro of one arm that makes a string of its parameters.
struct Macro {
    parameters: Vec<String>,
    body: TokenStream,
}

#[derive(Default)]
struct Reader {
    macros: HashMap<String, Macro>,
    file: String,
    whole: TokenStream,
    found: Vec<Statement>,
    errors: Vec<String>,
}

impl Reader {
    /// Takes up the macros of a file.
    fn define(&mut self, stream: TokenStream) {
        let tokens: Vec<_> = stream.into_iter().collect();
        for window in tokens.windows(4) {
            let [
                TokenTree::Ident(keyword),
                TokenTree::Punct(_),
                TokenTree::Ident(name),
                TokenTree::Group(arms),
            ] = window
            else {
                continue;
            };
            if keyword != "macro_rules" {
                continue;
            }
            let arms: Vec<_> = arms.stream().into_iter().collect();
            let groups: Vec<_> = arms.iter().filter_map(group).collect();
            if let [pattern, body] = groups[..] {
                let pattern: Vec<_> = pattern.stream().into_iter().collect();
                let parameters: Vec<(String, String)> = pattern
                    .windows(4)
                    .filter(|window| is(window.first(), '$'))
                    .map(|window| (window[1].to_string(), window[3].to_string()))
                    .collect();
                // Others make no strings.
                if !parameters
                    .iter()
                    .all(|(_, kind)| ["literal", "expr"].contains(&kind.as_str()))
                {
                    continue;
                }
                let parameters = parameters.into_iter().map(|(name, _)| name).collect();
                let body = body.stream();
                self.macros
                    .insert(name.to_string(), Macro { parameters, body });
            }
        }
    }

    fn read(&mut self, stream: TokenStream) {
        let tokens: Vec<_> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            at += self.step(&tokens[at..]);
        }
    }

    /// Looks at the first of these tokens; how many are done by that.
    fn step(&mut self, tokens: &[TokenTree]) -> usize {
        match tokens {
            [TokenTree::Punct(hash), rest @ ..] if hash.as_char() == '#' => {
                let inner = usize::from(is(rest.first(), '!'));
                match rest.get(inner).and_then(group) {
                    Some(attribute) if attribute.stream().to_string() == "cfg (test)" => {
                        let body = rest.iter().position(is_block);
                        body.map_or(tokens.len(), |at| at + 2)
                    }
                    _ => inner + 2,
                }
            }
            [TokenTree::Ident(keyword), _, _, TokenTree::Group(_), ..]
                if keyword == "macro_rules" =>
            {
                4
            }
            [
                TokenTree::Ident(name),
                bang,
                TokenTree::Group(arguments),
                ..,
            ] if is(Some(bang), '!') => {
                match self.expand(&name.to_string(), arguments) {
                    Some(text) => self.take(text),
                    // A text with places to fill is no statement.
                    None if name == "format" => {}
                    None => self.read(arguments.stream()),
                }
                3
            }
            [TokenTree::Ident(name), rest @ ..] if CALLS.iter().any(|call| name == call) => {
                let (path, call) = turbofish(rest);
                if let Some(call) = call
                    && !call.stream().is_empty()
                {
                    self.check_call(call);
                }
                1 + path
            }
            [TokenTree::Ident(name), rest @ ..] if name == "QueryBuilder" => {
                let made = rest.iter().take(9).filter_map(group).next();
                let made = made.map(|group| group.stream().to_string());
                if made.is_some_and(|made| made.starts_with("format")) {
                    self.check_dynamic();
                }
                1
            }
            [TokenTree::Literal(literal), ..] => {
                if let Some(text) = text(&literal.to_string()) {
                    self.take(text);
                }
                1
            }
            [TokenTree::Group(group), ..] => {
                self.read(group.stream());
                1
            }
            _ => 1,
        }
    }

    fn take(&mut self, sql: String) {
        if is_sql(&sql) {
            let file = self.file.clone();
            self.found.push(Statement { file, sql });
        }
    }

    /// What is handed over must be among the strings that are found.
    fn check_call(&mut self, call: &Group) {
        let tokens: Vec<_> = call.stream().into_iter().collect();
        let handed = match &tokens[..] {
            [TokenTree::Ident(name), ..] if name == "AssertSqlSafe" => {
                return self.check_dynamic();
            }
            [
                TokenTree::Ident(name),
                bang,
                TokenTree::Group(arguments),
                ..,
            ] if is(Some(bang), '!') => self.expand(&name.to_string(), arguments),
            [TokenTree::Literal(literal), ..] => text(&literal.to_string()),
            _ => return self.check_names(call),
        };
        if !handed.is_some_and(|sql| is_sql(&sql)) {
            self.error(&format!("{call} is not understood"));
        }
    }

    /// The SQL is made while the program runs.
    fn check_dynamic(&mut self) {
        if !MADE_FROM_THE_REGISTRY.contains(&self.file.as_str()) {
            self.error("SQL is made while the program runs");
        }
    }

    /// Something that comes to a statement: a name of one, or a choice between some.
    fn check_names(&mut self, call: &Group) {
        let mut strings = Vec::new();
        self.strings(call.stream(), &mut strings);
        let names: Vec<String> = names(call.stream())
            .into_iter()
            .filter(|name| *name == name.to_uppercase())
            .collect();
        let only = call.stream().into_iter().last();
        let name = match only {
            Some(TokenTree::Ident(name)) => Some(name.to_string()),
            _ => None,
        };
        match (names.is_empty(), name) {
            (true, Some(name)) => self.check_name(&name),
            (true, None) if strings.is_empty() => {
                self.error(&format!("{call} is not understood"));
            }
            _ => {}
        }
        for name in names {
            self.check_name(&name);
        }
        if !strings.iter().all(|text| is_sql(text)) {
            self.error(&format!("not only statements: {strings:?}"));
        }
    }

    /// A name for a statement: each string that it may stand for has to be one. Names of other modules are found where
    /// they are defined.
    fn check_name(&mut self, name: &str) {
        let mut strings = Vec::new();
        self.bound(self.whole.clone(), name, &mut strings);
        let known = ["DECLARED", "FREEZE"].contains(&name);
        if !known && (strings.is_empty() || !strings.iter().all(|text| is_sql(text))) {
            self.error(&format!("{name} is not only statements: {strings:?}"));
        }
    }

    /// The strings between `name =` or `name: &str =` and the semicolon after it.
    fn bound(&self, stream: TokenStream, name: &str, strings: &mut Vec<String>) {
        let tokens: Vec<_> = stream.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            if let Some(group) = group(token) {
                self.bound(group.stream(), name, strings);
            }
            if !matches!(token, TokenTree::Ident(ident) if ident == name) {
                continue;
            }
            let before = at.checked_sub(1).and_then(|at| tokens.get(at));
            let binds =
                matches!(before, Some(TokenTree::Ident(word)) if word == "let" || word == "const");
            let rest = &tokens[at..];
            let end = rest.iter().position(|token| is(Some(token), ';'));
            if let (true, Some(end)) = (binds, end) {
                self.strings(rest[..end].iter().cloned().collect(), strings);
            }
        }
    }

    fn strings(&self, stream: TokenStream, strings: &mut Vec<String>) {
        let tokens: Vec<_> = stream.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at..] {
                [
                    TokenTree::Ident(name),
                    bang,
                    TokenTree::Group(arguments),
                    ..,
                ] if is(Some(bang), '!') => {
                    strings.extend(self.expand(&name.to_string(), arguments));
                    at += 2;
                }
                [TokenTree::Literal(literal), ..] => strings.extend(text(&literal.to_string())),
                [TokenTree::Group(group), ..] => self.strings(group.stream(), strings),
                _ => {}
            }
            at += 1;
        }
    }

    /// The string that `name!(arguments)` is, if it is one.
    fn expand(&self, name: &str, arguments: &Group) -> Option<String> {
        let arguments = split(arguments.stream());
        if name == "concat" {
            return arguments
                .into_iter()
                .map(|argument| self.evaluate(argument))
                .collect();
        }
        let known = self.macros.get(name)?;
        let body = fill(known.body.clone(), &known.parameters, &arguments);
        self.evaluate(body)
    }

    fn evaluate(&self, stream: TokenStream) -> Option<String> {
        let tokens: Vec<_> = stream.into_iter().collect();
        match &tokens[..] {
            [TokenTree::Literal(literal)] => text(&literal.to_string()),
            [TokenTree::Ident(name), bang, TokenTree::Group(arguments)] if is(Some(bang), '!') => {
                self.expand(&name.to_string(), arguments)
            }
            _ => None,
        }
    }

    fn error(&mut self, what: &str) {
        self.errors.push(format!("{}: {what}", self.file));
    }
}

fn group(token: &TokenTree) -> Option<&Group> {
    match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    }
}

fn is(token: Option<&TokenTree>, punct: char) -> bool {
    matches!(token, Some(TokenTree::Punct(found)) if found.as_char() == punct)
}

fn is_block(token: &TokenTree) -> bool {
    group(token).is_some_and(|group| group.delimiter() == Delimiter::Brace)
}

/// The group of a call after a name, with or without `::<...>`; how many tokens come before it.
fn turbofish(tokens: &[TokenTree]) -> (usize, Option<&Group>) {
    let path = match is(tokens.first(), ':') {
        true => tokens.iter().position(|token| is(Some(token), '>')),
        false => Some(0),
    };
    let path = path.map_or(0, |end| if end > 0 { end + 1 } else { 0 });
    let call = tokens.get(path).and_then(group);
    let call = call.filter(|group| group.delimiter() == Delimiter::Parenthesis);
    (path, call)
}

/// All names in it.
fn names(stream: TokenStream) -> Vec<String> {
    let of = |token| match token {
        TokenTree::Ident(name) => vec![name.to_string()],
        TokenTree::Group(group) => names(group.stream()),
        _ => Vec::new(),
    };
    stream
        .into_iter()
        .flat_map(of)
        .filter(|name| name != "_")
        .collect()
}

fn split(stream: TokenStream) -> Vec<TokenStream> {
    let mut parts: Vec<Vec<TokenTree>> = vec![Vec::new()];
    for token in stream {
        match is(Some(&token), ',') {
            true => parts.push(Vec::new()),
            false => parts.last_mut().unwrap().push(token),
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
        .into_iter()
        .map(|part| part.into_iter().collect())
        .collect()
}

/// A macro's body with its arguments in place.
fn fill(body: TokenStream, parameters: &[String], arguments: &[TokenStream]) -> TokenStream {
    let mut filled: Vec<TokenTree> = Vec::new();
    let mut tokens = body.into_iter();
    while let Some(token) = tokens.next() {
        match &token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => {
                let name = tokens.next().unwrap().to_string();
                let at = parameters.iter().position(|known| *known == name).unwrap();
                filled.extend(arguments[at].clone());
            }
            TokenTree::Group(group) => {
                let inner = fill(group.stream(), parameters, arguments);
                filled.push(Group::new(group.delimiter(), inner).into());
            }
            _ => filled.push(token),
        }
    }
    filled.into_iter().collect()
}

/// What a string literal stands for; `None` for other literals.
fn text(literal: &str) -> Option<String> {
    let inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    let mut text = String::new();
    let mut chars = inner.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, char == '\\') {
            (_, true) => match chars.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                '\n' => while chars.next_if(|char| char.is_whitespace()).is_some() {},
                other => text.push(other),
            },
            (char, false) => text.push(char),
        }
    }
    Some(text)
}

fn is_sql(text: &str) -> bool {
    let word = text.split_whitespace().next().unwrap_or_default();
    VERBS.contains(&word)
}
