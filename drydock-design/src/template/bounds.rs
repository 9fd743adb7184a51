//! Bounds that are checked on the words of a template, before it is parsed.
//!
//! The parser limits how deep brackets and statements nest. It does not limit what it reads without brackets - `not not not`, `a.b.c.d`, one
//! `elif` after the other - and each of these is one more frame on the stack for whoever parses, walks or drops the tree.

use minijinja::machinery::{Span, Token, tokenize};

/// Bytes of a template. One that is longer could not yield all of its text.
pub const TEMPLATE_LIMIT: usize = super::OUTPUT_LIMIT;

/// Words, signs and stretches of text of one template. The published boot actions have a few hundred; a parsed one takes about 100 bytes.
const TOKEN_LIMIT: usize = 250_000;

/// Signs one upon the other in an expression. This and the next three keep parsing, even unoptimised, within half of the 2 MiB of stack that a
/// thread has.
const SIGN_LIMIT: usize = 200;

/// Brackets within brackets. The parser itself takes about 75, or twice as many statements.
const BRACKET_LIMIT: usize = 30;

/// Statements within statements.
const STATEMENT_LIMIT: usize = 30;

/// Branches (`elif`) of the conditions around a place.
const BRANCH_LIMIT: usize = 100;

/// Checks a text that may be anything. What is no template at all is left to the parser, which says it better.
///
/// # Errors
/// Which bound it goes beyond, with the line.
pub(super) fn check(template: &str) -> Result<(), String> {
    if template.len() > TEMPLATE_LIMIT {
        return Err(format!(
            "the template has {} bytes; at most {TEMPLATE_LIMIT} are taken",
            template.len()
        ));
    }
    let mut expression = Expression::default();
    let mut statements = Statements::default();
    let tokens = tokenize(template, false, minijinja::syntax::SyntaxConfig::default());
    for (number, token) in tokens.map_while(Result::ok).enumerate() {
        let (token, span) = token;
        if number >= TOKEN_LIMIT {
            return Err(too_much(
                "the template has more than",
                TOKEN_LIMIT,
                "words and signs",
                span,
            ));
        }
        expression.take(&token);
        statements.take(&token, expression.open.is_empty());
        if expression.open.len() > BRACKET_LIMIT {
            return Err(too_much(
                "an expression has more than",
                BRACKET_LIMIT,
                "brackets within each other; take it apart with set",
                span,
            ));
        }
        if expression.depth > SIGN_LIMIT {
            return Err(too_much(
                "an expression has more than",
                SIGN_LIMIT,
                "signs upon each other; take it apart with set",
                span,
            ));
        }
        if statements.nested > STATEMENT_LIMIT {
            return Err(too_much(
                "there are more than",
                STATEMENT_LIMIT,
                "statements within each other; take them apart with macro",
                span,
            ));
        }
        if statements.branches > BRANCH_LIMIT {
            return Err(too_much(
                "there are more than",
                BRANCH_LIMIT,
                "branches after one if; look the value up in a map instead",
                span,
            ));
        }
    }
    Ok(())
}

fn too_much(before: &str, limit: usize, after: &str, span: Span) -> String {
    format!(
        "{before} {limit} {after}, in line {} of the template",
        span.start_line
    )
}

/// How deep the tree of an expression can be, at most: in each bracket that is open, the signs since its last comma.
#[derive(Default)]
struct Expression {
    open: Vec<usize>,
    here: usize,
    depth: usize,
}

impl Expression {
    fn take(&mut self, token: &Token<'_>) {
        match token {
            Token::VariableStart | Token::BlockStart => *self = Expression::default(),
            Token::TemplateData(_) | Token::VariableEnd | Token::BlockEnd => {}
            Token::Str(_)
            | Token::String(_)
            | Token::Int(_)
            | Token::Int128(_)
            | Token::Float(_) => {}
            Token::Ident("if" | "else" | "not" | "and" | "or" | "is" | "in") => self.add(),
            Token::Ident(_) => {}
            Token::Comma | Token::Colon => self.forget(),
            Token::BracketOpen | Token::ParenOpen | Token::BraceOpen => {
                self.add();
                self.open.push(self.here);
                self.here = 0;
            }
            Token::BracketClose | Token::ParenClose | Token::BraceClose => {
                self.forget();
                self.here = self.open.pop().unwrap_or_default();
            }
            _ => self.add(),
        }
    }

