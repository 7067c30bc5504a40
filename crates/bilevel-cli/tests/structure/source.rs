//! What one source file defines, imports and names, read without its tests.

use std::collections::BTreeSet;

/// One name that a `use` brings in, or all of a module's.
pub(crate) struct Import {
    pub(crate) path: Vec<String>,
    /// `None` for `*`.
    pub(crate) name: Option<String>,
    /// Passed on to others, and not used by that.
    pub(crate) public: bool,
}

#[derive(Default)]
pub(crate) struct Source {
    pub(crate) items: BTreeSet<String>,
    pub(crate) imports: Vec<Import>,
    /// Paths in the code, without those of `use`.
    pub(crate) paths: Vec<Vec<String>>,
    /// Modules in files of their own that only tests have.
    pub(crate) tests: BTreeSet<String>,
}

impl Source {
    pub(crate) fn read(text: &str) -> Self {
        let mut source = Self::default();
        let tokens = source.without_tests(&tokens(text));
        let (mut depth, mut inline) = (0, Vec::new());
        let mut at = 0;
        while at < tokens.len() {
            let token = tokens[at].as_str();
            let next = tokens.get(at + 1).map_or("", String::as_str);
            let before = if at == 0 { "" } else { tokens[at - 1].as_str() };
            match token {
                "mod" if tokens.get(at + 2).is_some_and(|t| t == "{") => {
                    inline.push(depth);
                    depth += 1;
                    at += 3;
                    continue;
                }
                "{" => depth += 1,
                "}" => {
                    depth -= 1;
                    if inline.last() == Some(&depth) {
                        inline.pop();
                    }
                }
                "use" if is_name(next) => {
                    let end = at + tokens[at..].iter().position(|t| t == ";").unwrap();
                    let mut rest = tokens[at + 1..end].iter().map(String::as_str).peekable();
                    let known = source.imports.len();
                    source.import(&mut rest, &[]);
                    let public = before == "pub" || before == ")";
                    for import in &mut source.imports[known..] {
                        import.path = outside(std::mem::take(&mut import.path), inline.len());
                        import.public = public;
                    }
                    at = end;
                }
                "fn" | "struct" | "enum" | "trait" | "type" | "const" | "static" if depth == 0 => {
                    source.items.insert(next.to_string());
                }
                "macro_rules" => {
                    source.items.insert(tokens[at + 2].clone());
                }
                _ if is_name(token) && next == "::" && !["::", ".", "in"].contains(&before) => {
                    let mut path = vec![token.to_string()];
                    while tokens[at + 1] == "::" && is_name(&tokens[at + 2]) {
                        path.push(tokens[at + 2].clone());
                        at += 2;
                    }
                    source.paths.push(outside(path, inline.len()));
                }
                _ => {}
            }
            at += 1;
        }
        source
    }

    /// Reads a tree of `use` up to its end, or to the comma or brace that ends this branch of it.
    fn import<'a>(
        &mut self,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
        before: &[String],
    ) {
        let mut path = before.to_vec();
        let mut name = None;
        while let Some(token) = rest.next_if(|t| !matches!(*t, "," | "}")) {
            match token {
                "::" => {}
                "{" => {
                    while rest.next_if_eq(&"}").is_none() {
                        self.import(rest, &path);
                        rest.next_if_eq(&",");
                    }
                    return;
                }
                "*" => {
                    return self.imports.push(Import {
                        path,
                        name: None,
                        public: false,
                    });
                }
                "as" => name = rest.next().map(String::from),
                "self" if !path.is_empty() => {}
                _ => path.push(token.to_string()),
            }
        }
        let name = name.or_else(|| path.last().cloned());
        self.imports.push(Import {
            path,
            name,
            public: false,
        });
    }

    /// The tokens without what stands under `#[cfg(test)]`.
    fn without_tests(&mut self, tokens: &[String]) -> Vec<String> {
        let mut kept = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            if !tokens[at..]
                .starts_with(&["#", "[", "cfg", "(", "test", ")", "]"].map(String::from))
            {
                kept.push(tokens[at].clone());
                at += 1;
                continue;
            }
            let items = [
                "use", "mod", "fn", "struct", "enum", "impl", "const", "static", "type",
            ];
            let mut item = tokens[at + 7..].iter();
            let import = item.find(|t| items.contains(&t.as_str())) == Some(&"use".to_string());
            let mut depth = 0;
            loop {
                match tokens[at].as_str() {
                    "(" | "[" | "{" => depth += 1,
                    ")" | "]" | "}" => depth -= 1,
                    _ => {}
                }
                if tokens[at] == "}" && depth == 0 && !import {
                    break;
                }
                if tokens[at] == ";" && depth == 0 {
                    if tokens[at - 2] == "mod" {
                        self.tests.insert(tokens[at - 1].clone());
                    }
                    break;
                }
                at += 1;
            }
            at += 1;
        }
        kept
    }
}

/// The path as the file sees it, not a module inside it.
fn outside(mut path: Vec<String>, inline: usize) -> Vec<String> {
    for _ in 0..inline {
        if path.first().is_some_and(|first| first == "super") {
            path.remove(0);
            if path.first().is_none_or(|first| first != "super") {
                path.insert(0, "self".to_string());
            }
        }
    }
    path
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::` and single signs; no comments, strings, characters and lifetimes.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let name = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let quoted = rest.trim_start_matches(['b', 'r', '#']);
        let is_quoted = quoted.starts_with('"') && !rest.starts_with('#');
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").unwrap() + 2
        } else if is_quoted {
            let prefix = &rest[..rest.len() - quoted.len()];
            let close = format!("\"{}", "#".repeat(prefix.matches('#').count()));
            let inside = &quoted[1..];
            let mut end = inside.find(&close).unwrap();
            let escaped = |end: usize| {
                inside[..end]
                    .chars()
                    .rev()
                    .take_while(|c| *c == '\\')
                    .count()
                    % 2
                    == 1
            };
            while !prefix.contains('r') && escaped(end) {
                end += 1 + inside[end + 1..].find(&close).unwrap();
            }
            prefix.len() + 1 + end + close.len()
        } else if let Some(after) = rest.strip_prefix('\'') {
            let mut chars = after.char_indices();
            let escape = chars.next().is_some_and(|(_, c)| c == '\\');
            match chars.next() {
                Some(_) if escape => 4 + after[2..].find('\'').unwrap(),
                Some((next, '\'')) => 2 + next,
                _ => 1,
            }
        } else if name > 0 {
            tokens.push(rest[..name].to_string());
            name
        } else if rest.starts_with("::") {
            tokens.push("::".to_string());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[end..];
    }
    tokens
}