    fn add(&mut self) {
        self.here += 1;
        self.depth += 1;
    }

    fn forget(&mut self) {
        self.depth -= self.here;
        self.here = 0;
    }
}

/// How many statements are open, and how many `elif` the open `if`s have had together.
#[derive(Default)]
struct Statements {
    word: Word,
    nested: usize,
    ifs: Vec<usize>,
    branches: usize,
}

/// What the current tag is, by its first word.
#[derive(Default)]
enum Word {
    /// No statement, or one that nothing stands within.
    #[default]
    Other,
    /// None yet: the tag has only begun.
    Wanted,
    /// Begins what something stands within.
    Opens,
    /// `set`: the same, unless a value is assigned.
    Set,
}

impl Statements {
    fn take(&mut self, token: &Token<'_>, outside_of_brackets: bool) {
        match (&self.word, token) {
            (_, Token::BlockStart) => self.word = Word::Wanted,
            (Word::Wanted, Token::Ident(word)) => self.word = self.first(word),
            (Word::Set, Token::Assign) if outside_of_brackets => self.word = Word::Other,
            (Word::Opens | Word::Set, Token::BlockEnd) => {
                self.nested += 1;
                self.word = Word::Other;
            }
            (Word::Wanted, _) => self.word = Word::Other,
            _ => {}
        }
    }

    fn first(&mut self, word: &str) -> Word {
        match word {
            "if" => self.ifs.push(0),
            "elif" => {
                if let Some(last) = self.ifs.last_mut() {
                    *last += 1;
                    self.branches += 1;
                }
            }
            "endif" => self.branches -= self.ifs.pop().unwrap_or_default(),
            _ => {}
        }
        match word {
            "if" | "for" | "with" | "filter" | "autoescape" | "block" | "macro" | "call" => {
                Word::Opens
            }
            "set" => Word::Set,
            _ => {
                if word.starts_with("end") {
                    self.nested = self.nested.saturating_sub(1);
                }
                Word::Other
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_stands_beside_each_other_is_not_deep() {
        let list = "a.b,".repeat(10_000);
        let lines =
            "{% if a %}{{ b.c | d }}{% elif e %}{% endif %}{% set x = y(z=1) %}\n".repeat(5_000);
        let blocks = "{% set x %}{% for a in b %}{% endfor %}{% endset %}".repeat(5_000);
        let quoted = format!("{{{{ '{}' }}}}", "((((".repeat(1_000));
        for template in [
            "",
            "{% raw %}{{ ((( {% endraw %}",
            &format!("{{{{ [{list}] }}}}"),
            &lines,
            &blocks,
            &quoted,
        ] {
            assert_eq!(check(template), Ok(()));
        }
    }

    #[test]
    fn a_tag_begins_anew() {
        let deep = format!("{{{{ a{} }}}}", ".b".repeat(SIGN_LIMIT));
        assert_eq!(check(&format!("{deep}{deep}")), Ok(()));
        assert!(check(&deep.replace("a.", "not a.")).is_err());
    }

    #[test]
    fn each_bound_names_its_line() {
        for (template, words) in [
            (format!("\n{{{{ a{} }}}}", ".b".repeat(201)), "200 signs"),
            (
                format!("\n{{% if a %}}{}{{% endif %}}", "{% elif b %}".repeat(101)),
                "100 branches",
            ),
            (format!("\n{{{{ {}", "[".repeat(31)), "30 brackets"),
            (
                format!("\n{}", "{% set a | b(c=1) %}{% with %}".repeat(26)),
                "30 statements",
            ),
            (
                format!("\n{}", "{{ a }}".repeat(100_000)),
                "250000 words and signs",
            ),
        ] {
            let said = check(&template).unwrap_err();
            assert!(said.contains(words) && said.contains("in line 2"), "{said}");
        }
        let said = check(&" ".repeat(TEMPLATE_LIMIT + 1)).unwrap_err();
        assert!(said.contains("16777217 bytes"), "{said}");
    }
}
